package syncro_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/psatest"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

const (
	token      = "T-acme-0123456789"
	otherToken = "T-globex-9876543210"
	readToken  = "T-acme-read-only"
)

// foreign stands for another vendor's settings.
type foreign struct{}

func (foreign) Kind() psa.Kind           { return psa.Autotask }
func (foreign) Validate() error          { return nil }
func (foreign) Check([]psa.Option) error { return nil }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// bench is a stand-in over HTTP, with two accounts and a third that cannot write.
type bench struct {
	server *standin.Server
	url    string
}

func newBench(t *testing.T, wrap func(http.Handler) http.Handler) bench {
	t.Helper()
	var acme []standin.Customer
	for i := range 30 {
		acme = append(acme, standin.Customer{BusinessName: fmt.Sprintf("Customer %02d", i)})
	}
	acme[2].Schedules = schedules()
	server, err := standin.New(standin.Config{
		Accounts: []standin.Account{
			{Subdomain: "acme", Token: token, Customers: append(acme, standin.Customer{BusinessName: "Left us", Disabled: true}), Users: []standin.User{{Name: "Ada"}, {Name: "Bob"}}},
			{Subdomain: "globex", Token: otherToken, Customers: []standin.Customer{{BusinessName: "Elsewhere"}}},
			{Subdomain: "acme", Token: readToken, ReadOnly: true, Customers: []standin.Customer{{ID: 1, BusinessName: "Customer 00"}}},
		},
		Logger: quiet(), Clock: time.Now,
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

func (b bench) config() syncro.Config {
	return syncro.Config{
		BaseURL: b.url, AllowLoopback: true, Timeout: 20 * time.Second, MaxPages: syncro.DefaultMaxPages,
		Logger: quiet(), Clock: time.Now,
	}
}

func (b bench) client(t *testing.T, token string) *syncro.Client {
	t.Helper()
	c, err := syncro.New(b.config(), syncro.Credentials{Subdomain: "acme", APIToken: token})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b bench) company(i int) string {
	return strconv.FormatInt(b.server.Customers(token)[i].ID, 10)
}

func (b bench) settings() syncro.Settings {
	return syncro.Settings{ProblemType: "Other", Priority: "2 Normal", Status: "New", UserID: b.server.Users(token)[1].ID}
}

func (b bench) away(t *testing.T) *syncro.Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := bench{url: "http://" + listener.Addr().String()}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return gone.client(t, token)
}

func fixture(wrap func(http.Handler) http.Handler) psatest.Fixture {
	return psatest.Fixture{Open: func(t *testing.T) psatest.Bench {
		b := newBench(t, wrap)
		var names []string
		for _, c := range b.server.Customers(token) {
			if !c.Disabled {
				names = append(names, c.BusinessName)
			}
		}
		return psatest.Bench{
			Server: seen{b.server}, Vendor: b.client(t, token), Neighbour: b.client(t, otherToken),
			Denied: b.client(t, "wrong"), Limited: b.client(t, readToken), Away: b.away(t),
			Account: "acme", Secret: token,
			Companies: names, Company: b.company(0), OtherCompany: b.company(1), UnknownCompany: "999999", UnknownTicket: "999999",
			Settings: b.settings(), Refused: syncro.Settings{ProblemType: "No such type"}, Foreign: foreign{},
			Choices:  map[string]string{"problemType": "Virus", "priority": "0 Urgent", "status": "In Progress", "userId": strconv.FormatInt(b.server.Users(token)[0].ID, 10)},
			Working:  "In Progress",
			TitleMax: 255, BodyMax: 16000, NotesMany: 30, Clock: time.Now,
		}
	}}
}

func TestSuite(t *testing.T) { psatest.Run(t, fixture(nil)) }

// seen shows the stand-in to the suite.
type seen struct{ *standin.Server }

func (s seen) Tickets() []psatest.Ticket {
	var all []psatest.Ticket
	for _, have := range s.Server.Tickets(token) {
		ticket := psatest.Ticket{
			ID: strconv.FormatInt(have.ID, 10), CompanyID: strconv.FormatInt(have.CustomerID, 10), Title: have.Subject,
			Closed: !have.ResolvedAt.IsZero(),
		}
		ticket.Due, _ = time.Parse(time.DateOnly, have.DueDate)
		for i, c := range have.Comments {
			ticket.Mailed = ticket.Mailed || c.Emailed
			if i == 0 {
				ticket.Body, ticket.Public = c.Body, !c.Hidden
				continue
			}
			ticket.Notes = append(ticket.Notes, psatest.Note{Body: c.Body, Public: !c.Hidden})
		}
		all = append(all, ticket)
	}
	return all
}

func (s seen) Creates() int   { return len(s.Requests(http.MethodPost, "/tickets")) }
func (s seen) NotePosts() int { return len(s.Requests(http.MethodPost, "/tickets/*/comment")) }

func (s seen) Delete(id string) {
	n, _ := strconv.ParseInt(id, 10, 64)
	s.Server.Delete(token, n)
}

func (s seen) Inject(target psatest.Target, fault psatest.Fault, count int) {
	f := map[psatest.Target]standin.Fault{
		psatest.OnCreate:    {Method: http.MethodPost, Path: "/tickets"},
		psatest.OnFind:      {Method: http.MethodGet, Path: "/tickets"},
		psatest.OnGet:       {Method: http.MethodGet, Path: "/tickets/*"},
		psatest.OnNote:      {Method: http.MethodPost, Path: "/tickets/*/comment"},
		psatest.OnListNotes: {Method: http.MethodGet, Path: "/tickets/*/comments"},
		psatest.OnMove:      {Method: http.MethodPut, Path: "/tickets/*"},
		psatest.OnVerify:    {Method: http.MethodGet, Path: "/me"},
		psatest.OnOptions:   {Method: http.MethodGet, Path: "/users"},
		psatest.OnCompanies: {Method: http.MethodGet, Path: "/customers"},

		psatest.OnQuantity:   {Method: http.MethodPut, Path: "/schedules/*/line_items/*"},
		psatest.OnAgreements: {Method: http.MethodGet, Path: "/schedules"},
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
	f.Count, f.Token = count, token
	s.Server.Inject(f)
}

// TestBoundedPages: a look-up that hits its bound is an error, not absence.
func TestBoundedPages(t *testing.T) {
	b := newBench(t, nil)
	config := b.config()
	config.MaxPages = 1
	c, err := syncro.New(config, syncro.Credentials{Subdomain: "acme", APIToken: token})
	if err != nil {
		t.Fatal(err)
	}
	draft := psa.Draft{CompanyID: b.company(0), Title: "x", Body: "y", Settings: b.settings()}
	for i := range 26 {
		draft.Marker = psa.Marker("o", "i", strconv.Itoa(i), 1)
		if _, err := c.Create(t.Context(), draft); err != nil {
			t.Fatal(err)
		}
	}
	first := psa.Marker("o", "i", "0", 1)
	if found, err := c.Find(t.Context(), first, b.company(0), time.Now()); psa.ClassOf(err) != psa.Uncertain {
		t.Errorf("with one page of two read: %v, %v", found, err)
	}
	found, err := b.client(t, token).Find(t.Context(), first, b.company(0), time.Now())
	if err != nil || len(found) != 1 {
		t.Errorf("on the second page: %v, %v", found, err)
	}
	tags := b.server.Tickets(token)[0].Tags
	if !slices.Equal(tags, []string{"bw-" + first[3:]}) {
		t.Errorf("tags = %q for marker %s", tags, first)
	}
}
