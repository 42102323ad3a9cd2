package connectwise_test

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
	"github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise/standin"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/psatest"
)

const (
	clientID   = "5f3d9c1e-2b7a-4c8e-9d10-6a4b3c2d1e0f"
	public     = "acmePublic"
	private    = "S-acme-0123456789"
	otherPub   = "globexPublic"
	limitedPub = "acmeReader"
)

// foreign stands for another vendor's settings.
type foreign struct{}

func (foreign) Kind() psa.Kind           { return psa.Autotask }
func (foreign) Validate() error          { return nil }
func (foreign) Check([]psa.Option) error { return nil }

// bench is a stand-in over HTTP: one company in the cloud, with a second
// member who may do nothing with tickets, and one on premises.
type bench struct {
	server *standin.Server
	url    string
}

func newBench(t testing.TB, wrap func(http.Handler) http.Handler) bench {
	t.Helper()
	var companies []standin.Company
	for i := range 130 {
		companies = append(companies, standin.Company{Name: fmt.Sprintf("Customer %03d", i)})
	}
	companies = append(companies, standin.Company{Name: "Left us", Inactive: true}, standin.Company{Name: "Never was", Deleted: true})
	companies[2].Agreements = agreements()
	server, err := standin.New(standin.Config{
		Accounts: []standin.Account{
			{CompanyID: "acme", PublicKey: public, PrivateKey: private, Companies: companies},
			{CompanyID: "globex", PublicKey: otherPub, PrivateKey: private, CodeBase: "v4_6_release/", OnPremises: true, Companies: []standin.Company{{Name: "Elsewhere"}}},
			{CompanyID: "acme", PublicKey: limitedPub, PrivateKey: private, ReadOnly: true, Forbidden: "/service/tickets"},
		},
		ClientIDs: []string{clientID}, Logger: slog.New(slog.DiscardHandler), Clock: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	var h http.Handler = server
	if wrap != nil {
		h = wrap(server)
	}
	web := httptest.NewServer(h)
	t.Cleanup(web.Close)
	return bench{server: server, url: web.URL}
}

func config() connectwise.Config {
	return connectwise.Config{
		ClientID: clientID, Version: connectwise.DefaultVersion, AllowLoopback: true, Timeout: 20 * time.Second,
		MaxPages: connectwise.DefaultMaxPages, Logger: slog.New(slog.DiscardHandler), Clock: time.Now,
	}
}

func (b bench) credentials() connectwise.Credentials {
	return connectwise.Credentials{URL: b.url, CompanyID: "acme", PublicKey: public, PrivateKey: private}
}

func open(t testing.TB, config connectwise.Config, credentials connectwise.Credentials) *connectwise.Client {
	t.Helper()
	c, err := connectwise.New(config, credentials)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b bench) client(t testing.TB) *connectwise.Client { return open(t, config(), b.credentials()) }

func (b bench) company(i int) string {
	return strconv.FormatInt(b.server.Account(public).Companies[i].ID, 10)
}

// status is an id of the board that settings choose.
func (b bench) status(i int) int64 { return b.server.Account(public).Boards[1].Statuses[i].ID }

func (b bench) settings() connectwise.Settings {
	a := b.server.Account(public)
	return connectwise.Settings{
		ShouldCreateTickets: true, DueDays: 3,
		Board: connectwise.Choice{ID: a.Boards[1].ID, Name: "Help Desk"}, Status: connectwise.Choice{ID: b.status(0)},
		Priority: connectwise.Choice{ID: a.Priorities[2].ID}, Source: connectwise.Choice{ID: a.Sources[1].ID},
	}
}

func (b bench) draft(key string) psa.Draft {
	return psa.Draft{Marker: psa.Marker("o", "i", key, 1), CompanyID: b.company(0), Title: "Disk is not encrypted", Body: "text", Settings: b.settings()}
}

func (b bench) away(t testing.TB) *connectwise.Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := bench{url: "http://" + listener.Addr().String()}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, config(), gone.credentials())
}

func fixture(wrap func(http.Handler) http.Handler) psatest.Fixture {
	return psatest.Fixture{Open: func(t *testing.T) psatest.Bench {
		b := newBench(t, wrap)
		a := b.server.Account(public)
		var names []string
		for _, c := range a.Companies {
			if !c.Deleted && !c.Inactive {
				names = append(names, c.Name)
			}
		}
		neighbour, denied, limited := b.credentials(), b.credentials(), b.credentials()
		neighbour.CompanyID, neighbour.PublicKey = "globex", otherPub
		denied.PrivateKey = "wrong"
		limited.PublicKey = limitedPub
		refused := b.settings()
		refused.Status.ID = a.Boards[0].Statuses[0].ID
		id := func(n int64) string { return strconv.FormatInt(n, 10) }
		return psatest.Bench{
			Server: seen{b.server}, Vendor: b.client(t), Neighbour: open(t, config(), neighbour),
			Denied: open(t, config(), denied), Limited: open(t, config(), limited), Away: b.away(t),
			Account: "acme", Secret: private,
			Companies: names, Company: b.company(0), OtherCompany: b.company(1), UnknownCompany: "999999", UnknownTicket: "999999",
			Settings: b.settings(), Refused: refused, Foreign: foreign{},
			Choices: map[string]string{
				"board": id(a.Boards[0].ID), "status": id(b.status(1)), "priority": id(a.Priorities[0].ID), "source": id(a.Sources[2].ID),
			},
			Working:  id(b.status(1)),
			TitleMax: 100, BodyMax: 16000, NotesMany: 120, Clock: time.Now,
		}
	}}
}

func TestSuite(t *testing.T) { psatest.Run(t, fixture(nil)) }

// seen shows the stand-in to the suite.
type seen struct{ *standin.Server }

func (s seen) Tickets() []psatest.Ticket {
	var all []psatest.Ticket
	for _, have := range s.Server.Tickets(public) {
		ticket := psatest.Ticket{
			ID: strconv.FormatInt(have.ID, 10), CompanyID: strconv.FormatInt(have.CompanyID, 10), Title: have.Summary,
			Closed: have.Closed, Mailed: have.MailContact,
		}
		ticket.Due, _ = time.Parse(time.RFC3339, have.RequiredDate)
		for i, n := range have.Notes {
			ticket.Mailed = ticket.Mailed || n.Notified
			if i == 0 {
				ticket.Body, ticket.Public = n.Text, n.Discussion
				continue
			}
			ticket.Notes = append(ticket.Notes, psatest.Note{Body: n.Text, Public: n.Discussion})
		}
		all = append(all, ticket)
	}
	return all
}

func (s seen) Creates() int   { return len(s.Requests(http.MethodPost, "/service/tickets")) }
func (s seen) NotePosts() int { return len(s.Requests(http.MethodPost, "/service/tickets/*/notes")) }

func (s seen) Delete(id string) {
	n, _ := strconv.ParseInt(id, 10, 64)
	s.Server.Delete(public, n)
}

func (s seen) Work(id string) {
	n, _ := strconv.ParseInt(id, 10, 64)
	working := s.Account(public).Boards[1].Statuses[1].ID
	s.Edit(public, n, func(t *standin.Ticket) { t.StatusID = working })
}

func (s seen) Webhooks() int { return s.Server.Webhooks(public) }
func (s seen) Settle()       { s.Hooks() }
func (s seen) Deactivate()   { s.Server.Deactivate(public) }

func (s seen) Inject(target psatest.Target, fault psatest.Fault, count int) {
	f := map[psatest.Target]standin.Fault{
		psatest.OnCreate:    {Method: http.MethodPost, Path: "/service/tickets"},
		psatest.OnFind:      {Method: http.MethodGet, Path: "/service/tickets"},
		psatest.OnGet:       {Method: http.MethodGet, Path: "/service/tickets/*"},
		psatest.OnNote:      {Method: http.MethodPost, Path: "/service/tickets/*/notes"},
		psatest.OnListNotes: {Method: http.MethodGet, Path: "/service/tickets/*/notes"},
		psatest.OnMove:      {Method: http.MethodPatch, Path: "/service/tickets/*"},
		psatest.OnVerify:    {Method: http.MethodGet, Path: "/service/boards"},
		psatest.OnOptions:   {Method: http.MethodGet, Path: "/service/boards/*/statuses"},
		psatest.OnCompanies: {Method: http.MethodGet, Path: "/company/companies"},

		psatest.OnQuantity:   {Method: http.MethodPatch, Path: "/finance/agreements/*/additions/*"},
		psatest.OnAgreements: {Method: http.MethodGet, Path: "/finance/agreements"},
	}[target]
	f.Action = map[psatest.Fault]standin.Action{
		psatest.CommitDrop: standin.CommitDrop, psatest.Commit500: standin.Commit500, psatest.CommitSlow: standin.CommitSlow,
		psatest.CommitTruncate: standin.CommitTruncate, psatest.CommitHTML: standin.CommitHTML, psatest.CommitGarbage: standin.CommitGarbage,
		psatest.Drop: standin.Drop, psatest.Fail500: standin.Fail500, psatest.Throttle: standin.Throttle, psatest.ThrottleBare: standin.Throttle,
		psatest.HTML: standin.HTML, psatest.Unauthorized: standin.Unauthorized, psatest.Elsewhere: standin.Elsewhere,
		psatest.StaleSearch: standin.StaleList,
	}[fault]
	if fault == psatest.Throttle {
		f.RetryAfter = 7 * time.Second
	}
	f.Count, f.PublicKey = count, public
	s.Server.Inject(f)
}
