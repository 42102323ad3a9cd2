package alert_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	entalert "github.com/bailiwick/bailiwick/ent/alert"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/event"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

const patience = 20 * time.Second

// told remembers what the ticket side was told.
type told struct {
	mu     sync.Mutex
	events []string
	refuse error
}

func (o *told) add(what string, a *ent.Alert) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, fmt.Sprintf("%s %s/%d", what, a.DedupeKey, a.Incident))
	return o.refuse
}

func (o *told) Worsened(_ context.Context, a *ent.Alert) error { return o.add("worsened", a) }
func (o *told) Opened(_ context.Context, alerts ...*ent.Alert) (err error) {
	for _, a := range alerts {
		err = errors.Join(err, o.add("opened", a))
	}
	return err
}

func (o *told) Ended(_ context.Context, a *ent.Alert, by string) error {
	return o.add("ended by "+by, a)
}

// tenant is a provider with two organizations.
type tenant struct {
	all, one, two context.Context
	organizations [2]string
	device, user  string // in the first organization
	provider      string
}

type world struct {
	*alert.Service
	client  *ent.Client
	bus     *event.Bus
	told    *told
	tenants [2]tenant
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	bus, err := event.NewBus(database.AfterCommit, nil)
	require.NoError(t, err)
	w := &world{client: db.Client(), bus: bus, told: &told{}}
	w.Service, err = alert.New(alert.Config{DB: db, Bus: bus, Ticketer: w.told, Logger: slog.New(slog.DiscardHandler), Clock: time.Now})
	require.NoError(t, err)
	for i := range w.tenants {
		w.tenants[i] = w.tenant(t, i)
	}
	return w
}

func (w *world) tenant(t *testing.T, n int) tenant {
	t.Helper()
	p, err := w.client.Provider.Create().SetName(fmt.Sprint("Provider ", n)).Save(tenancy.System(t.Context(), "a test's fixture"))
	require.NoError(t, err)
	who := tenancy.ServicePrincipal("monitor")
	made := tenant{provider: p.ID, all: tenancy.With(t.Context(), tenancy.ForProvider(who, p.ID))}
	for i := range made.organizations {
		o, err := w.client.Organization.Create().SetName(fmt.Sprint("Organization ", i)).Save(made.all)
		require.NoError(t, err)
		made.organizations[i] = o.ID
	}
	made.one = tenancy.With(t.Context(), tenancy.ForOrganizations(who, p.ID, made.organizations[0]))
	made.two = tenancy.With(t.Context(), tenancy.ForOrganizations(who, p.ID, made.organizations[1]))
	d, err := w.client.Device.Create().SetName("Laptop").SetSerialNumber("S1").SetPlatform(device.PlatformMacOS).Save(made.one)
	require.NoError(t, err)
	u, err := w.client.User.Create().SetLogin("ada").SetEmail("ada@example.com").Save(made.one)
	require.NoError(t, err)
	made.device, made.user = d.ID, u.ID
	return made
}

func custom(title string) alert.Report {
	return alert.Report{Type: alert.Custom, Title: title, DedupeKey: title}
}

func requireFault(t *testing.T, err error, code fault.Code, field string) {
	t.Helper()
	require.Equal(t, code, fault.CodeOf(err), "%v", err)
	var f *fault.Error
	require.ErrorAs(t, err, &f)
	require.Equal(t, field, f.Field, "%v", err)
}

func TestOneConditionIsOneAlert(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		const reports = 50
		var group sync.WaitGroup
		var mu sync.Mutex
		ids, opened := map[string]bool{}, 0
		for range reports {
			group.Go(func() {
				a, first, err := w.Submit(w.tenants[0].one, custom("disk full"))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
					return
				}
				ids[a.ID] = true
				if first {
					opened++
				}
			})
		}
		group.Wait()
		require.Len(t, ids, 1)
		require.Equal(t, 1, opened)
		a, err := w.client.Alert.Query().Only(w.tenants[0].all)
		require.NoError(t, err)
		require.Equal(t, reports, a.OccurrenceCount)
		require.Equal(t, reports, w.client.AlertOccurrence.Query().CountX(w.tenants[0].all))
		require.Equal(t, []string{"opened disk full/1"}, w.told.events)
	})
}

func TestReturnIsTheNextIncident(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		ctx := w.tenants[0].one
		for incident := 1; incident <= 3; incident++ {
			a, opened, err := w.Submit(ctx, custom("x"))
			require.NoError(t, err)
			require.True(t, opened)
			require.Equal(t, incident, a.Incident)
			again, opened, err := w.Submit(ctx, custom("x"))
			require.NoError(t, err)
			require.False(t, opened)
			require.Equal(t, a.ID, again.ID)
			if incident == 2 {
				n, err := w.Clear(ctx, "", alert.Custom, "x")
				require.NoError(t, err)
				require.Equal(t, 1, n)
				continue
			}
			_, err = w.Resolve(ctx, a.ID, nil)
			require.NoError(t, err)
		}
		n, err := w.Clear(ctx, "", alert.Custom, "x")
		require.NoError(t, err)
		require.Zero(t, n)
		require.Equal(t, []string{
			"opened x/1", "ended by monitor x/1", "opened x/2", "ended by itself x/2", "opened x/3", "ended by monitor x/3",
		}, w.told.events)
	})
}

func TestSeverityRisesAndNeverFalls(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		for _, step := range []struct{ reported, want entalert.Severity }{
			{"", entalert.SeverityMedium}, {entalert.SeverityLow, entalert.SeverityMedium}, {entalert.SeverityHigh, entalert.SeverityHigh},
			{entalert.SeverityHigh, entalert.SeverityHigh}, {entalert.SeverityLow, entalert.SeverityHigh},
		} {
			r := custom("x")
			r.Severity = step.reported
			a, _, err := w.Submit(w.tenants[0].one, r)
			require.NoError(t, err)
			require.Equal(t, step.want, a.Severity)
		}
		require.Equal(t, []string{"opened x/1", "worsened x/1"}, w.told.events)
	})
}

func TestLife(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		ctx := w.tenants[0].one
		a, _, err := w.Submit(ctx, custom("x"))
		require.NoError(t, err)
		remark := "on it"
		a, err = w.Acknowledge(ctx, a.ID, &remark)
		require.NoError(t, err)
		require.Equal(t, entalert.StatusAcknowledged, a.Status)
		require.NotNil(t, a.AcknowledgedAt)
		since := *a.AcknowledgedAt
		a, err = w.Acknowledge(ctx, a.ID, nil)
		require.NoError(t, err)
		require.True(t, since.Equal(*a.AcknowledgedAt))
		require.Equal(t, remark, a.Remark)
		a, err = w.Resolve(ctx, a.ID, nil)
		require.NoError(t, err)
		require.Equal(t, entalert.StatusResolved, a.Status)
		_, err = w.Resolve(ctx, a.ID, nil)
		requireFault(t, err, fault.PreconditionFailed, "")
		_, err = w.Acknowledge(ctx, a.ID, nil)
		requireFault(t, err, fault.PreconditionFailed, "")
		long := strings.Repeat("x", 2001)
		_, err = w.Resolve(ctx, a.ID, &long)
		requireFault(t, err, fault.InvalidArgument, "input.remark")

		other := w.tenants[1]
		for _, foreign := range []context.Context{w.tenants[0].two, other.one, other.all} {
			_, err = w.Acknowledge(foreign, a.ID, nil)
			requireFault(t, err, fault.NotFound, "")
			_, err = w.Resolve(foreign, a.ID, nil)
			requireFault(t, err, fault.NotFound, "")
		}
	})
}

func TestReportsAreChecked(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		mine, other := w.tenants[0], w.tenants[1]
		for name, c := range map[string]struct {
			change func(*alert.Report)
			code   fault.Code
			field  string
		}{
			"no title":        {func(r *alert.Report) { r.Title = " " }, fault.InvalidArgument, "input.title"},
			"two lines":       {func(r *alert.Report) { r.Title = "a\nb" }, fault.InvalidArgument, "input.title"},
			"long title":      {func(r *alert.Report) { r.Title = strings.Repeat("x", 256) }, fault.InvalidArgument, "input.title"},
			"broken title":    {func(r *alert.Report) { r.Title = "a\xff" }, fault.InvalidArgument, "input.title"},
			"zero byte":       {func(r *alert.Report) { r.Description = "a\x00" }, fault.InvalidArgument, "input.description"},
			"long text":       {func(r *alert.Report) { r.Description = strings.Repeat("x", 8001) }, fault.InvalidArgument, "input.description"},
			"long key":        {func(r *alert.Report) { r.DedupeKey = strings.Repeat("x", 256) }, fault.InvalidArgument, "input.dedupeKey"},
			"long reference":  {func(r *alert.Report) { r.Reference = strings.Repeat("x", 256) }, fault.InvalidArgument, "input.reference"},
			"unknown type":    {func(r *alert.Report) { r.Type = "NOPE" }, fault.InvalidArgument, "input.type"},
			"not raisable":    {func(r *alert.Report) { r.Type = alert.PushCertificateExpired }, fault.InvalidArgument, "input.type"},
			"severity":        {func(r *alert.Report) { r.Severity = "WORST" }, fault.InvalidArgument, "input.severity"},
			"future":          {func(r *alert.Report) { r.OccurredAt = time.Now().Add(6 * time.Minute) }, fault.InvalidArgument, "input.occurredAt"},
			"unknown device":  {func(r *alert.Report) { r.DeviceID = "dev_01h455vb4pex5vsknk084sn02q" }, fault.NotFound, "input.deviceId"},
			"foreign device":  {func(r *alert.Report) { r.DeviceID = other.device }, fault.NotFound, "input.deviceId"},
			"foreign user":    {func(r *alert.Report) { r.UserID = other.user }, fault.NotFound, "input.userId"},
			"two tenants":     {func(r *alert.Report) { r.DeviceID, r.UserID = mine.device, other.user }, fault.NotFound, "input.userId"},
			"no organization": {func(*alert.Report) {}, fault.InvalidArgument, tenancy.Header},
		} {
			r := custom("x")
			c.change(&r)
			_, _, err := w.Submit(mine.all, r)
			t.Log(name)
			requireFault(t, err, c.code, c.field)
		}
		require.Zero(t, w.client.Alert.Query().CountX(tenancy.System(t.Context(), "a test looks at everything")))

		// A device in reach says which organization it is.
		a, _, err := w.Submit(mine.all, alert.Report{Type: alert.DeviceMissing, Title: "gone", DeviceID: mine.device, OccurredAt: time.Now().Add(time.Minute)})
		require.NoError(t, err)
		require.Equal(t, mine.organizations[0], a.OrganizationID)
		require.Equal(t, "DEVICE", a.SourceType)
		require.Equal(t, "Laptop", a.SourceName)
		require.False(t, a.LastOccurredAt.After(time.Now()))
		_, _, err = w.Submit(mine.two, alert.Report{Type: alert.DeviceMissing, Title: "gone", DeviceID: mine.device})
		requireFault(t, err, fault.NotFound, "input.deviceId")
	})
}

func TestTicketSideIsPartOfTheTransaction(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.told.refuse = fmt.Errorf("no room")
		_, _, err := w.Submit(w.tenants[0].one, custom("x"))
		require.ErrorContains(t, err, "no room")
		require.Zero(t, w.client.Alert.Query().CountX(w.tenants[0].all))
		// What is wrong with ticketing itself asks for no ticket.
		_, opened, err := w.Raise(w.tenants[0].one, alert.Report{Type: alert.IntegrationFailing, Title: "x", DedupeKey: "psa_1"})
		require.NoError(t, err)
		require.True(t, opened)
		n, err := w.Clear(w.tenants[0].all, "", alert.IntegrationFailing, "psa_1")
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}

func TestWatch(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		mine, other := w.tenants[0], w.tenants[1]
		var mu sync.Mutex
		granted := mine.one
		refused := error(nil)
		reach := func(context.Context) (tenancy.Scope, error) {
			mu.Lock()
			defer mu.Unlock()
			if refused != nil {
				return tenancy.Scope{}, refused
			}
			return tenancy.From(granted)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		changes, err := w.Watch(ctx, reach)
		require.NoError(t, err)
		next := func() *ent.Alert {
			t.Helper()
			select {
			case a := <-changes:
				return a
			case <-time.After(patience):
				t.Fatal("no alert came")
				return nil
			}
		}
		_, _, err = w.Submit(other.one, custom("foreign"))
		require.NoError(t, err)
		_, _, err = w.Submit(mine.two, custom("elsewhere"))
		require.NoError(t, err)
		first, _, err := w.Submit(mine.one, custom("mine"))
		require.NoError(t, err)
		require.Equal(t, first.ID, next().ID)
		_, err = w.Resolve(mine.one, first.ID, nil)
		require.NoError(t, err)
		require.Equal(t, entalert.StatusResolved, next().Status)

		mu.Lock()
		granted = mine.two
		mu.Unlock()
		_, _, err = w.Submit(mine.one, custom("not any more"))
		require.NoError(t, err)
		_, _, err = w.Submit(mine.two, custom("now"))
		require.NoError(t, err)
		require.Equal(t, "now", next().Title)

		// After a gap, what has changed since is sent, and nothing out of reach.
		w.bus.Resync()
		require.Equal(t, "elsewhere", next().Title)
		require.Equal(t, "now", next().Title)

		mu.Lock()
		refused = fault.New(fault.Forbidden, "taken away")
		mu.Unlock()
		_, _, err = w.Submit(mine.two, custom("too late"))
		require.NoError(t, err)
		require.Nil(t, next(), "the stream ends")
		_, err = w.Watch(ctx, reach)
		requireFault(t, err, fault.Forbidden, "")
	})
}

func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range alert.Catalogue() {
		require.False(t, seen[a.Key] || seen[a.UUID], a.Key)
		seen[a.Key], seen[a.UUID] = true, true
		require.Len(t, a.UUID, 36)
		require.NotEmpty(t, a.DisplayName)
		require.NotEmpty(t, a.Description)
		for _, by := range []string{a.Key, a.UUID, strings.ToUpper(a.UUID)} {
			found, ok := alert.Find(by)
			require.True(t, ok)
			require.Equal(t, a, found)
		}
	}
	_, ok := alert.Find("")
	require.False(t, ok)
}
