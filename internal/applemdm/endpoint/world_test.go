package endpoint_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/applemdm"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/deviceidentity"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/applemdm/endpoint"
	"github.com/bailiwick/bailiwick/internal/applemdm/inventory"
	"github.com/bailiwick/bailiwick/internal/applemdm/membership"
	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/event"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/keystore"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// jobs keeps jobs until a test has them worked.
type jobs struct {
	mu      sync.Mutex
	waiting []job.Args
}

func (j *jobs) Enqueue(_ context.Context, args job.Args, _ job.EnqueueOptions) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.waiting = append(j.waiting, args)
	return nil
}

func (j *jobs) take() []job.Args {
	j.mu.Lock()
	defer j.mu.Unlock()
	taken := j.waiting
	j.waiting = nil
	return taken
}

// apns remembers what was sent, and answers as a test says.
type apns struct {
	mu      sync.Mutex
	sent    map[string][]queue.Notification // by organization
	outcome queue.Outcome
	during  func() // happens while the notifications are on their way
	putOff  int    // how many of those sent at once are to be tried later
}

func (a *apns) Push(_ context.Context, organization string, notifications []queue.Notification) ([]queue.Outcome, error) {
	if a.during != nil {
		a.during()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent[organization] = append(a.sent[organization], notifications...)
	outcomes := make([]queue.Outcome, len(notifications))
	for i := range outcomes {
		if outcomes[i] = a.outcome; i < a.putOff {
			outcomes[i] = queue.TryLater
		}
	}
	return outcomes, nil
}

// desk is where no alert becomes a ticket.
type desk struct{}

func (desk) Opened(context.Context, ...*ent.Alert) error     { return nil }
func (desk) Worsened(context.Context, *ent.Alert) error      { return nil }
func (desk) Ended(context.Context, *ent.Alert, string) error { return nil }

type alarms struct{ *alert.Service }

func (a alarms) Alarm(ctx context.Context, organization, device, alertType, dedupeKey, title, description string) error {
	_, _, err := a.Raise(ctx, alert.Report{
		Organization: organization, DeviceID: device, Type: alertType, DedupeKey: dedupeKey, Title: title, Description: description,
	})
	return err
}

// tenant is an organization that manages devices.
type tenant struct {
	provider, organization string
	ctx                    context.Context
	authority              *pki.Authority
	topic                  string
	seats                  int
}

// world is two providers with two organizations each.
type world struct {
	t         *testing.T
	db        *database.DB
	client    *ent.Client
	queue     *queue.Service
	members   *membership.Service
	inventory *inventory.Store
	vault     *secret.Vault
	alerts    *alert.Service
	jobs      *jobs
	apns      *apns
	clock     *clock
	url       string
	tenants   map[string]*tenant // by organization
	one, two  *tenant            // of one provider
	foreign   *tenant
	renewal   []byte
	asked     atomic.Int64              // how many requests have come
	seating   func(ctx context.Context) // happens when a seat is asked for
}

// Authority implements endpoint.Authorities.
func (w *world) Authority(_ context.Context, organization string) (endpoint.Authority, error) {
	w.asked.Add(1)
	t, ok := w.tenants[organization]
	if !ok {
		return endpoint.Authority{}, fault.Missing(organization)
	}
	return endpoint.Authority{Provider: t.provider, Trust: t.authority.Trust(), Topic: t.topic, Seat: func(ctx context.Context, id string, wanted int) error {
		if w.seating != nil {
			w.seating(ctx)
		}
		w.client.AppleMdm.Query().Where(applemdm.OrganizationID(organization)).Modify(database.ForUpdate).OnlyX(ctx)
		taken := w.client.DeviceChannel.Query().Where(
			devicechannel.OrganizationID(organization), devicechannel.DeviceIDNEQ(id),
			devicechannel.StatusIn(devicechannel.StatusAuthenticated, devicechannel.StatusEnrolled),
		).CountX(ctx)
		if taken+wanted > t.seats {
			return fault.New(fault.Forbidden, "full")
		}
		return nil
	}}, nil
}

// ReviewSeats implements membership.Seats.
func (w *world) ReviewSeats(ctx context.Context, organization string) error {
	if w.client.Device.Query().Where(device.Enrolled(true)).CountX(ctx) < w.tenants[organization].seats {
		return nil
	}
	return alarms{w.alerts}.Alarm(ctx, organization, "", alert.SeatLimitReached, "device", "full", "")
}

// Revoke implements membership.Identities.
func (w *world) Revoke(ctx context.Context, id string) error {
	return w.client.DeviceIdentity.Update().Where(deviceidentity.DeviceID(id)).SetRevokedAt(w.clock.Now()).Exec(ctx)
}

// RenewalProfile implements membership.Identities.
func (w *world) RenewalProfile(context.Context, *ent.Device, time.Time) ([]byte, error) {
	return w.renewal, nil
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	w := &world{
		t: t, db: db, client: db.Client(), jobs: &jobs{}, clock: &clock{now: time.Now()}, tenants: map[string]*tenant{},
		apns: &apns{sent: map[string][]queue.Notification{}, outcome: queue.Accepted}, renewal: []byte("<plist>renewal</plist>"),
	}
	logger := slog.New(slog.DiscardHandler)
	bus, err := event.NewBus(database.AfterCommit, nil)
	require.NoError(t, err)
	vault, err := secret.New(keystore.NewKeysets(db), secret.Masters{Current: master(t)}, secret.Config{})
	require.NoError(t, err)
	w.vault = vault
	w.alerts, err = alert.New(alert.Config{DB: db, Bus: bus, Ticketer: desk{}, Logger: logger, Clock: w.clock.Now})
	require.NoError(t, err)
	bell := alarms{w.alerts}
	w.inventory, err = inventory.New(inventory.Config{DB: db, Vault: vault, Bus: bus, Alarms: bell, Logger: logger, Clock: w.clock.Now})
	require.NoError(t, err)
	w.queue, err = queue.New(queue.Config{
		DB: db, Vault: vault, Jobs: w.jobs, Pusher: w.apns, Alarms: bell, Inventory: w.inventory,
		Log: audit.New(w.client), Logger: logger, Clock: w.clock.Now,
	})
	require.NoError(t, err)
	w.members, err = membership.New(membership.Config{
		DB: db, Vault: vault, Jobs: w.jobs, Queue: w.queue, Inventory: w.inventory, Alarms: bell, Identities: w, Seats: w, Log: audit.New(w.client),
		Logger: logger, Clock: w.clock.Now,
	})
	require.NoError(t, err)
	handler, err := endpoint.New(endpoint.Config{
		Authorities: w, Members: w.members, Queue: w.queue, UserChannels: true, Logger: logger, Clock: w.clock.Now,
	})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc(endpoint.CheckinPattern, handler.Checkin)
	mux.HandleFunc(endpoint.ConnectPattern, handler.Connect)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.url = server.URL
	first := w.provider("North")
	w.one, w.two = w.organization(first, "One"), w.organization(first, "Two")
	w.foreign = w.organization(w.provider("South"), "Foreign")
	return w
}

func master(t *testing.T) secret.Wrapper {
	t.Helper()
	key, err := secret.ParseMasterKey(secret.NewMasterKey())
	require.NoError(t, err)
	return key
}

func (w *world) provider(name string) string {
	w.t.Helper()
	p, err := w.client.Provider.Create().SetName(name).Save(tenancy.System(w.t.Context(), "a test's fixture"))
	require.NoError(w.t, err)
	return p.ID
}

func (w *world) organization(provider, name string) *tenant {
	w.t.Helper()
	who := tenancy.ServicePrincipal("a test")
	o, err := w.client.Organization.Create().SetName(name).Save(tenancy.With(w.t.Context(), tenancy.ForProvider(who, provider)))
	require.NoError(w.t, err)
	made := &tenant{
		provider: provider, organization: o.ID, seats: 100, topic: "com.apple.mgmt.External." + name,
		ctx: tenancy.With(w.t.Context(), tenancy.ForOrganizations(who, provider, o.ID)),
	}
	made.authority, err = pki.Open(authorities()[len(w.tenants)].certificate, authorities()[len(w.tenants)].key, w.clock.Now)
	require.NoError(w.t, err)
	_, err = w.client.AppleMdm.Create().SetName(name).SetTopic(made.topic).SetPushStatus(applemdm.PushStatusActive).SetCertificateSerialNumber("01").Save(made.ctx)
	require.NoError(w.t, err)
	w.tenants[o.ID] = made
	return made
}

// work has the waiting jobs worked, and those that they leave.
func (w *world) work() {
	w.t.Helper()
	for _, t := range w.tenants { // one job stands for all that arrive in a second
		tenant := job.Tenant{Provider: t.provider, Organization: t.organization}
		require.NoError(w.t, w.members.Arrive(job.TenantContext(w.t.Context(), tenant, "a test"), t.organization))
	}
	for {
		taken := w.jobs.take()
		if len(taken) == 0 {
			return
		}
		for _, args := range taken {
			var err error
			switch a := args.(type) {
			case queue.Push:
				err = w.queue.Notify(job.TenantContext(w.t.Context(), a.Tenant, "a test"), a.Organization)
			case queue.Ask:
				err = w.queue.AskDue(job.TenantContext(w.t.Context(), a.Tenant, "a test"))
			case queue.Tend:
				err = w.queue.Tend(job.TenantContext(w.t.Context(), a.Tenant, "a test"), a.Organization)
			case membership.Arrival:
				err = w.members.Arrive(job.TenantContext(w.t.Context(), a.Tenant, "a test"), a.Organization)
			case membership.Renewal:
				err = w.members.Renew(job.TenantContext(w.t.Context(), a.Tenant, "a test"))
			default:
				err = fmt.Errorf("an unknown job: %T", args)
			}
			require.NoError(w.t, err)
		}
	}
}

// each runs a test in a world on every engine.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *database.DB) { test(t, newWorld(t, db)) })
}

type stored struct{ certificate, key []byte }

// authorities are made once: their keys take long.
var authorities = sync.OnceValue(func() []stored {
	var made []stored
	for i := range 4 {
		a, err := pki.New(pkix.Name{CommonName: fmt.Sprint("Authority ", i)}, time.Now)
		if err != nil {
			panic(err)
		}
		key, err := a.MarshalKey()
		if err != nil {
			panic(err)
		}
		made = append(made, stored{a.Certificate().Raw, key})
	}
	return made
})

// keys are shared by devices: a certificate tells them apart.
var keys = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := pki.NewKey()
	if err != nil {
		panic(err)
	}
	return key
})

// alertsOf lists the open alerts of an organization, by type.
func (w *world) alertsOf(t *tenant) string {
	w.t.Helper()
	var types []string
	for _, a := range w.client.Alert.Query().AllX(t.ctx) {
		if a.ResolvedAt == nil {
			types = append(types, a.Type)
		}
	}
	return strings.Join(types, " ")
}

func parse(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return c
}
