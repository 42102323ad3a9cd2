package ticket_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	entticket "github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/event"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/keystore"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/mortal"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/limit"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
	"github.com/bailiwick/bailiwick/tenancy"
)

// callTimeout is how long the tests wait for the stand-in: long enough for a
// busy machine, short enough to wait for.
const callTimeout = 700 * time.Millisecond

// clock is a time that tests move.
type clock struct {
	real bool // goes by itself
	mu   sync.Mutex
	now  time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real {
		return time.Now()
	}
	return c.now
}

func (c *clock) to(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.now) {
		c.now = t
	}
}

// jobs drops every delivery: the rows alone must suffice. Other jobs wait to be
// taken.
type jobs struct {
	mu       sync.Mutex
	enqueued []enqueued
	others   []job.Args
}

type enqueued struct {
	ticket.Lane
	job.EnqueueOptions
}

func (j *jobs) Enqueue(_ context.Context, args job.Args, o job.EnqueueOptions) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if lane, ok := args.(ticket.Lane); ok {
		j.enqueued = append(j.enqueued, enqueued{lane, o})
		return nil
	}
	j.others = append(j.others, args)
	return nil
}

// alarms lets ticketing raise alerts.
type alarms struct{ *alert.Service }

func (a alarms) Alarm(ctx context.Context, organization, alertType, dedupeKey, title, description string) error {
	_, _, err := a.Raise(ctx, alert.Report{Organization: organization, Type: alertType, DedupeKey: dedupeKey, Title: title, Description: description})
	return err
}

func ticketedType(keyOrUUID string) (string, bool) {
	t, ok := alert.Find(keyOrUUID)
	return t.Key, ok && t.Ticketed
}

// tenant is a provider with two organizations and an account at the vendor.
type tenant struct {
	provider      string
	all           context.Context
	in            [2]context.Context
	organizations [2]string
	companies     [2]string
	token         string
	subdomain     string
	integration   string
}

// world is two tenants on one database, with a vendor that both have accounts
// at.
type world struct {
	replica
	t       *testing.T
	db      *database.DB
	client  *ent.Client
	clock   *clock
	vault   *secret.Vault
	server  *standin.Server
	url     string
	jobs    *jobs
	tenants [2]*tenant
	config  ticket.Config

	policies limit.Policies
	skew     time.Duration // by which the clock of the next replica is wrong
}

func newVault(t *testing.T, db *database.DB, key secret.Text) *secret.Vault {
	t.Helper()
	master, err := secret.ParseMasterKey(key)
	require.NoError(t, err)
	vault, err := secret.New(keystore.NewKeysets(db), secret.Masters{Current: master}, secret.Config{})
	require.NoError(t, err)
	return vault
}

// masterKey is fixed, so that a child process can open what its parent sealed.
const masterKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

func newWorld(t *testing.T, db *database.DB) *world { return newWorldWith(t, db, 0) }

// newWorldWith is a world whose vendor takes so many calls a minute.
func newWorldWith(t *testing.T, db *database.DB, perMinute int) *world {
	t.Helper()
	w := &world{t: t, db: db, client: db.Client(), clock: &clock{now: time.Now()}, jobs: &jobs{}, config: ticket.DefaultConfig(), policies: limit.DefaultPolicies()}
	w.config.CallTimeout = 10 * time.Second
	w.vault = newVault(t, db, secret.NewText(masterKey))
	var accounts []standin.Account
	for n := range w.tenants {
		w.tenants[n] = &tenant{token: fmt.Sprint("token-", n), subdomain: fmt.Sprint("msp", n)}
		accounts = append(accounts, standin.Account{
			Subdomain: w.tenants[n].subdomain, Token: w.tenants[n].token,
			Customers: []standin.Customer{{BusinessName: "Left"}, {BusinessName: "Right"}, {BusinessName: "Gone", Disabled: true}},
			Users:     []standin.User{{Name: "Ada"}, {Name: "Bob"}},
		})
	}
	var err error
	w.server, err = standin.New(standin.Config{Accounts: accounts, PerMinute: perMinute, Logger: slog.New(slog.DiscardHandler), Clock: w.clock.Now})
	require.NoError(t, err)
	web := httptest.NewServer(w.server)
	t.Cleanup(web.Close)
	w.url = web.URL
	w.replica = w.on(db, w.jobs, w.driver())
	for n, one := range w.tenants {
		w.found(n, one)
	}
	return w
}

func (w *world) syncro() syncro.Config {
	return syncro.Config{
		AllowLoopback: true, Timeout: callTimeout, MaxPages: 20, Logger: slog.New(slog.DiscardHandler), Clock: w.clock.Now,
	}
}

// replica is one process's services.
type replica struct {
	alerts  *alert.Service
	tickets *ticket.Service
}

// on makes the services of another replica.
func (w *world) on(db *database.DB, jobs ticket.Enqueuer, driver psa.Driver) replica {
	w.t.Helper()
	return w.with(db, jobs, psa.Drivers{psa.Syncro: driver})
}

func (w *world) with(db *database.DB, jobs ticket.Enqueuer, drivers psa.Drivers) replica {
	w.t.Helper()
	skew := w.skew
	now := func() time.Time { return w.clock.Now().Add(skew) }
	outbox, err := ticket.NewOutbox(db, jobs, now)
	require.NoError(w.t, err)
	bus, err := event.NewBus(database.AfterCommit, nil)
	require.NoError(w.t, err)
	quiet := slog.New(slog.DiscardHandler)
	alerts, err := alert.New(alert.Config{DB: db, Bus: bus, Ticketer: outbox, Logger: quiet, Clock: now})
	require.NoError(w.t, err)
	tickets, err := ticket.New(ticket.Dependencies{
		DB: db, Vault: w.vault, Outbox: outbox, Alarms: alarms{alerts}, AlertTypes: ticketedType, Limiter: w.limiter(db),
		Drivers: drivers, Logger: quiet, Clock: now,
	}, w.config)
	require.NoError(w.t, err)
	return replica{alerts, tickets}
}

func (w *world) limiter(db *database.DB) *limit.Limiter {
	w.t.Helper()
	limiter, err := limit.New(limit.Config{
		DB: db, Policies: w.policies, Logger: slog.New(slog.DiscardHandler),
		Clock: func(context.Context) (time.Time, error) { return w.clock.Now(), nil },
	})
	require.NoError(w.t, err)
	return limiter
}

// lifted is a vendor that allows any number of calls.
func lifted() limit.Policies {
	return limit.Policies{psa.Syncro: {Calls: 1e9, Window: time.Minute, Pause: 50 * time.Millisecond, MaxPause: time.Minute}}
}

// service is a worker of its own, as another replica has.
func (w *world) service(driver psa.Driver) *ticket.Service {
	w.t.Helper()
	return w.on(w.db, w.jobs, driver).tickets
}

func (w *world) found(n int, one *tenant) {
	t, ctx := w.t, w.t.Context()
	p, err := w.client.Provider.Create().SetName(fmt.Sprint("Provider ", n)).Save(w.system(ctx))
	require.NoError(t, err)
	who := tenancy.ServicePrincipal("test")
	one.provider, one.all = p.ID, tenancy.With(ctx, tenancy.ForProvider(who, p.ID))
	for i := range one.organizations {
		o, err := w.client.Organization.Create().SetName(fmt.Sprintf("Organization %d of %d", i, n)).Save(one.all)
		require.NoError(t, err)
		one.organizations[i] = o.ID
		one.in[i] = tenancy.With(ctx, tenancy.ForOrganizations(who, p.ID, o.ID))
		one.companies[i] = strconv.FormatInt(w.server.Customers(one.token)[i].ID, 10)
	}
	made, err := w.tickets.Connect(one.all, w.connection(one))
	require.NoError(t, err)
	one.integration = made.ID
	w.storm(one, 0, 10) // most tests raise many alerts
	_, err = w.tickets.Map(one.all, made.ID, []ticket.Mapping{
		{Organization: one.organizations[0], Company: &one.companies[0]}, {Organization: one.organizations[1], Company: &one.companies[1]},
	})
	require.NoError(t, err)
	_, err = w.tickets.Configure(one.all, w.configuration(one))
	require.NoError(t, err)
}

// storm sets when a tenant's alerts share one ticket.
func (w *world) storm(one *tenant, threshold, within int) {
	w.t.Helper()
	_, _, err := w.tickets.SetRules(one.all, ticket.RuleChange{
		Integration: one.integration, Storm: &ticket.Storm{Threshold: threshold, Minutes: within},
	})
	require.NoError(w.t, err)
}

func (w *world) connection(one *tenant) ticket.Connection {
	return ticket.Connection{Kind: psa.Syncro, AutomaticTicketing: true, Credentials: ticket.Credentials{
		"subdomain": secret.NewText(one.subdomain), "apiToken": secret.NewText(one.token), "baseUrl": secret.NewText(w.url),
	}}
}

func (w *world) configuration(one *tenant) ticket.Configuration {
	days := 3
	return ticket.Configuration{
		Integration: one.integration, AlertType: alert.Custom, ShouldCreateTickets: true, DueDays: &days,
		Settings: syncro.Settings{
			ProblemType: "Other", Priority: "2 Normal", Status: "New",
			UserID: w.server.Users(one.token)[1].ID, Username: "Bob",
		},
	}
}

func (w *world) system(ctx context.Context) context.Context {
	return tenancy.System(ctx, "a test looks at everything")
}

func (w *world) raise(ctx context.Context, key string) *ent.Alert {
	w.t.Helper()
	a, _, err := w.alerts.Submit(ctx, alert.Report{Type: alert.Custom, Title: "About " + key, DedupeKey: key})
	require.NoError(w.t, err)
	return a
}

func (w *world) worsen(ctx context.Context, key string) {
	w.t.Helper()
	_, _, err := w.alerts.Submit(ctx, alert.Report{Type: alert.Custom, Title: "About " + key, DedupeKey: key, Severity: "HIGH"})
	require.NoError(w.t, err)
}

func (w *world) resolve(ctx context.Context, a *ent.Alert) {
	w.t.Helper()
	_, err := w.alerts.Resolve(ctx, a.ID, nil)
	require.NoError(w.t, err)
}

// waiting are the tickets with something to deliver.
func (w *world) waiting() []*ent.Ticket {
	w.t.Helper()
	all, err := w.client.Ticket.Query().Where(entticket.NextAttemptAtNotNil()).All(w.system(w.t.Context()))
	require.NoError(w.t, err)
	return all
}

// ripe is when a worker can take a ticket.
func ripe(t *ent.Ticket) time.Time {
	if t.LeaseUntil != nil && t.LeaseUntil.After(*t.NextAttemptAt) {
		return *t.LeaseUntil
	}
	return *t.NextAttemptAt
}

// due has every worker deliver every ticket that is ripe, at once, and reports
// whether there was any.
func (w *world) due(workers ...*ticket.Service) bool {
	w.t.Helper()
	var group sync.WaitGroup
	any := false
	for _, t := range w.waiting() {
		if ripe(t).After(w.clock.Now()) {
			continue
		}
		any = true
		for _, worker := range workers {
			group.Go(func() { w.deliver(worker, t) })
		}
	}
	group.Wait()
	return any
}

func (w *world) deliver(worker *ticket.Service, t *ent.Ticket) {
	ctx := job.TenantContext(w.t.Context(), job.Tenant{Provider: t.ProviderID, Organization: t.OrganizationID}, "ticketing")
	mortal.Survive(func() {
		if err := worker.Deliver(ctx, t.ID); err != nil {
			w.t.Errorf("deliver %s: %v", t.ID, err)
		}
	})
}

// drive delivers until nothing waits, moving the clock to whatever is next.
func (w *world) drive(workers ...*ticket.Service) {
	w.t.Helper()
	if len(workers) == 0 {
		workers = []*ticket.Service{w.tickets}
	}
	for range 400 {
		if w.due(workers...) {
			continue
		}
		waiting := w.waiting()
		if len(waiting) == 0 {
			return
		}
		next := ripe(waiting[0])
		for _, t := range waiting {
			if at := ripe(t); at.Before(next) {
				next = at
			}
		}
		w.clock.to(next)
		mortal.Survive(func() { require.NoError(w.t, workers[0].VerifyPaused(w.t.Context())) })
	}
	w.t.Fatal("the tickets never come to rest")
}

// tickets at the vendor that carry an incident's marker, with what was written.
func (w *world) remote(one *tenant, marker string) []standin.Ticket {
	var found []standin.Ticket
	for _, t := range w.server.Tickets(one.token) {
		for _, tag := range t.Tags {
			if tag == strings.Replace(marker, ":", "-", 1) {
				found = append(found, t)
			}
		}
	}
	return found
}

// ticketOf is our ticket for an alert.
func (w *world) ticketOf(a *ent.Alert) *ent.Ticket {
	w.t.Helper()
	t, err := w.client.Ticket.Query().Where(entticket.AlertID(a.ID)).Only(w.system(w.t.Context()))
	require.NoError(w.t, err)
	return t
}

// requireOnce checks that an alert has one ticket at the vendor, whose comments
// have these subjects, and returns it.
func (w *world) requireOnce(one *tenant, a *ent.Alert, subjects ...string) standin.Ticket {
	w.t.Helper()
	ours := w.ticketOf(a)
	found := w.remote(one, ours.Marker)
	require.Len(w.t, found, 1, "tickets of %s at the vendor; ours: %s %q", a.DedupeKey, ours.Status, ours.LastError)
	require.Equal(w.t, strconv.FormatInt(found[0].ID, 10), ours.ExternalID)
	var have []string
	for _, c := range found[0].Comments {
		have = append(have, c.Subject)
		require.False(w.t, c.Emailed, "the customer was mailed")
	}
	require.Equal(w.t, subjects, have)
	return found[0]
}

func (w *world) driver() psa.Driver { return syncro.Driver(w.syncro()) }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
