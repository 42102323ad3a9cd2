package billing_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/ent/ticketingusagerecord"
	"github.com/bailiwick/bailiwick/ent/user"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/ticket/billing"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask"
	autotaskin "github.com/bailiwick/bailiwick/internal/ticket/psa/autotask/standin"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro"
	syncroin "github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
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

func (c *clock) to(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

func (c *clock) pass(d time.Duration) { c.to(c.Now().Add(d)) }

// account is a provider's account at its vendor, as the tests see it.
type account struct {
	kind      ticketingintegration.Kind
	vendor    psa.Vendor
	company   [2]string
	agreement [2]string
	line      [2]string
	inactive  string // an agreement of company 0
	quantity  func(line string) float64
	writes    func() int
	inject    func(desk.Action, time.Duration, int) // on setting a quantity
	revoke    func(bool)
	refusal   func() // makes the vendor refuse quantities, as it does when an agreement is gone
}

// tenant is a provider with two organizations that are mapped, and one that is not.
type tenant struct {
	*account

	provider      string
	all           context.Context
	organizations [3]string
	integration   string
}

// world is two tenants, with an account at two vendors, on one database.
type world struct {
	t       *testing.T
	db      *database.DB
	client  *ent.Client
	clock   *clock
	service *billing.Service
	tenants [2]*tenant
	around  func(psa.Vendor) psa.Vendor // what workers see of a vendor
	listed  []failure                   // for people
}

// Accounts of the world.

// Vendor implements billing.Accounts.
func (w *world) Vendor(ctx context.Context, id string) (*ent.TicketingIntegration, psa.Vendor, error) {
	i, err := w.client.TicketingIntegration.Fetch(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	vendor := w.of(id).vendor
	if w.around != nil {
		vendor = w.around(vendor)
	}
	return i, vendor, nil
}

// Verify implements billing.Accounts.
func (w *world) Verify(ctx context.Context, id string) (*ent.TicketingIntegration, bool, error) {
	_, verdict := w.of(id).vendor.Verify(ctx)
	status := ticketingintegration.StatusActive
	if psa.ClassOf(verdict) == psa.Auth {
		status = ticketingintegration.StatusPaused
	}
	i, err := w.client.TicketingIntegration.UpdateOneID(id).SetStatus(status).Save(ctx)
	return i, verdict == nil, err
}

// failure is what was listed for people.
type failure struct{ integration, organization, operation string }

// Failed implements billing.Accounts.
func (w *world) Failed(_ context.Context, i *ent.TicketingIntegration, organization, operation string, _ error) {
	w.listed = append(w.listed, failure{i.ID, organization, operation})
}

func (w *world) of(integration string) *tenant {
	for _, one := range w.tenants {
		if one.integration == integration {
			return one
		}
	}
	return nil
}

// Enqueue implements billing.Jobs: it works at once, as one worker does.
func (w *world) Enqueue(ctx context.Context, args job.Args, _ job.EnqueueOptions) error {
	writing, ok := args.(billing.Writing)
	if !ok {
		return fmt.Errorf("no worker for %T", args)
	}
	scope := tenancy.ForProvider(tenancy.ServicePrincipal("billing"), writing.Provider)
	w.mortally(func() { require.NoError(w.t, w.service.Write(tenancy.With(ctx, scope), writing.Integration)) })
	return nil
}

// Track implements billing.Jobs.
func (w *world) Track(context.Context, string, int) (*ent.Job, error) {
	return nil, fmt.Errorf("nobody follows jobs here")
}

// death is what a worker panics with where a test wants it dead.
type death struct{}

// mortally survives a worker that dies.
func (w *world) mortally(work func()) {
	defer func() {
		v := recover()
		if _, dead := v.(death); v != nil && !dead {
			panic(v)
		}
	}()
	work()
}

// begin is when the worlds begin: on the 10th of a month of 30 days.
var begin = time.Date(2026, 11, 10, 6, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	w := &world{t: t, db: db, client: db.Client(), clock: &clock{now: begin}}
	for n, account := range []*account{w.syncro(), w.autotask()} {
		w.tenants[n] = &tenant{account: account}
		w.found(n, w.tenants[n])
	}
	w.service = w.with(w.config())
	return w
}

func (w *world) config() billing.Config { return billing.DefaultConfig() }

// with is another replica's service, at another pace.
func (w *world) with(c billing.Config) *billing.Service {
	w.t.Helper()
	s, err := billing.New(billing.Dependencies{
		DB: w.db, Accounts: w, Jobs: w, Logger: slog.New(slog.DiscardHandler), Clock: w.clock.Now,
	}, c)
	require.NoError(w.t, err)
	return s
}

func (w *world) serve(h http.Handler) string {
	web := httptest.NewServer(h)
	w.t.Cleanup(web.Close)
	return web.URL
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func (w *world) syncro() *account {
	w.t.Helper()
	const token = "token-of-north"
	quiet := slog.New(slog.DiscardHandler)
	lines := func() []syncroin.ScheduleLine { return []syncroin.ScheduleLine{{Name: "Backup"}, {Name: "Users"}} }
	server, err := syncroin.New(syncroin.Config{Logger: quiet, Clock: w.clock.Now, Accounts: []syncroin.Account{{
		Subdomain: "north", Token: token, Customers: []syncroin.Customer{
			{BusinessName: "Left", Schedules: []syncroin.Schedule{{Name: "Left's", Lines: lines()}, {Name: "Left's old", Paused: true, Lines: lines()}}},
			{BusinessName: "Right", Schedules: []syncroin.Schedule{{Name: "Right's", Lines: lines()}}},
		},
	}}})
	require.NoError(w.t, err)
	client, err := syncro.New(syncro.Config{
		BaseURL: w.serve(server), AllowLoopback: true, Timeout: 10 * time.Second, MaxPages: 10, Logger: quiet, Clock: w.clock.Now,
	}, syncro.Credentials{Subdomain: "north", APIToken: token})
	require.NoError(w.t, err)
	all := server.Schedules(token)
	a := &account{kind: ticketingintegration.KindSyncro, vendor: client, inactive: itoa(all[1].ID)}
	for n, s := range []syncroin.Schedule{all[0], all[2]} {
		a.company[n], a.agreement[n], a.line[n] = itoa(s.CustomerID), itoa(s.ID), itoa(s.Lines[1].ID)
	}
	a.quantity = func(line string) float64 {
		for _, s := range server.Schedules(token) {
			for _, l := range s.Lines {
				if itoa(l.ID) == line {
					return l.Quantity
				}
			}
		}
		return -1
	}
	const path = "/schedules/*/line_items/*"
	a.writes = func() int { return len(server.Requests(http.MethodPut, path)) }
	a.inject = func(action desk.Action, after time.Duration, count int) {
		server.Inject(syncroin.Fault{Method: http.MethodPut, Path: path, Action: action, RetryAfter: after, Count: count})
	}
	a.revoke = func(revoked bool) { server.Revoke(token, revoked) }
	a.refusal = func() { server.Forget(token, all[0].ID) }
	return a
}

func (w *world) autotask() *account {
	w.t.Helper()
	const username, code = "api@south.example", "CODE"
	quiet := slog.New(slog.DiscardHandler)
	services := func() []autotaskin.Service { return []autotaskin.Service{{Name: "Backup"}, {Name: "Users"}} }
	server, err := autotaskin.New(autotaskin.Config{Logger: quiet, Clock: w.clock.Now, Accounts: []autotaskin.Account{{
		Database: "South", Zone: "5", IntegrationCode: code, Username: username, Secret: "secret-of-south",
		Companies: []autotaskin.Company{
			{Name: "Left", Contracts: []autotaskin.Contract{{Name: "Left's", Services: services()}, {Name: "Left's old", Inactive: true, Services: services()}}},
			{Name: "Right", Contracts: []autotaskin.Contract{{Name: "Right's", Services: services()}}},
		},
	}}})
	require.NoError(w.t, err)
	client, err := autotask.New(autotask.Config{
		IntegrationCode: code, DiscoveryURL: w.serve(server) + "/atservicesrest", AllowLoopback: true, Timeout: 10 * time.Second,
		PageSize: 100, MaxPages: 10, Logger: quiet, Clock: w.clock.Now,
	}, autotask.Credentials{Username: username, Secret: "secret-of-south"})
	require.NoError(w.t, err)
	all := server.Contracts(username)
	a := &account{kind: ticketingintegration.KindAutotask, vendor: client, inactive: itoa(all[1].ID)}
	for n, c := range []autotaskin.Contract{all[0], all[2]} {
		a.company[n], a.agreement[n], a.line[n] = itoa(c.CompanyID), itoa(c.ID), itoa(c.Services[1].ID)
	}
	a.quantity = func(line string) float64 {
		day := w.clock.Now().Truncate(24 * time.Hour)
		for _, c := range server.Contracts(username) {
			for _, v := range c.Services {
				if itoa(v.ID) == line {
					return float64(v.UnitsOn(day))
				}
			}
		}
		return -1
	}
	const path = "/ContractServiceAdjustments"
	a.writes = func() int { return len(server.Requests(http.MethodPost, path)) }
	a.inject = func(action desk.Action, after time.Duration, count int) {
		server.Inject(autotaskin.Fault{Method: http.MethodPost, Path: path, Action: action, RetryAfter: after, Count: count})
	}
	a.revoke = func(revoked bool) { server.Revoke(username, revoked) }
	a.refusal = func() { server.Close(username, all[0].ID) }
	return a
}

func (w *world) found(n int, one *tenant) {
	t, ctx := w.t, w.t.Context()
	p, err := w.client.Provider.Create().SetName(fmt.Sprint("Provider ", n)).Save(w.system())
	require.NoError(t, err)
	one.provider = p.ID
	one.all = tenancy.With(ctx, tenancy.ForProvider(tenancy.ServicePrincipal("test"), p.ID))
	i, err := w.client.TicketingIntegration.Create().SetKind(one.kind).SetName("Desk").SetAccount("account").
		SetCredentials([]byte("sealed")).Save(one.all)
	require.NoError(t, err)
	one.integration = i.ID
	for k := range one.organizations {
		o, err := w.client.Organization.Create().SetName(fmt.Sprintf("Organization %d of %d", k, n)).Save(one.all)
		require.NoError(t, err)
		one.organizations[k] = o.ID
		if k < len(one.company) {
			w.mapped(one, k, one.company[k])
		}
	}
}

// mapped maps an organization to a company.
func (w *world) mapped(one *tenant, k int, company string) {
	w.t.Helper()
	_, err := w.client.TicketingCompanyMapping.Create().SetOrganizationID(one.organizations[k]).SetIntegrationID(one.integration).
		SetExternalCompanyID(company).SetExternalCompanyName("Company").Save(one.all)
	require.NoError(w.t, err)
}

// bill maps both organizations to the lines of their companies.
func (w *world) bill(one *tenant, nonBillable int) {
	w.t.Helper()
	_, err := w.service.Map(one.all, one.integration, []billing.Mapping{w.entry(one, 0, nonBillable), w.entry(one, 1, nonBillable)})
	require.NoError(w.t, err)
}

func (w *world) entry(one *tenant, k, nonBillable int) billing.Mapping {
	return billing.Mapping{
		Organization: one.organizations[k], Agreement: &one.agreement[k], Line: &one.line[k], NonBillableUsers: nonBillable, Enabled: true,
	}
}

func (w *world) system() context.Context {
	return tenancy.System(w.t.Context(), "a test looks at everything")
}

// users lets an organization have so many users that count, in every status,
// and one that does not.
func (w *world) users(one *tenant, k, counted int) {
	w.t.Helper()
	o := one.organizations[k]
	_, err := w.client.User.Delete().Where(user.OrganizationID(o)).Exec(one.all)
	require.NoError(w.t, err)
	add := func(name string, status user.Status) {
		err := w.client.User.Create().SetOrganizationID(o).SetLogin(name).SetEmail(name + "@x.example").SetStatus(status).Exec(one.all)
		require.NoError(w.t, err)
	}
	statuses := []user.Status{
		user.StatusActive, user.StatusStaged, user.StatusProvisioned, user.StatusRecovery, user.StatusPasswordExpired,
		user.StatusLockedOut, user.StatusSuspended,
	}
	for n := range counted {
		add(fmt.Sprint("user", n), statuses[n%len(statuses)])
	}
	add("gone", user.StatusDeprovisioned)
}

// sample counts, and sweep writes what is due.
func (w *world) sample() { w.t.Helper(); require.NoError(w.t, w.service.Sample(w.t.Context())) }
func (w *world) sweep()  { w.t.Helper(); require.NoError(w.t, w.service.Sweep(w.t.Context())) }

// at moves the clock to a time of the first day's month, or of one after it.
func (w *world) at(month time.Month, day, hour int) {
	w.clock.to(time.Date(2026, month, day, hour, 0, 0, 0, time.UTC))
}

// record is an organization's record of a day.
func (w *world) record(one *tenant, k int, day string) *ent.TicketingUsageRecord {
	w.t.Helper()
	r, err := w.client.TicketingUsageRecord.Query().Where(ticketingusagerecord.OrganizationID(one.organizations[k]),
		ticketingusagerecord.IntegrationID(one.integration), ticketingusagerecord.Day(day)).Only(one.all)
	require.NoError(w.t, err, day)
	return r
}

// drive writes until nothing is due any more, moving the clock to what is next.
func (w *world) drive() {
	w.t.Helper()
	for range 200 {
		w.sweep()
		for _, one := range w.tenants {
			w.mortally(func() { _, _, err := w.Verify(one.all, one.integration); require.NoError(w.t, err) })
		}
		due, err := w.client.TicketingUsageRecord.Query().
			Where(ticketingusagerecord.NextAttemptAtLTE(w.clock.Now().Add(12 * time.Hour))).Exist(w.system())
		require.NoError(w.t, err)
		if !due {
			return
		}
		w.clock.pass(time.Minute)
	}
	w.t.Fatal("the records never come to rest")
}
