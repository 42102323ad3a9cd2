package connectwise_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise/standin"
)

// TestUpgrade: the code base moves between two calls, and nothing is lost,
// doubled or taken for gone.
func TestUpgrade(t *testing.T) {
	b := newBench(t, nil)
	c := b.client(t)
	made, err := c.Create(t.Context(), b.draft("a"))
	if err != nil {
		t.Fatal(err)
	}
	for i, do := range []func() error{
		func() error { _, err := c.Get(t.Context(), made.ID); return err },
		func() error { _, err := c.Create(t.Context(), b.draft("b")); return err },
		func() error {
			return c.AddNote(t.Context(), made.ID, psa.Note{Marker: psa.NoteMarker("m", "1"), Body: "x"})
		},
		func() error { return c.Close(t.Context(), made.ID, psa.Closing{}) },
		func() error { _, err := c.Verify(t.Context()); return err },
	} {
		asked := len(b.server.Requests(http.MethodGet, "/login/companyinfo/*"))
		b.server.Upgrade("acme", "v2026_"+string(rune('1'+i))+"/")
		if err := do(); err != nil {
			t.Errorf("call %d after an upgrade: %v", i, err)
		}
		if n := len(b.server.Requests(http.MethodGet, "/login/companyinfo/*")) - asked; n != 1 {
			t.Errorf("call %d after an upgrade asked %d times for the code base", i, n)
		}
	}
	if held := b.server.Tickets(public); len(held) != 2 || len(held[0].Notes) != 2 || !held[0].Closed {
		t.Errorf("the server holds %+v", held)
	}
}

// TestShared: clients with one memory ask once, and learn of an upgrade from
// each other.
func TestShared(t *testing.T) {
	b := newBench(t, nil)
	shared := config()
	shared.Sites = connectwise.NewSites()
	one, other := open(t, shared, b.credentials()), open(t, shared, b.credentials())
	for _, codeBase := range []string{"v2025_1/", "v2025_2/"} {
		b.server.Upgrade("acme", codeBase)
		for _, c := range []*connectwise.Client{one, other} {
			if _, err := c.Company(t.Context(), b.company(0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := len(b.server.Requests(http.MethodGet, "/login/companyinfo/*")); n != 2 {
		t.Errorf("the code base was asked for %d times, want twice", n)
	}
}

// TestNotFound: a 404 is believed only once the keys are known to be valid.
func TestNotFound(t *testing.T) {
	b := newBench(t, nil)
	c := b.client(t)
	made, err := c.Create(t.Context(), b.draft("a"))
	if err != nil {
		t.Fatal(err)
	}
	get := func() error { _, err := c.Get(t.Context(), made.ID); return err }
	create := func() error { _, err := c.Create(t.Context(), b.draft("b")); return err }
	ticket := standin.Fault{Path: "/service/tickets/*", Count: 1, Action: standin.NotFound}
	post := standin.Fault{Method: http.MethodPost, Path: "/service/tickets", Count: 1, Action: standin.NotFound}
	info := standin.Fault{Path: "/login/companyinfo/*", Count: 1}
	boards := standin.Fault{Path: "/service/boards", Count: 1}
	with := func(f standin.Fault, a standin.Action) standin.Fault { f.Action = a; return f }
	for name, step := range map[string]struct {
		faults []standin.Fault
		do     func() error
		want   psa.Class
	}{
		"the ticket is gone":               {[]standin.Fault{ticket}, get, psa.Gone},
		"something else of the request is": {[]standin.Fault{post}, create, psa.Permanent},
		"nothing is found at all":          {[]standin.Fault{ticket, with(boards, standin.NotFound)}, get, psa.Auth},
		"nothing is found, on a write":     {[]standin.Fault{post, with(boards, standin.NotFound)}, create, psa.Auth},
		"the site is away":                 {[]standin.Fault{ticket, with(info, standin.Drop)}, get, psa.NotSent},
		"the site fails":                   {[]standin.Fault{post, with(info, standin.Fail500)}, create, psa.NotSent},
		"the site throttles":               {[]standin.Fault{post, with(info, standin.Throttle)}, create, psa.Throttled},
		"the site is no ConnectWise":       {[]standin.Fault{ticket, with(info, standin.NotFound)}, get, psa.Auth},
		"the API fails then":               {[]standin.Fault{post, with(boards, standin.Fail500)}, create, psa.NotSent},
		"the API throttles then":           {[]standin.Fault{ticket, with(boards, standin.Throttle)}, get, psa.Throttled},
	} {
		b.server.Mend()
		for _, f := range step.faults {
			b.server.Inject(f)
		}
		if err := step.do(); psa.ClassOf(err) != step.want {
			t.Errorf("%s: %v, want %s", name, err, step.want)
		}
	}
	if n := len(b.server.Tickets(public)); n != 1 {
		t.Errorf("%d tickets", n)
	}
}

// TestRevoked: keys stop and work again; in the cloud that is a 404, on
// premises a 401, and a ticket is never gone for it.
func TestRevoked(t *testing.T) {
	b := newBench(t, nil)
	onPremises := b.credentials()
	onPremises.CompanyID, onPremises.PublicKey = "globex", otherPub
	for key, c := range map[string]*connectwise.Client{public: b.client(t), otherPub: open(t, config(), onPremises)} {
		for i, want := range []psa.Class{"", psa.Auth, ""} {
			b.server.Revoke(key, i == 1)
			if _, err := c.Verify(t.Context()); psa.ClassOf(err) != want {
				t.Errorf("%s, step %d: %v, want %q", key, i, err, want)
			}
		}
		b.server.Revoke(key, true)
		if _, err := c.Get(t.Context(), "1"); psa.ClassOf(err) != psa.Auth {
			t.Errorf("%s: reading a ticket with revoked keys: %v", key, err)
		}
	}
}

// TestUnknownCompany: the site answers null.
func TestUnknownCompany(t *testing.T) {
	b := newBench(t, nil)
	unknown := b.credentials()
	unknown.CompanyID = "nobody"
	c := open(t, config(), unknown)
	_, err := c.Verify(t.Context())
	if psa.ClassOf(err) != psa.Auth || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("verify: %v", err)
	}
	if _, err := c.Create(t.Context(), b.draft("a")); psa.ClassOf(err) != psa.Auth {
		t.Errorf("create: %v", err)
	}
	if n := len(b.server.Requests(http.MethodPost, "/service/tickets")); n != 0 {
		t.Errorf("%d tickets were sent", n)
	}
}

// TestHostileSite: whatever a site says about where its API is, the keys go
// nowhere else.
func TestHostileSite(t *testing.T) {
	stolen := 0
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen++ }))
	t.Cleanup(thief.Close)
	host := strings.TrimPrefix(thief.URL, "http://")
	for _, info := range []string{
		`{"Codebase":"v2025_1/","IsCloud":true,"SiteUrl":"` + host + `"}`,
		`{"Codebase":"v2025_1/","IsCloud":true,"SiteUrl":"` + thief.URL + `"}`,
		`{"Codebase":"` + thief.URL + `/","IsCloud":true}`,
		`{"Codebase":"../../v2025_1/","IsCloud":true}`,
		`{"Codebase":"v2025_1@` + host + `/"}`,
		`{"Codebase":""}`, `{"Codebase":7}`, `{}`, `[]`, `7`, `null`,
	} {
		seen := 0
		site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if strings.HasPrefix(r.URL.Path, "/login/") {
				if r.Header.Get("Authorization") != "" {
					t.Errorf("%s: the site is told the keys before it is known to be one", info)
				}
				_, _ = w.Write([]byte(info))
				return
			}
			seen++
			_, _ = w.Write([]byte("[]"))
		}))
		_, err := open(t, config(), bench{url: site.URL}.credentials()).Verify(t.Context())
		if (err == nil) != (seen > 0) {
			t.Errorf("%s: %v after %d calls", info, err, seen)
		}
		site.Close()
	}
	if stolen > 0 {
		t.Errorf("%d calls went elsewhere", stolen)
	}
}

// TestErrorClasses: the answers that are ConnectWise's own habits.
func TestErrorClasses(t *testing.T) {
	b := newBench(t, nil)
	c := b.client(t)
	for action, want := range map[standin.Action]psa.Class{
		standin.InUse: psa.Uncertain, standin.Invalid500: psa.Uncertain, standin.Throttle: psa.Throttled, standin.Unauthorized: psa.Auth,
	} {
		b.server.Inject(standin.Fault{Method: http.MethodPost, Path: "/service/tickets", Action: action, RetryAfter: 90 * time.Second})
		_, err := c.Create(t.Context(), b.draft(string(action)))
		e, ok := err.(*psa.Error) //nolint:errorlint // the suite's contract: not wrapped
		if !ok || e.Class != want || e.Vendor == "" || (e.RetryAfter == 90*time.Second) != (action == standin.Throttle) {
			t.Errorf("%s: %#v, want %s", action, err, want)
		}
	}
}
