package connectwise_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise"
)

func TestErrorText(t *testing.T) {
	for body, want := range map[string]string{
		`{"code":"InvalidObject","message":"ticket object is invalid","errors":[{"code":"NotFound","message":"Service Status not found for Service Board 1","resource":"ticket","field":"status/id"}]}`: "ticket object is invalid; status/id: Service Status not found for Service Board 1",
		`{"code":"InvalidObject","message":"","errors":null}`:      "InvalidObject",
		`{"message":"a\n b","errors":[{"code":"X"},{"code":"X"}]}`: "a b; X",
		`{"message":7,"errors":[{"message":"one","field":"two"}]}`: "two: one",
		`{"message":"m","errors":"no list"}`:                       "m",
		`{"errors":[{"field":"nothing said"}]}`:                    "",
		`{"id":1}`:                                                 "",
		`[]`:                                                       "",
		``:                                                         "",
		`{"message":"cut`:                                          "",
		`{"errors":[` + strings.Repeat(`{"message":"x"},`, 3) + `{"message":"y"}]}`: "x; y",
	} {
		if got := connectwise.ErrorText([]byte(body)); got != want {
			t.Errorf("%s reads %q, want %q", body, got, want)
		}
	}
}

// infoFirst answers as a site that knows where its API is, and leaves the rest
// to another handler.
func infoFirst(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/login/companyinfo/") {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"Codebase":"v2025_1/","IsCloud":true}`))
			return
		}
		next(w, r)
	}
}

// FuzzErrorAnswer: whatever a server answers to a ticket, the client says that
// it failed, in bounded, valid text without the key.
func FuzzErrorAnswer(f *testing.F) {
	f.Add(400, `{"message":"no","errors":[{"message":"b","field":"c"},null]}`, "application/json")
	f.Add(201, `{"id":0}`, "application/vnd.connectwise.com+json; version=2025.1")
	f.Add(201, `{"id":5,"summary":"t","_info":{"dateEntered":7}}`, "application/json")
	f.Add(500, "<title>"+private+"</title>", "text/html")
	f.Add(404, `{"message":"`+private+`"}`, "application/json; charset=utf-8")
	f.Add(409, `{"code":"RecordInUse"}`, "application/json")
	var status int
	var body, kind string
	server := httptest.NewServer(infoFirst(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // a status without a body refuses it
	}))
	f.Cleanup(server.Close)
	client := open(f, config(), bench{url: server.URL}.credentials())
	f.Fuzz(func(t *testing.T, s int, b, k string) {
		status, body, kind = 200+max(s, -s)%400, b, k
		remote, err := client.Create(t.Context(), psa.Draft{Marker: psa.Marker("o", "i", "k", 1), CompanyID: "1", Title: "t", Settings: connectwise.Settings{}})
		if err == nil {
			if remote.ID == "" || status >= 300 {
				t.Fatalf("status %d, body %q: made %+v", status, body, remote)
			}
			return
		}
		e, ok := errors.AsType[*psa.Error](err)
		if !ok || e.Class == "" || e.Class == psa.NotSent {
			t.Fatalf("status %d, body %q: %v", status, body, err)
		}
		if status < 400 && e.Class != psa.Uncertain {
			t.Fatalf("status %d may have made a ticket, but reads %s", status, e.Class)
		}
		if status >= 500 && (e.Class != psa.Uncertain) {
			t.Fatalf("status %d reads %s", status, e.Class)
		}
		if !utf8.ValidString(e.Vendor) || len(e.Vendor) > 2000 || strings.Contains(e.Error(), private) {
			t.Fatalf("text %q", e.Error())
		}
	})
}

func TestCredentials(t *testing.T) {
	good := connectwise.Credentials{URL: "https://na.myconnectwise.net", CompanyID: "acme", PublicKey: "P1", PrivateKey: "S1"}
	for name, c := range map[string]struct {
		spoil func(*connectwise.Credentials)
		field string
	}{
		"whole":              {func(*connectwise.Credentials) {}, ""},
		"API's host":         {func(c *connectwise.Credentials) { c.URL = " https://api-eu.myconnectwise.net/ " }, ""},
		"host alone":         {func(c *connectwise.Credentials) { c.URL = "psa.msp.example:8443" }, ""},
		"no URL":             {func(c *connectwise.Credentials) { c.URL = "" }, "url"},
		"plain HTTP":         {func(c *connectwise.Credentials) { c.URL = "http://na.myconnectwise.net" }, "url"},
		"HTTP to us":         {func(c *connectwise.Credentials) { c.URL = "http://127.0.0.1:80" }, "url"},
		"another scheme":     {func(c *connectwise.Credentials) { c.URL = "file://etc/passwd" }, "url"},
		"a path":             {func(c *connectwise.Credentials) { c.URL = "https://na.myconnectwise.net/v4_6_release" }, "url"},
		"a query":            {func(c *connectwise.Credentials) { c.URL = "https://na.myconnectwise.net?x=1" }, "url"},
		"a user":             {func(c *connectwise.Credentials) { c.URL = "https://na.myconnectwise.net@evil.example" }, "url"},
		"no company":         {func(c *connectwise.Credentials) { c.CompanyID = "" }, "companyId"},
		"company as path":    {func(c *connectwise.Credentials) { c.CompanyID = "../x" }, "companyId"},
		"company with plus":  {func(c *connectwise.Credentials) { c.CompanyID = "a+b" }, "companyId"},
		"no public key":      {func(c *connectwise.Credentials) { c.PublicKey = "" }, "publicKey"},
		"colon in a key":     {func(c *connectwise.Credentials) { c.PublicKey = "a:b" }, "publicKey"},
		"line in a key":      {func(c *connectwise.Credentials) { c.PrivateKey = "a\r\nX: y" }, "privateKey"},
		"key beyond its end": {func(c *connectwise.Credentials) { c.PrivateKey = strings.Repeat("a", 201) }, "privateKey"},
	} {
		credentials, strict := good, config()
		c.spoil(&credentials)
		strict.AllowLoopback = false
		_, err := connectwise.New(strict, credentials)
		e, _ := errors.AsType[*fault.Error](err)
		if (c.field == "") != (err == nil) || (c.field != "" && (e == nil || e.Field != c.field)) {
			t.Errorf("%s: %v, want a fault of %q", name, err, c.field)
		}
	}
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*connectwise.Config)
		ok    bool
	}{
		"whole":        {func(*connectwise.Config) {}, true},
		"no client id": {func(c *connectwise.Config) { c.ClientID = "" }, false},
		"no GUID":      {func(c *connectwise.Config) { c.ClientID = "bailiwick" }, false},
		"no version":   {func(c *connectwise.Config) { c.Version = "" }, false},
		"version line": {func(c *connectwise.Config) { c.Version = "2025.1\r\nX: y" }, false},
		"no logger":    {func(c *connectwise.Config) { c.Logger = nil }, false},
		"no pages":     {func(c *connectwise.Config) { c.MaxPages = 0 }, false},
	} {
		made := config()
		c.spoil(&made)
		if err := made.Validate(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDriver(t *testing.T) {
	b := newBench(t, nil)
	driver, err := psa.Drivers{psa.ConnectWise: connectwise.Driver(config())}.For(psa.ConnectWise)
	if err != nil {
		t.Fatal(err)
	}
	whole := `{"url":"` + b.url + `","companyId":"acme","publicKey":"` + public + `","privateKey":"` + private + `"`
	for range 2 {
		vendor, err := driver.Open([]byte(whole+"}"), psa.Open{})
		if err != nil {
			t.Fatal(err)
		}
		if account, err := vendor.Verify(t.Context()); err != nil || account.Name != "acme" || !strings.Contains(account.User, public) {
			t.Errorf("%+v, %v", account, err)
		}
	}
	if n := len(b.server.Requests(http.MethodGet, "/login/companyinfo/*")); n != 1 {
		t.Errorf("the code base was asked for %d times by one driver's clients", n)
	}
	for _, raw := range []string{`{}`, whole + `,"extra":1}`, `{"url":1}`, `null`, ``, whole + `} {}`} {
		if v, err := driver.Open([]byte(raw), psa.Open{}); fault.CodeOf(err) != fault.InvalidArgument || v != nil {
			t.Errorf("credentials %s: %v", raw, err)
		}
	}
	settings, err := driver.Settings([]byte(`{"shouldCreateTickets":true,"dueDays":3,"source":{"id":2,"name":"Email"},"priority":{"id":4},"board":{"id":1},"status":{"id":16}}`))
	want := connectwise.Settings{
		ShouldCreateTickets: true, DueDays: 3, Source: connectwise.Choice{ID: 2, Name: "Email"}, Priority: connectwise.Choice{ID: 4},
		Board: connectwise.Choice{ID: 1}, Status: connectwise.Choice{ID: 16},
	}
	if err != nil || settings != want || settings.Kind() != psa.ConnectWise {
		t.Errorf("%+v, %v", settings, err)
	}
	for raw, field := range map[string]string{
		`{"queue":1}`:            "settings",
		`{"dueDays":-1}`:         "dueDays",
		`{"dueDays":366}`:        "dueDays",
		`{"dueDays":1.5}`:        "settings",
		`{"status":{"id":16}}`:   "board",
		`{"source":{"id":-1}}`:   "source.id",
		`{"source":{"id":"2"}}`:  "settings",
		`{"board":{"name":"x"}}`: "board.id",
		`{"priority":{"id":1,"name":"` + strings.Repeat("x", 256) + `"}}`: "priority.name",
		`{"priority":{"id":99999999999}}`:                                 "priority.id",
	} {
		s, err := driver.Settings([]byte(raw))
		if e, _ := errors.AsType[*fault.Error](err); s != nil || e == nil || e.Field != field {
			t.Errorf("settings %s: %v, want a fault of %q", raw, err, field)
		}
	}
}

// TestCheck: every choice is compared with what the vendor offers, and the
// refusal names it.
func TestCheck(t *testing.T) {
	b := newBench(t, nil)
	options, err := b.client(t).Options(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := b.server.Account(public)
	for name, c := range map[string]struct {
		change func(*connectwise.Settings)
		field  string
		says   string
	}{
		"all of it":               {func(*connectwise.Settings) {}, "", ""},
		"nothing":                 {func(s *connectwise.Settings) { *s = connectwise.Settings{} }, "", ""},
		"no such board":           {func(s *connectwise.Settings) { s.Board.ID = 99999 }, "board", "99999"},
		"a project's board":       {func(s *connectwise.Settings) { s.Board.ID, s.Status.ID = a.Boards[2].ID, 0 }, "board", ""},
		"status of another board": {func(s *connectwise.Settings) { s.Status.ID = a.Boards[0].Statuses[0].ID }, "status", `"New" does not belong to the board "Help Desk"`},
		"no such status":          {func(s *connectwise.Settings) { s.Status.ID = 99999 }, "status", "99999"},
		"an inactive status":      {func(s *connectwise.Settings) { s.Status.ID = b.status(3) }, "status", `"Enter Time" is inactive`},
		"a source as priority":    {func(s *connectwise.Settings) { s.Priority.ID = a.Sources[0].ID }, "priority", ""},
		"no such source":          {func(s *connectwise.Settings) { s.Source.ID = 1 << 30 }, "source", ""},
		"a status without board":  {func(s *connectwise.Settings) { s.Board = connectwise.Choice{} }, "board", ""},
	} {
		s := b.settings()
		c.change(&s)
		err := s.Check(options)
		e, _ := errors.AsType[*fault.Error](err)
		if (c.field == "") != (err == nil) || (c.field != "" && (e == nil || e.Field != c.field || !strings.Contains(e.Message, c.says))) {
			t.Errorf("%s: %v, want a fault of %q", name, err, c.field)
		}
	}
}
