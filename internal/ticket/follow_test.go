package ticket_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask"
	autotaskdesk "github.com/bailiwick/bailiwick/internal/ticket/psa/autotask/standin"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise"
	connectwisedesk "github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise/standin"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

// side is one vendor's service desk, with an account for each tenant, as its
// technicians see it.
type side interface {
	driver(w *world) psa.Driver
	connection(w *world, n int) ticket.Connection
	company(w *world, n, i int) string
	settings(w *world, n int) any
	work(n int, id string)   // begins to work on a ticket
	finish(n int, id string) // closes it
	reopen(n int, id string)
	remove(n int, id string)
	revoke(n int, revoked bool)
	closed(n int, id string) bool
	notes(n int, id string) int
	calls() []desk.Hook // to those who subscribed, once all are answered
	deactivate(n int)
	webhooks(n int) int
	requests(method, path string) int
	failCreate() // commits the next ticket, loses the answer, and does not find it at first
}

// followed is a world whose tenants use one vendor that is followed.
type followed struct {
	*world
	side
	kind         psa.Kind
	drivers      psa.Drivers
	web          *httptest.Server // where vendors call
	integrations [2]string
}

// kinds are the vendors, and whether they call.
var kinds = map[psa.Kind]bool{psa.Autotask: true, psa.ConnectWise: true, psa.Syncro: false}

// eachVendor runs a test for every vendor, and for one on PostgreSQL: what the
// vendors differ in is nothing that the databases do.
func eachVendor(t *testing.T, test func(t *testing.T, f *followed)) {
	each(t, test, func(psa.Kind) bool { return true })
}

// eachHooker runs it for those that call.
func eachHooker(t *testing.T, test func(t *testing.T, f *followed)) {
	each(t, test, func(kind psa.Kind) bool { return kinds[kind] })
}

func each(t *testing.T, test func(t *testing.T, f *followed), wanted func(psa.Kind) bool) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		for kind := range kinds {
			if wanted(kind) && (engine != dialect.Postgres || kind == psa.ConnectWise) {
				t.Run(string(kind), func(t *testing.T) { test(t, follow(t, testdb.New(t, engine), kind)) })
			}
		}
	})
}

func follow(t *testing.T, db *database.DB, kind psa.Kind) *followed {
	t.Helper()
	f := &followed{kind: kind}
	f.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, err := f.tickets.Webhooks()
		if err != nil {
			t.Error(err)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(f.web.Close)
	f.world = newWorld(t, db)
	f.config.TwoWay.PublicURL = f.web.URL
	f.drivers = psa.Drivers{psa.Syncro: f.world.driver()}
	switch kind {
	case psa.Autotask:
		f.side = newAutotaskSide(t, f.world)
	case psa.ConnectWise:
		f.side = newConnectWiseSide(t, f.world)
	default:
		f.side = syncroSide{f.world}
	}
	f.drivers[kind] = f.side.driver(f.world)
	f.replica = f.with(db, f.jobs, f.drivers)
	for n, one := range f.tenants {
		f.integrations[n] = one.integration
		if kind == psa.Syncro {
			continue
		}
		off := false
		_, err := f.tickets.Update(one.all, ticket.Change{ID: one.integration, AutomaticTicketing: &off})
		require.NoError(t, err)
		made, err := f.tickets.Connect(one.all, f.side.connection(f.world, n))
		require.NoError(t, err)
		f.integrations[n] = made.ID
		var companies []ticket.Mapping
		for i, organization := range one.organizations {
			company := f.company(f.world, n, i)
			companies = append(companies, ticket.Mapping{Organization: organization, Company: &company})
		}
		_, err = f.tickets.Map(one.all, made.ID, companies)
		require.NoError(t, err)
		raw, err := json.Marshal(f.settings(f.world, n))
		require.NoError(t, err)
		require.NoError(t, f.client.TicketingAlertConfiguration.Create().
			SetIntegrationID(made.ID).SetAlertType(alert.Custom).SetShouldCreateTickets(true).SetSettings(raw).Exec(one.all))
	}
	return f
}

// opened raises an alert in a tenant and has its ticket made.
func (f *followed) opened(n int, key string) (*ent.Alert, *ent.Ticket) {
	f.t.Helper()
	a := f.raise(f.tenants[n].in[0], key)
	f.drive()
	made := f.ticketOf(a)
	require.NotEmpty(f.t, made.ExternalID, made.LastError)
	return a, made
}

// take takes the jobs that wait.
func (f *followed) take() []job.Args {
	f.jobs.mu.Lock()
	defer f.jobs.mu.Unlock()
	all := f.jobs.others
	f.jobs.others = nil
	return all
}

// run works one job.
func (f *followed) run(args job.Args) error {
	ctx := f.t.Context()
	switch a := args.(type) {
	case ticket.Reading:
		return f.tickets.Read(ctx, a)
	case ticket.Polling:
		return f.tickets.Poll(ctx, a)
	case ticket.Farewell:
		return f.tickets.EndWebhook(ctx, a)
	case ticket.Settlement:
		return f.tickets.Settle(job.TenantContext(ctx, a.Tenant, "ticketing"), a.Ticket)
	}
	return fmt.Errorf("no worker for %T", args)
}

// settle works every job that waits, and those that come of them.
func (f *followed) settle() {
	f.t.Helper()
	for {
		waiting := f.take()
		if len(waiting) == 0 {
			return
		}
		for _, args := range waiting {
			require.NoError(f.t, f.run(args), "%T", args)
		}
	}
}

// poll has every integration polled whose time has come.
func (f *followed) poll() {
	f.t.Helper()
	f.clock.to(f.clock.Now().Add(f.config.TwoWay.PollHooked))
	require.NoError(f.t, f.tickets.PollDue(f.t.Context()))
	f.settle()
}

func (f *followed) enable(n int) *ent.TicketingIntegration {
	f.t.Helper()
	i, err := f.tickets.EnableWebhook(f.tenants[n].all, f.integrations[n])
	require.NoError(f.t, err)
	require.NotEmpty(f.t, i.WebhookExternalID)
	return i
}

func (f *followed) alert(a *ent.Alert) *ent.Alert {
	f.t.Helper()
	return f.client.Alert.GetX(f.system(f.t.Context()), a.ID)
}

func (f *followed) integration(n int) *ent.TicketingIntegration {
	f.t.Helper()
	return f.client.TicketingIntegration.GetX(f.system(f.t.Context()), f.integrations[n])
}

// post posts a call, as a vendor or somebody else does.
func (f *followed) post(path string, header http.Header, body []byte) int {
	f.t.Helper()
	return post(f.t, f.web.URL+path, header, body)
}

// caller is how a vendor, or somebody else, calls.
var caller = &http.Client{Timeout: 30 * time.Second}

func post(t *testing.T, url string, header http.Header, body []byte) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	require.NoError(t, err)
	if header != nil {
		r.Header = header.Clone()
	}
	response, err := caller.Do(r)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

func number(id string) int64 {
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}

const (
	integrationCode = "BAILIWICKINTEGRATIONCODE"
	clientID        = "5f3d9c1e-2b7a-4c8e-9d10-6a4b3c2d1e0f"
)

// autotaskSide is Autotask.
type autotaskSide struct {
	server *autotaskdesk.Server
	url    string
	memory *autotask.Memory
}

func autotaskUser(n int) string { return fmt.Sprintf("api%d@msp.example", n) }

func newAutotaskSide(t *testing.T, w *world) *autotaskSide {
	t.Helper()
	var accounts []autotaskdesk.Account
	for n := range w.tenants {
		accounts = append(accounts, autotaskdesk.Account{
			Database: fmt.Sprint("MSP ", n), Zone: strconv.Itoa(n + 1), IntegrationCode: integrationCode, Username: autotaskUser(n), Secret: fmt.Sprint("secret-", n),
			Companies: []autotaskdesk.Company{{Name: "Left"}, {Name: "Right"}},
			Roles:     []autotaskdesk.Role{{ID: 7, Name: "Technician"}}, Resources: []autotaskdesk.Resource{{First: "Ada", Roles: []int64{7}}},
		})
	}
	server, err := autotaskdesk.New(autotaskdesk.Config{Accounts: accounts, Logger: slog.New(slog.DiscardHandler), Clock: w.clock.Now})
	require.NoError(t, err)
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	memory, err := autotask.NewMemory(10)
	require.NoError(t, err)
	return &autotaskSide{server: server, url: web.URL, memory: memory}
}

func (s *autotaskSide) driver(w *world) psa.Driver {
	return autotask.Driver(autotask.Config{
		IntegrationCode: integrationCode, DiscoveryURL: s.url + "/atservicesrest", AllowLoopback: true, Timeout: callTimeout,
		PageSize: 10, MaxPages: 20, Memory: s.memory, Logger: slog.New(slog.DiscardHandler), Clock: w.clock.Now,
	})
}

func (s *autotaskSide) connection(_ *world, n int) ticket.Connection {
	return ticket.Connection{Kind: psa.Autotask, AutomaticTicketing: true, Credentials: ticket.Credentials{
		"username": secret.NewText(autotaskUser(n)), "secret": secret.NewText(fmt.Sprint("secret-", n)),
	}}
}

func (s *autotaskSide) company(_ *world, n, i int) string {
	return itoa(s.server.Companies(autotaskUser(n))[i+1].ID)
}

func (s *autotaskSide) settings(*world, int) any {
	return autotask.Settings{
		Destination: autotask.ToQueue, ShouldCreateTickets: true, Queue: autotask.Choice{ID: 8},
		Priority: autotask.Choice{ID: 2}, Status: autotask.Choice{ID: 1},
	}
}

func (s *autotaskSide) edit(n int, id string, status int) {
	s.server.Edit(autotaskUser(n), number(id), func(t *autotaskdesk.Ticket) { t.Status = status })
}
func (s *autotaskSide) work(n int, id string)   { s.edit(n, id, 8) }
func (s *autotaskSide) finish(n int, id string) { s.edit(n, id, 5) }
func (s *autotaskSide) reopen(n int, id string) { s.edit(n, id, 8) }
func (s *autotaskSide) remove(n int, id string) { s.server.Delete(autotaskUser(n), number(id)) }
func (s *autotaskSide) revoke(n int, r bool)    { s.server.Revoke(autotaskUser(n), r) }
func (s *autotaskSide) deactivate(n int)        { s.server.Deactivate(autotaskUser(n)) }
func (s *autotaskSide) webhooks(n int) int      { return s.server.Webhooks(autotaskUser(n)) }
func (s *autotaskSide) calls() []desk.Hook      { return s.server.Hooks() }
func (s *autotaskSide) requests(method, path string) int {
	return len(s.server.Requests(method, path))
}
func (s *autotaskSide) failCreate() {
	s.server.Inject(autotaskdesk.Fault{Method: http.MethodGet, Path: "/Tickets/query", Action: autotaskdesk.StaleQuery, Count: 1})
	s.server.Inject(autotaskdesk.Fault{Method: http.MethodPost, Path: "/Tickets", Action: autotaskdesk.CommitDrop, Count: 1})
}

func (s *autotaskSide) ticket(n int, id string) autotaskdesk.Ticket {
	for _, t := range s.server.Tickets(autotaskUser(n)) {
		if itoa(t.ID) == id {
			return t
		}
	}
	return autotaskdesk.Ticket{}
}
func (s *autotaskSide) closed(n int, id string) bool { return s.ticket(n, id).Status == 5 }
func (s *autotaskSide) notes(n int, id string) int   { return len(s.ticket(n, id).Notes) }

// connectWiseSide is ConnectWise.
type connectWiseSide struct {
	server *connectwisedesk.Server
	url    string
	sites  *connectwise.Sites
}

func publicKey(n int) string { return fmt.Sprint("public", n) }

func newConnectWiseSide(t *testing.T, w *world) *connectWiseSide {
	t.Helper()
	var accounts []connectwisedesk.Account
	for n := range w.tenants {
		accounts = append(accounts, connectwisedesk.Account{
			CompanyID: fmt.Sprint("msp", n), PublicKey: publicKey(n), PrivateKey: fmt.Sprint("private", n),
			Companies: []connectwisedesk.Company{{Name: "Left"}, {Name: "Right"}},
		})
	}
	server, err := connectwisedesk.New(connectwisedesk.Config{
		Accounts: accounts, ClientIDs: []string{clientID}, Logger: slog.New(slog.DiscardHandler), Clock: w.clock.Now,
	})
	require.NoError(t, err)
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	return &connectWiseSide{server: server, url: web.URL, sites: connectwise.NewSites()}
}

func (s *connectWiseSide) driver(w *world) psa.Driver {
	return connectwise.Driver(connectwise.Config{
		ClientID: clientID, Version: connectwise.DefaultVersion, AllowLoopback: true, Timeout: callTimeout, MaxPages: 20, Sites: s.sites,
		Logger: slog.New(slog.DiscardHandler), Clock: w.clock.Now,
	})
}

func (s *connectWiseSide) connection(_ *world, n int) ticket.Connection {
	return ticket.Connection{Kind: psa.ConnectWise, AutomaticTicketing: true, Credentials: ticket.Credentials{
		"url": secret.NewText(s.url), "companyId": secret.NewText(fmt.Sprint("msp", n)),
		"publicKey": secret.NewText(fmt.Sprint("public", n)), "privateKey": secret.NewText(fmt.Sprint("private", n)),
	}}
}

func (s *connectWiseSide) company(_ *world, n, i int) string {
	return itoa(s.server.Account(publicKey(n)).Companies[i].ID)
}

func (s *connectWiseSide) settings(_ *world, n int) any {
	a := s.server.Account(publicKey(n))
	return connectwise.Settings{ShouldCreateTickets: true, Board: connectwise.Choice{ID: a.Boards[0].ID}, Status: connectwise.Choice{ID: a.Boards[0].Statuses[0].ID}}
}

func (s *connectWiseSide) edit(n int, id, status string) {
	for _, have := range s.server.Account(publicKey(n)).Boards[0].Statuses {
		if have.Name == status {
			s.server.Edit(publicKey(n), number(id), func(t *connectwisedesk.Ticket) { t.StatusID = have.ID })
		}
	}
}
func (s *connectWiseSide) work(n int, id string)   { s.edit(n, id, "In Progress") }
func (s *connectWiseSide) finish(n int, id string) { s.edit(n, id, "Closed") }
func (s *connectWiseSide) reopen(n int, id string) { s.edit(n, id, "In Progress") }
func (s *connectWiseSide) remove(n int, id string) { s.server.Delete(publicKey(n), number(id)) }
func (s *connectWiseSide) revoke(n int, r bool)    { s.server.Revoke(publicKey(n), r) }
func (s *connectWiseSide) deactivate(n int)        { s.server.Deactivate(publicKey(n)) }
func (s *connectWiseSide) webhooks(n int) int      { return s.server.Webhooks(publicKey(n)) }
func (s *connectWiseSide) calls() []desk.Hook      { return s.server.Hooks() }
func (s *connectWiseSide) requests(method, path string) int {
	return len(s.server.Requests(method, path))
}
func (s *connectWiseSide) failCreate() {
	s.server.Inject(connectwisedesk.Fault{Method: http.MethodGet, Path: "/service/tickets", Action: connectwisedesk.StaleList, Count: 1})
	s.server.Inject(connectwisedesk.Fault{Method: http.MethodPost, Path: "/service/tickets", Action: connectwisedesk.CommitDrop, Count: 1})
}

func (s *connectWiseSide) ticket(n int, id string) connectwisedesk.Ticket {
	for _, t := range s.server.Tickets(publicKey(n)) {
		if itoa(t.ID) == id {
			return t
		}
	}
	return connectwisedesk.Ticket{}
}
func (s *connectWiseSide) closed(n int, id string) bool { return s.ticket(n, id).Closed }
func (s *connectWiseSide) notes(n int, id string) int   { return len(s.ticket(n, id).Notes) }

// syncroSide is Syncro, the world's own vendor.
type syncroSide struct{ w *world }

func (s syncroSide) driver(w *world) psa.Driver { return w.driver() }
func (s syncroSide) connection(w *world, n int) ticket.Connection {
	return w.connection(w.tenants[n])
}
func (s syncroSide) company(w *world, n, i int) string { return w.tenants[n].companies[i] }
func (s syncroSide) settings(w *world, n int) any      { return w.configuration(w.tenants[n]).Settings }

func (s syncroSide) edit(n int, id, status string) {
	s.w.server.Edit(s.w.tenants[n].token, number(id), func(t *standin.Ticket) { t.Status = status })
}
func (s syncroSide) work(n int, id string)   { s.edit(n, id, "In Progress") }
func (s syncroSide) finish(n int, id string) { s.edit(n, id, "Resolved") }
func (s syncroSide) reopen(n int, id string) { s.edit(n, id, "Customer Reply") }
func (s syncroSide) remove(n int, id string) { s.w.server.Delete(s.w.tenants[n].token, number(id)) }
func (s syncroSide) revoke(n int, r bool)    { s.w.server.Revoke(s.w.tenants[n].token, r) }
func (s syncroSide) deactivate(int)          {}
func (s syncroSide) webhooks(int) int        { return 0 }
func (s syncroSide) calls() []desk.Hook      { return nil }
func (s syncroSide) requests(method, path string) int {
	return len(s.w.server.Requests(method, path))
}
func (s syncroSide) failCreate() {
	s.w.server.Inject(standin.Fault{Method: http.MethodPost, Path: "/tickets", Action: standin.CommitDrop, Count: 1})
}

func (s syncroSide) ticket(n int, id string) standin.Ticket {
	for _, t := range s.w.server.Tickets(s.w.tenants[n].token) {
		if itoa(t.ID) == id {
			return t
		}
	}
	return standin.Ticket{}
}
func (s syncroSide) closed(n int, id string) bool { return s.ticket(n, id).Status == "Resolved" }
func (s syncroSide) notes(n int, id string) int   { return len(s.ticket(n, id).Comments) }

var (
	_ side = (*autotaskSide)(nil)
	_ side = (*connectWiseSide)(nil)
	_ side = syncroSide{}
)
