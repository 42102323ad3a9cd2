package autotask_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask/standin"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/psatest"
)

const (
	code       = "BAILIWICKINTEGRATIONCODE"
	user       = "api@acme.example"
	secret     = "p$4Z~0Dk#acme"
	otherUser  = "api@globex.example"
	otherKey   = "p$4Z~0Dk#globex"
	readUser   = "read@acme.example"
	technician = 29682834 // a role
)

// foreign stands for another vendor's settings.
type foreign struct{}

func (foreign) Kind() psa.Kind           { return psa.Syncro }
func (foreign) Validate() error          { return nil }
func (foreign) Check([]psa.Option) error { return nil }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// bench is a stand-in over HTTP, with two databases, and a user of the first
// who cannot write.
type bench struct {
	server *standin.Server
	url    string
	memory *autotask.Memory
}

func newBench(t *testing.T, change func(*standin.Config), wrap func(http.Handler) http.Handler) bench {
	t.Helper()
	var acme []standin.Company
	for i := range 30 {
		acme = append(acme, standin.Company{Name: fmt.Sprintf("Company %02d", i), Contact: "Ann"})
	}
	acme[1].Contracts = contracts()
	roles := []standin.Role{{ID: technician, Name: "Technician"}, {ID: technician + 1, Name: "Abolished", Inactive: true}}
	config := standin.Config{
		Accounts: []standin.Account{
			{
				Database: "Acme MSP", Zone: "5", IntegrationCode: code, Username: user, Secret: secret,
				Companies: append(acme, standin.Company{Name: "Left us", Inactive: true}), Roles: roles,
				Resources: []standin.Resource{{First: "Ada", Last: "A", Roles: []int64{technician, technician + 1}}, {First: "Bob", Inactive: true}, {First: "Cy"}},
			},
			{Database: "Globex MSP", Zone: "6", IntegrationCode: code, Username: otherUser, Secret: otherKey, Companies: []standin.Company{{Name: "Elsewhere"}}},
			{Database: "Acme MSP", Zone: "5", IntegrationCode: code, Username: readUser, Secret: secret, ReadOnly: true},
		},
		Logger: quiet(), Clock: time.Now,
	}
	if change != nil {
		change(&config)
	}
	server, err := standin.New(config)
	if err != nil {
		t.Fatal(err)
	}
	var h http.Handler = server
	if wrap != nil {
		h = wrap(server)
	}
	web := httptest.NewServer(h)
	t.Cleanup(web.Close)
	memory, err := autotask.NewMemory(10)
	if err != nil {
		t.Fatal(err)
	}
	return bench{server: server, url: web.URL, memory: memory}
}

func (b bench) config() autotask.Config {
	return autotask.Config{
		IntegrationCode: code, DiscoveryURL: b.url + "/atservicesrest", AllowLoopback: true, Timeout: 20 * time.Second,
		PageSize: 10, MaxPages: autotask.DefaultMaxPages, Memory: b.memory, Logger: quiet(), Clock: time.Now,
	}
}

func (b bench) client(t *testing.T, username, key string) *autotask.Client {
	t.Helper()
	c, err := autotask.New(b.config(), autotask.Credentials{Username: username, Secret: key})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b bench) acme(t *testing.T) *autotask.Client { t.Helper(); return b.client(t, user, secret) }

func (b bench) company(i int) string {
	return strconv.FormatInt(b.server.Companies(user)[i].ID, 10)
}

func (b bench) ada() int64 { return b.server.Resources(user)[0].ID }

func (b bench) settings() autotask.Settings {
	return autotask.Settings{
		Destination: autotask.ToQueue, DueDays: 3, ShouldCreateTickets: true, Queue: autotask.Choice{ID: 8, Name: "Monitoring Alert"},
		Priority: autotask.Choice{ID: 2}, Status: autotask.Choice{ID: 1}, Source: autotask.Choice{ID: 8},
	}
}

func (b bench) draft(key string) psa.Draft {
	return psa.Draft{
		Marker: psa.Marker("org_1", "int_1", key, 1), CompanyID: b.company(1), Title: "Disk is not encrypted", Body: "text", Settings: b.settings(),
	}
}

func (b bench) away(t *testing.T) *autotask.Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := bench{url: "http://" + listener.Addr().String(), memory: b.memory}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return gone.acme(t)
}

func fixture(wrap func(http.Handler) http.Handler) psatest.Fixture {
	return psatest.Fixture{Open: func(t *testing.T) psatest.Bench {
		b := newBench(t, nil, wrap)
		var names []string
		for _, c := range b.server.Companies(user) {
			if !c.Inactive {
				names = append(names, c.Name)
			}
		}
		inactive := b.settings()
		inactive.Queue = autotask.Choice{ID: 29682900}
		return psatest.Bench{
			Server: seen{b.server}, Vendor: b.acme(t), Neighbour: b.client(t, otherUser, otherKey),
			Denied: b.client(t, user, "wrong"), Limited: b.client(t, readUser, secret), Away: b.away(t),
			Account: "Acme MSP", Secret: secret,
			Companies: names, Company: b.company(1), OtherCompany: b.company(2), UnknownCompany: "999999", UnknownTicket: "999999",
			Settings: b.settings(), Refused: inactive, Foreign: foreign{},
			Choices: map[string]string{
				"status": "8", "priority": "4", "queue": "29682833", "source": "-1",
				"resource": strconv.FormatInt(b.ada(), 10), "role": strconv.Itoa(technician),
			},
			Working:  "8",
			TitleMax: 255, BodyMax: 8000, NotesMany: 12, Clock: time.Now,
		}
	}}
}

func TestSuite(t *testing.T) { psatest.Run(t, fixture(nil)) }

// seen shows the stand-in to the suite.
type seen struct{ *standin.Server }

func (s seen) Tickets() []psatest.Ticket {
	var all []psatest.Ticket
	for _, have := range s.Server.Tickets(user) {
		ticket := psatest.Ticket{
			ID: strconv.FormatInt(have.ID, 10), CompanyID: strconv.FormatInt(have.CompanyID, 10), Title: have.Title,
			// In the client portal every contact sees the tickets that name it.
			Body: have.Description, Public: have.ContactID != 0, Due: have.Due, Closed: !have.CompletedAt.IsZero(),
		}
		for _, n := range have.Notes {
			ticket.Notes = append(ticket.Notes, psatest.Note{Body: n.Description, Public: !n.Internal()})
		}
		all = append(all, ticket)
	}
	return all
}

func (s seen) Creates() int   { return len(s.Requests(http.MethodPost, "/Tickets")) }
func (s seen) NotePosts() int { return len(s.Requests(http.MethodPost, "/Tickets/*/Notes")) }

func (s seen) Delete(id string) {
	n, _ := strconv.ParseInt(id, 10, 64)
	s.Server.Delete(user, n)
}

func (s seen) Work(id string) {
	n, _ := strconv.ParseInt(id, 10, 64)
	s.Edit(user, n, func(t *standin.Ticket) { t.Status = 8 })
}

func (s seen) Webhooks() int { return s.Server.Webhooks(user) }
func (s seen) Settle()       { s.Hooks() }
func (s seen) Deactivate()   { s.Server.Deactivate(user); s.Hooks() }

func (s seen) Inject(target psatest.Target, fault psatest.Fault, count int) {
	f := map[psatest.Target]standin.Fault{
		psatest.OnCreate:    {Method: http.MethodPost, Path: "/Tickets"},
		psatest.OnFind:      {Method: http.MethodGet, Path: "/Tickets/query"},
		psatest.OnGet:       {Method: http.MethodGet, Path: "/Tickets/*"},
		psatest.OnNote:      {Method: http.MethodPost, Path: "/Tickets/*/Notes"},
		psatest.OnListNotes: {Method: http.MethodGet, Path: "/TicketNotes/query"},
		psatest.OnMove:      {Method: http.MethodPatch, Path: "/Tickets"},
		psatest.OnVerify:    {Method: http.MethodGet, Path: "/Companies/0"},
		psatest.OnOptions:   {Method: http.MethodGet, Path: "/Tickets/entityInformation/fields"},
		psatest.OnCompanies: {Method: http.MethodGet, Path: "/Companies/query"},

		psatest.OnQuantity:   {Method: http.MethodPost, Path: "/ContractServiceAdjustments"},
		psatest.OnAgreements: {Method: http.MethodGet, Path: "/Contracts/query"},
	}[target]
	f.Action = map[psatest.Fault]standin.Action{
		psatest.CommitDrop: standin.CommitDrop, psatest.Commit500: standin.Commit500, psatest.CommitSlow: standin.CommitSlow,
		psatest.CommitTruncate: standin.CommitTruncate, psatest.CommitHTML: standin.CommitHTML, psatest.CommitGarbage: standin.CommitGarbage,
		psatest.Drop: standin.Drop, psatest.Fail500: standin.Fail500, psatest.Throttle: standin.Throttle, psatest.ThrottleBare: standin.Throttle,
		psatest.HTML: standin.HTML, psatest.Unauthorized: standin.Unauthorized, psatest.Elsewhere: standin.Elsewhere,
		psatest.StaleSearch: standin.StaleQuery,
	}[fault]
	if fault == psatest.Throttle {
		f.RetryAfter = 7 * time.Second
	}
	f.Count, f.Username = count, user
	s.Server.Inject(f)
}
