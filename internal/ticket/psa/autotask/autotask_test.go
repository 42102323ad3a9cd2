package autotask_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask/standin"
)

// TestZoneMoves: an account that moves is followed at its next call, which
// makes one ticket; other accounts are looked up no more than before.
func TestZoneMoves(t *testing.T) {
	b := newBench(t, nil, nil)
	c, other := b.acme(t), b.client(t, otherUser, otherKey)
	for _, v := range []*autotask.Client{c, other} {
		if _, err := v.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	looked := len(b.server.Requests("", "/zoneInformation"))
	b.server.Move(user, "12")
	made, err := c.Create(t.Context(), b.draft("a"))
	if err != nil || !strings.Contains(made.URL, "/12/") {
		t.Fatalf("%+v, %v", made, err)
	}
	if _, err := other.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(b.server.Tickets(user)); n != 1 {
		t.Errorf("%d tickets", n)
	}
	if n := len(b.server.Requests("", "/zoneInformation")) - looked; n != 1 {
		t.Errorf("zones were looked up %d times, want once", n)
	}
	// A new client knows what the others learned.
	if _, err := b.acme(t).Get(t.Context(), made.ID); err != nil {
		t.Error(err)
	}
	if n := len(b.server.Requests("", "/zoneInformation")) - looked; n != 1 {
		t.Errorf("zones were looked up %d times, want once", n)
	}
}

// TestRevoked: a refused secret costs one more look-up of the zone and no more
// attempts, and works again when it is valid again.
func TestRevoked(t *testing.T) {
	b := newBench(t, nil, nil)
	c := b.acme(t)
	if _, err := c.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.server.Revoke(user, true)
	before := len(b.server.Requests("", ""))
	if _, err := c.Create(t.Context(), b.draft("a")); psa.ClassOf(err) != psa.Auth {
		t.Errorf("revoked: %v", err)
	}
	if n := len(b.server.Requests("", "")) - before; n != 2 {
		t.Errorf("%d requests, want the ticket and the zone", n)
	}
	b.server.Revoke(user, false)
	if _, err := c.Create(t.Context(), b.draft("a")); err != nil {
		t.Error(err)
	}
	unknown := b.client(t, "nobody@acme.example", secret)
	_, err := unknown.Verify(t.Context())
	if e, ok := errors.AsType[*psa.Error](err); !ok || e.Class != psa.Auth || e.Vendor == "" {
		t.Errorf("unknown user: %v", err)
	}
}

// TestZoneIsTheVendors: the secret goes nowhere else, whatever the look-up says.
func TestZoneIsTheVendors(t *testing.T) {
	for _, address := range []string{
		"https://evil.example/atservicesrest/", "https://autotask.net.evil.example/", "https://evilautotask.net/", "http://webservices5.autotask.net/",
		"https://user@webservices5.autotask.net/", "https://webservices5.autotask.net:8443/", "//webservices5.autotask.net/", "ftp://webservices5.autotask.net/",
		"https://10.0.0.1/", "https://webservices5.autotask.net/?x=y", "", "null",
	} {
		var secrets int
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Secret") != "" {
				secrets++
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]string{"url": address, "webUrl": "https://ww5.autotask.net/"})
		}))
		c := bench{url: server.URL}.acme(t)
		_, err := c.Create(t.Context(), psa.Draft{Marker: "bw:1", CompanyID: "0", Title: "x", Settings: bench{}.settings()})
		if psa.ClassOf(err) != psa.NotSent || secrets != 0 {
			t.Errorf("zone %q: %v, and %d secrets sent", address, err, secrets)
		}
		server.Close()
	}
}

// TestNextPageStays: the list goes on in the account's zone or not at all.
func TestNextPageStays(t *testing.T) {
	for _, next := range []string{
		"http://evil.example/5/ATServicesRest/V1.0/Companies/query/next?paging=1", "https://HOST/5/ATServicesRest/V1.0/Companies/query/next?paging=1", "HOST/5/ATServicesRest/V1.0/Tickets/query/next?paging=1",
		"HOST/6/ATServicesRest/V1.0/Companies/query/next?paging=1", "HOST/5/ATServicesRest/V1.0/Companies/query/next", "/5/ATServicesRest/V1.0/Companies/query/next?paging=1", ":",
	} {
		var mine string
		b := newBench(t, nil, func(server http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.URL.Path, "/Companies/query") {
					server.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(w).Encode(map[string]any{"items": []any{}, "pageDetails": map[string]any{"nextPageUrl": place(next, mine)}})
			})
		})
		mine = b.url
		if page, err := b.acme(t).Companies(t.Context(), psa.CompanyQuery{}); psa.ClassOf(err) != psa.Uncertain || page.Next != "" {
			t.Errorf("next page at %s: %+v, %v", next, page, err)
		}
	}
}

// place puts an address, with its scheme unless there is one, for HOST.
func place(template, address string) string {
	if strings.HasPrefix(template, "https://HOST") {
		address = strings.TrimPrefix(address, "http://")
	}
	return strings.Replace(template, "HOST", address, 1)
}

// TestZoneIsGone: a zone that nobody answers at is looked up again.
func TestZoneIsGone(t *testing.T) {
	b := newBench(t, nil, nil)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	root := gone.URL
	discovery := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"url": root + "/ATServicesRest/"})
	}))
	defer discovery.Close()
	c := bench{url: discovery.URL}.acme(t)
	if _, err := c.Create(t.Context(), b.draft("a")); psa.ClassOf(err) != psa.NotSent {
		t.Fatal(err)
	}
	root = b.url + "/5"
	if _, err := c.Create(t.Context(), b.draft("a")); err != nil || len(b.server.Tickets(user)) != 1 {
		t.Error(err)
	}
}

// TestFindBelievesTheTicket: a query that returns more than was asked for finds
// no more than was asked for.
func TestFindBelievesTheTicket(t *testing.T) {
	b := newBench(t, nil, func(server http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/Tickets/query") {
				r.URL.RawQuery = url.Values{"search": {`{"filter":[{"op":"exist","field":"id"}]}`}}.Encode()
			}
			server.ServeHTTP(w, r)
		})
	})
	c, d := b.acme(t), b.draft("b")
	for _, key := range []string{"a", "b", "c"} {
		if _, err := c.Create(t.Context(), b.draft(key)); err != nil {
			t.Fatal(err)
		}
	}
	d.CompanyID = b.company(2)
	if _, err := c.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	found, err := c.Find(t.Context(), d.Marker, b.company(1), time.Now())
	if err != nil || len(found) != 1 || found[0].CompanyID != b.company(1) {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := c.Find(t.Context(), "", b.company(1), time.Now()); psa.ClassOf(err) != psa.Permanent {
		t.Errorf("no marker: %v", err)
	}
}

// TestNotesStayInside: a note for technicians is read by nobody else, however
// an account numbers its audiences, or is not sent.
func TestNotesStayInside(t *testing.T) {
	everyone, shared := standin.Pick{Value: 1, Label: "All Autotask Users"}, standin.Pick{Value: 4, Label: "Internal & Co-Managed"}
	for name, c := range map[string]struct {
		publishing []standin.Pick
		publish    int // 0: not sent
	}{
		"as usual":              {nil, 2},
		"another number":        {[]standin.Pick{everyone, shared, {Value: 6, Label: "Internal Users Only"}}, 6},
		"2 is something else":   {[]standin.Pick{everyone, {Value: 2, Label: "Everyone"}}, 0},
		"only co-managed":       {[]standin.Pick{everyone, shared}, 0},
		"internal, but retired": {[]standin.Pick{everyone, {Value: 2, Label: "Internal Users Only", Inactive: true}}, 0},
	} {
		b := newBench(t, func(config *standin.Config) { config.Accounts[0].Publishing = c.publishing }, nil)
		v := b.acme(t)
		made, err := v.Create(t.Context(), b.draft("a"))
		if err != nil {
			t.Fatal(err)
		}
		err = v.AddNote(t.Context(), made.ID, psa.Note{Marker: "bwn:1", Body: "x"})
		notes := b.server.Tickets(user)[0].Notes
		switch {
		case c.publish == 0 && (psa.ClassOf(err) != psa.Permanent || len(notes) != 0):
			t.Errorf("%s: %v, notes %+v", name, err, notes)
		case c.publish != 0 && (err != nil || len(notes) != 1 || notes[0].Publish != c.publish):
			t.Errorf("%s: %v, notes %+v", name, err, notes)
		}
	}
}

// TestErrorClasses: one status, many meanings.
func TestErrorClasses(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		class  psa.Class
	}{
		"validation":             {500, `{"errors":["Missing Required Field: title."]}`, psa.Permanent},
		"validation with time":   {500, `{"errors":["dueDateTime must be in the future."]}`, psa.Permanent},
		"threads, as 500":        {500, `{"errors":["Itgenatr005: The Autotask API thread threshold of 3 threads has been exceeded."]}`, psa.Throttled},
		"threads, without code":  {500, `{"errors":["The Autotask API thread threshold of 3 threads has been exceeded."]}`, psa.Throttled},
		"threads, as 429":        {429, `{"errors":["Itgenatr005"]}`, psa.Throttled},
		"threads, as 403":        {403, `{"errors":["Itgenatr005"]}`, psa.Throttled},
		"the hour, as 500":       {500, `{"errors":["You have exceeded the external request threshold of 10000 in 60 minutes."]}`, psa.Throttled},
		"429, silent":            {429, ``, psa.Throttled},
		"permissions":            {500, `{"errors":["The logged in Resource does not have the adequate permissions to create this entity type."]}`, psa.Auth},
		"a resource's rights":    {500, `{"errors":["The resource has no permission record for this queue."]}`, psa.Permanent},
		"unauthorized":           {401, ``, psa.Auth},
		"forbidden":              {403, `{"errors":["no"]}`, psa.Auth},
		"bad request":            {400, `{"errors":["no"]}`, psa.Permanent},
		"500, silent":            {500, ``, psa.Uncertain},
		"500, no errors":         {500, `{"errors":[]}`, psa.Uncertain},
		"500, a message":         {500, `{"Message":"An error has occurred: Missing field."}`, psa.Permanent},
		"500, the database":      {500, `{"errors":["Transaction was deadlocked on lock resources."]}`, psa.Uncertain},
		"500, too late":          {500, `{"errors":["The operation has timed out."]}`, psa.Uncertain},
		"500, no idea":           {500, `{"errors":["An unexpected error occurred."]}`, psa.Uncertain},
		"502 with text":          {502, `{"errors":["Missing Required Field: title."]}`, psa.Uncertain},
		"503":                    {503, `{"Message":"Service Unavailable"}`, psa.Uncertain},
		"504":                    {504, ``, psa.Uncertain},
		"200 with an error":      {200, `{"errors":["no"]}`, psa.Uncertain},
		"200 with id 0":          {200, `{"itemId":0}`, psa.Uncertain},
		"200 with an id as text": {200, `{"itemId":"1"}`, psa.Uncertain},
	} {
		b := newBench(t, nil, func(server http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost {
					server.ServeHTTP(w, r)
					return
				}
				if c.body != "" {
					w.Header().Set("Content-Type", "application/json; charset=utf-8")
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			})
		})
		_, err := b.acme(t).Create(t.Context(), b.draft("a"))
		if got := psa.ClassOf(err); got != c.class {
			t.Errorf("%s: %q (%v), want %q", name, got, err, c.class)
		}
	}
}

// TestPreparationIsNotAWrite: what goes wrong before a write is sent leaves no
// doubt about it.
func TestPreparationIsNotAWrite(t *testing.T) {
	b := newBench(t, nil, nil)
	c := b.acme(t)
	made, err := c.Create(t.Context(), b.draft("a"))
	if err != nil {
		t.Fatal(err)
	}
	for path, write := range map[string]func(*autotask.Client) error{
		"/zoneInformation": func(c *autotask.Client) error { _, err := c.Create(t.Context(), b.draft("b")); return err },
		"/Contacts/query": func(c *autotask.Client) error {
			d := b.draft("b")
			d.Public = true
			_, err := c.Create(t.Context(), d)
			return err
		},
		"/TicketNotes/entityInformation/fields": func(c *autotask.Client) error {
			return c.AddNote(t.Context(), made.ID, psa.Note{Marker: "bwn:1", Body: "x"})
		},
		"/Tickets/entityInformation/fields": func(c *autotask.Client) error { return c.Close(t.Context(), made.ID, psa.Closing{}) },
	} {
		b.memory = nil // a client that knows nothing
		b.server.Inject(standin.Fault{Path: path, Action: standin.Drop})
		if err := write(b.acme(t)); psa.ClassOf(err) != psa.NotSent {
			t.Errorf("%s fails: %v", path, err)
		}
	}
	// A ticket that was made is made, even if it cannot be read.
	b.server.Inject(standin.Fault{Method: http.MethodGet, Path: "/Tickets/*", Action: standin.Drop})
	unread, err := c.Create(t.Context(), b.draft("c"))
	if err != nil || unread.ID == "" || unread.URL == "" || unread.CompanyID != b.company(1) || unread.Status != "1" {
		t.Errorf("%+v, %v", unread, err)
	}
}

// TestAssignment: a ticket goes to the queue, or to the person in the role.
func TestAssignment(t *testing.T) {
	b := newBench(t, nil, nil)
	c := b.acme(t)
	d := b.draft("a")
	settings := b.settings()
	settings.Destination = autotask.ToResource
	settings.Resource = autotask.Assignee{ID: b.ada(), Role: autotask.Choice{ID: technician}}
	settings.DueDays = 10
	d.Settings = settings
	d.CompanyID = "0" // the MSP itself
	made, err := c.Create(t.Context(), d)
	if err != nil || made.CompanyID != "0" || made.AssigneeID != strconv.FormatInt(b.ada(), 10) {
		t.Fatalf("%+v, %v", made, err)
	}
	held := b.server.Tickets(user)[0]
	if held.QueueID != 0 || held.RoleID != technician || held.ExternalID != d.Marker || held.Source != 8 || held.Priority != 2 {
		t.Errorf("held %+v", held)
	}
	if days := time.Until(held.Due).Hours() / 24; days < 9.9 || days > 10.1 {
		t.Errorf("due in %.1f days", days)
	}
	if found, err := c.Find(t.Context(), d.Marker, "0", time.Now()); err != nil || len(found) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
	settings.Resource.Role.ID = technician + 1
	d.Settings = settings
	if _, err := c.Create(t.Context(), d); psa.ClassOf(err) != psa.Permanent {
		t.Errorf("an abolished role: %v", err)
	}
}

// TestResolution: written once, and never over a technician's.
func TestResolution(t *testing.T) {
	b := newBench(t, nil, nil)
	c := b.acme(t)
	for i, theirs := range []string{"", "Replaced the disk."} {
		made, err := c.Create(t.Context(), b.draft(strconv.Itoa(i)))
		if err != nil {
			t.Fatal(err)
		}
		id, _ := strconv.ParseInt(made.ID, 10, 64)
		b.server.Edit(user, id, func(t *standin.Ticket) { t.Resolution = theirs })
		for range 2 {
			if err := c.Close(t.Context(), made.ID, psa.Closing{Resolution: " Recovered. "}); err != nil {
				t.Fatal(err)
			}
		}
		want := theirs
		if want == "" {
			want = "Recovered."
		}
		if got := b.server.Tickets(user)[i]; got.Resolution != want || got.CompletedAt.IsZero() {
			t.Errorf("resolution %q of %+v", got.Resolution, got)
		}
	}
}

// TestOwnStatuses: where an MSP has its own words, Autotask's numbers count;
// where it has its own numbers, the words; and no closing is guessed.
func TestOwnStatuses(t *testing.T) {
	for name, c := range map[string]struct {
		statuses []standin.Pick
		closes   bool
	}{
		"renamed":         {[]standin.Pick{{Value: 1, Label: "Neu"}, {Value: 5, Label: "Erledigt"}}, true},
		"none that is it": {[]standin.Pick{{Value: 1, Label: "New"}, {Value: 9, Label: "Done"}}, false},
	} {
		b := newBench(t, func(config *standin.Config) { config.Accounts[0].Statuses = c.statuses }, nil)
		v := b.acme(t)
		made, err := v.Create(t.Context(), b.draft("a"))
		if err != nil {
			t.Fatal(err)
		}
		err = v.Close(t.Context(), made.ID, psa.Closing{})
		if (err == nil) != c.closes || (err != nil && psa.ClassOf(err) != psa.Permanent) {
			t.Errorf("%s: %v", name, err)
		}
		if err := v.Close(t.Context(), made.ID, psa.Closing{Status: strconv.Itoa(c.statuses[1].Value)}); err != nil {
			t.Errorf("%s, by its value: %v", name, err)
		}
	}
}

// TestBoundedPages: a look-up that hits its bound is an error, not absence.
func TestBoundedPages(t *testing.T) {
	b := newBench(t, nil, nil)
	config := b.config()
	config.PageSize, config.MaxPages = 1, 1
	c, err := autotask.New(config, autotask.Credentials{Username: user, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	d := b.draft("a")
	for range 2 {
		if _, err := c.Create(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := c.Find(t.Context(), d.Marker, d.CompanyID, time.Now()); psa.ClassOf(err) != psa.Uncertain {
		t.Errorf("with one page of two read: %v, %v", found, err)
	}
}

// TestThreads: calls beyond three at once are throttled, and none of them is
// lost or doubled when it is sent again.
func TestThreads(t *testing.T) {
	for _, status := range []int{http.StatusInternalServerError, http.StatusTooManyRequests} {
		b := newBench(t, func(config *standin.Config) { config.Threads, config.LimitStatus = 3, status }, nil)
		c := b.acme(t)
		if _, err := c.Options(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, release := context.WithCancel(t.Context())
		b.server.Inject(standin.Fault{Method: http.MethodPost, Path: "/Tickets", Action: standin.CommitSlow, Count: 3})
		var slow sync.WaitGroup
		for i := range 3 {
			slow.Go(func() {
				if _, err := c.Create(ctx, b.draft(fmt.Sprint("slow", i))); psa.ClassOf(err) != psa.Uncertain {
					t.Error(err)
				}
			})
		}
		poll(t, func() bool { return len(b.server.Tickets(user)) == 3 })
		_, err := c.Create(t.Context(), b.draft("fourth"))
		if psa.ClassOf(err) != psa.Throttled {
			t.Errorf("the fourth at once, as %d: %v", status, err)
		}
		if _, err := c.Company(t.Context(), b.company(1)); err != nil {
			t.Errorf("another kind of object: %v", err)
		}
		if _, err := b.client(t, otherUser, otherKey).Options(t.Context()); err != nil {
			t.Errorf("another account: %v", err)
		}
		release()
		slow.Wait()
		poll(t, func() bool { _, err := c.Create(t.Context(), b.draft("fourth")); return err == nil })
		if n := len(b.server.Tickets(user)); n != 4 {
			t.Errorf("%d tickets", n)
		}
	}
}

func poll(t *testing.T, done func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it does not come true")
		}
	}
}

// TestUsage: the hour is shared with a noisy neighbour, and its end is a pause
// and not a failure.
func TestUsage(t *testing.T) {
	b := newBench(t, func(config *standin.Config) { config.PerHour = 100 }, nil)
	c := b.acme(t)
	b.server.Burn(user, 90)
	u, err := c.Usage(t.Context())
	if err != nil || u != (psa.Usage{Threshold: 100, Used: 91, Window: time.Hour}) || u.Left() != 9 {
		t.Errorf("%+v, %v", u, err)
	}
	b.server.Burn(user, 100)
	if _, err := c.Create(t.Context(), b.draft("a")); psa.ClassOf(err) != psa.Throttled {
		t.Error(err)
	}
	if _, err := b.client(t, otherUser, otherKey).Usage(t.Context()); err != nil {
		t.Errorf("another database: %v", err)
	}
	if n := len(b.server.Tickets(user)); n != 0 {
		t.Errorf("%d tickets", n)
	}
}

// TestErrorText: both shapes, and nothing else.
func TestErrorText(t *testing.T) {
	for body, want := range map[string]string{
		`{"errors":["one","two\n three"]}`:                   "one; two three",
		`{"errors":"one"}`:                                   "one",
		`{"Message":"No HTTP resource"}`:                     "No HTTP resource",
		`{"errors":{"b":["two"],"a":[{"message":"one"},1]}}`: "one; two",
		`{"errors":null}`:                                    "",
		`{"itemId":1}`:                                       "",
		`[]`:                                                 "",
		``:                                                   "",
		`{"errors":["Itgenatr005"],"message":"Slow down"}`:      "Itgenatr005; Slow down",
		`{"errors":[""," "],"Message":null,"unrelated":"text"}`: "",
	} {
		if got := autotask.ErrorText([]byte(body)); got != want {
			t.Errorf("%s reads %q, want %q", body, got, want)
		}
	}
}

// FuzzErrorAnswer: whatever a server answers to a ticket, the client says that
// it failed, in bounded, valid text without the secret.
func FuzzErrorAnswer(f *testing.F) {
	f.Add(500, `{"errors":["a",{"b":["c"]},1,null,true]}`, "application/json")
	f.Add(500, `{"errors":["Itgenatr005"]}`, "application/json; charset=utf-8")
	f.Add(200, `{"itemId":-1,"errors":["no"]}`, "application/json")
	f.Add(502, "<title>"+secret+"</title>", "text/html")
	f.Add(429, `{"Message":"`+secret+`"}`, "application/json")
	var status int
	var body, kind, root string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/zoneInformation") {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"url":"` + root + `/ATServicesRest/"}`))
			return
		}
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // a status without a body refuses it
	}))
	root = server.URL
	f.Cleanup(server.Close)
	client, err := autotask.New(bench{url: server.URL}.config(), autotask.Credentials{Username: user, Secret: secret})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s int, b, k string) {
		status, body, kind = 200+max(s, -s)%400, b, k
		remote, err := client.Create(context.Background(), psa.Draft{Marker: "bw:1", CompanyID: "1", Title: "t", Settings: bench{}.settings()})
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
		if !utf8.ValidString(e.Vendor) || len(e.Vendor) > 2000 || strings.Contains(e.Error(), secret) {
			t.Fatalf("text %q", e.Error())
		}
	})
}

func TestConfigAndCredentials(t *testing.T) {
	good := autotask.Config{IntegrationCode: code, Timeout: time.Second, PageSize: 500, MaxPages: 1, Logger: quiet(), Clock: time.Now}
	for name, spoil := range map[string]func(*autotask.Config){
		"no code": func(c *autotask.Config) { c.IntegrationCode = "" }, "no timeout": func(c *autotask.Config) { c.Timeout = 0 },
		"page of 501": func(c *autotask.Config) { c.PageSize = 501 }, "page of 0": func(c *autotask.Config) { c.PageSize = 0 },
		"no pages": func(c *autotask.Config) { c.MaxPages = 0 }, "no logger": func(c *autotask.Config) { c.Logger = nil },
		"no clock": func(c *autotask.Config) { c.Clock = nil }, "http": func(c *autotask.Config) { c.DiscoveryURL = "http://example.com" },
	} {
		config := good
		spoil(&config)
		if _, err := autotask.New(config, autotask.Credentials{Username: user, Secret: secret}); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for name, c := range map[string]struct {
		credentials autotask.Credentials
		field       string
	}{
		"whole":        {autotask.Credentials{Username: user, Secret: secret}, ""},
		"no user":      {autotask.Credentials{Secret: secret}, "username"},
		"no secret":    {autotask.Credentials{Username: user}, "secret"},
		"a line in it": {autotask.Credentials{Username: user, Secret: "a\r\nX: y"}, "secret"},
		"accents":      {autotask.Credentials{Username: "é", Secret: secret}, "username"},
		"space around": {autotask.Credentials{Username: user, Secret: secret + " "}, "secret"},
		"too long":     {autotask.Credentials{Username: user, Secret: strings.Repeat("x", 501)}, "secret"},
	} {
		_, err := autotask.New(good, c.credentials)
		e, _ := errors.AsType[*fault.Error](err)
		if (c.field == "") != (err == nil) || (e != nil && e.Field != c.field) {
			t.Errorf("%s: %v, want a fault of %q", name, err, c.field)
		}
	}
	if _, err := autotask.NewMemory(0); err == nil {
		t.Error("a memory of nothing is accepted")
	}
}
