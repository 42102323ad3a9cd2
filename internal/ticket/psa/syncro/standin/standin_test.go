package standin_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

type setup struct {
	*standin.Server
	url string
}

func start(t *testing.T, perMinute int, clock func() time.Time) setup {
	t.Helper()
	s, err := standin.New(standin.Config{
		Accounts: []standin.Account{
			{Subdomain: "acme", Token: "a", Customers: []standin.Customer{{ID: 501, BusinessName: "<b>Dunder</b>"}}},
			{Subdomain: "globex", Token: "b", Customers: []standin.Customer{{ID: 502, BusinessName: "Initech"}}},
		},
		PerMinute: perMinute, Logger: slog.New(slog.DiscardHandler), Clock: clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return setup{Server: s, url: web.URL}
}

func (s setup) call(t *testing.T, token, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := (&http.Client{Timeout: time.Minute}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// TestRefusals: it refuses what it must, in Syncro's three shapes, and keeps
// nothing of it.
func TestRefusals(t *testing.T) {
	s := start(t, 0, time.Now)
	for name, c := range map[string]struct {
		token, method, path, body string
		status                    int
		says                      string
	}{
		"no token":         {"", "GET", "/api/v1/me", "", 401, `{"error":`},
		"wrong token":      {"x", "POST", "/api/v1/tickets", `{}`, 401, `{"error":`},
		"no base path":     {"a", "POST", "/tickets", `{}`, 404, ``},
		"no such path":     {"a", "GET", "/api/v1/ticket", ``, 404, `{"error":`},
		"no JSON":          {"a", "POST", "/api/v1/tickets", `subject=x`, 400, `{"error":`},
		"no customer":      {"a", "POST", "/api/v1/tickets", `{"subject":"x"}`, 422, `{"error":"Customer required field"}`},
		"no subject":       {"a", "POST", "/api/v1/tickets", `{"customer_id":501}`, 422, `{"message":["Subject can't be blank"],"success":false}`},
		"blank subject":    {"a", "POST", "/api/v1/tickets", `{"customer_id":501,"subject":" "}`, 422, `can't be blank`},
		"long subject":     {"a", "POST", "/api/v1/tickets", `{"customer_id":501,"subject":"` + strings.Repeat("é", 256) + `"}`, 422, `too long`},
		"other's customer": {"a", "POST", "/api/v1/tickets", `{"customer_id":502,"subject":"x"}`, 422, `Customer must exist`},
		"unknown field":    {"a", "POST", "/api/v1/tickets", `{"customer_id":501,"subject":"x","externalId":"1"}`, 422, `{"errors":{"base":[`},
		"text as id":       {"a", "POST", "/api/v1/tickets", `{"customer_id":"501","subject":"x"}`, 422, `{"errors":{"customer_id":[`},
		"bad status":       {"a", "POST", "/api/v1/tickets", `{"customer_id":501,"subject":"x","status":"Nope"}`, 422, `Status`},
		"bad problem type": {"a", "POST", "/api/v1/tickets", `{"customer_id":501,"subject":"x","problem_type":"Nope"}`, 422, `Problem type`},
		"bad priority":     {"a", "POST", "/api/v1/tickets", `{"customer_id":501,"subject":"x","priority":"2"}`, 422, `Priority`},
		"bad user":         {"a", "POST", "/api/v1/tickets", `{"customer_id":501,"subject":"x","user_id":99}`, 422, `User`},
		"bad due date":     {"a", "POST", "/api/v1/tickets", `{"customer_id":501,"subject":"x","due_date":"soon"}`, 422, `Due date`},
		"bad comment":      {"a", "POST", "/api/v1/tickets", `{"customer_id":501,"subject":"x","comments_attributes":[{"body":"y"}]}`, 422, `Subject can't be blank`},
		"absent ticket":    {"a", "PUT", "/api/v1/tickets/1", `{}`, 404, `{"error":`},
		"long request":     {"a", "POST", "/api/v1/tickets", `"` + strings.Repeat("x", 2<<20) + `"`, 413, `{"error":`},
	} {
		status, text := s.call(t, c.token, c.method, c.path, c.body)
		if status != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d %s, want %d %s", name, status, text, c.status, c.says)
		}
	}
	if n := len(s.Tickets("a")) + len(s.Tickets("b")); n != 0 {
		t.Errorf("%d tickets were made", n)
	}
}

// TestLimit: 3 a minute by source address, whoever asks, and again in the next.
func TestLimit(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s := start(t, 3, func() time.Time { return now })
	for i, want := range []int{200, 200, 200, 429, 429} {
		if status, _ := s.call(t, []string{"a", "b"}[i%2], "GET", "/api/v1/me", ""); status != want {
			t.Errorf("call %d: %d, want %d", i, status, want)
		}
	}
	now = now.Add(time.Minute)
	if status, _ := s.call(t, "a", "GET", "/api/v1/me", ""); status != 200 {
		t.Errorf("a minute later: %d", status)
	}
}

// TestPage: a person sees what arrived, and nothing that arrived is run.
func TestPage(t *testing.T) {
	s := start(t, 0, time.Now)
	status, text := s.call(t, "a", "POST", "/api/v1/tickets", `{"customer_id":501,"subject":"<script>alert(1)</script>","tag_list":["bw-x"],
		"comments_attributes":[{"subject":"Initial Issue","body":"one\n<img src=x>","do_not_email":true}]}`)
	if status != 200 {
		t.Fatal(text)
	}
	var made struct{ Ticket struct{ ID json.Number } }
	if err := json.Unmarshal([]byte(text), &made); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/tickets/" + made.Ticket.ID.String()} {
		status, page := s.call(t, "", "GET", path, "")
		if status != 200 || !strings.Contains(page, "&lt;script&gt;alert(1)") || !strings.Contains(page, "&lt;img") || !strings.Contains(page, "&lt;b&gt;Dunder") {
			t.Errorf("%s: %d\n%s", path, status, page)
		}
		for _, raw := range []string{"<script", "<img", "<b>"} {
			if strings.Contains(page, raw) {
				t.Errorf("%s holds %s", path, raw)
			}
		}
	}
	if status, _ := s.call(t, "", "GET", "/tickets/x", ""); status != 404 {
		t.Errorf("a page of no ticket: %d", status)
	}
}

// TestRevoke: a token stops, and works again.
func TestRevoke(t *testing.T) {
	s := start(t, 0, time.Now)
	for i, want := range []int{200, 401, 200} {
		s.Revoke("a", i == 1)
		if status, _ := s.call(t, "a", "GET", "/api/v1/me", ""); status != want {
			t.Errorf("step %d: %d, want %d", i, status, want)
		}
		if status, _ := s.call(t, "b", "GET", "/api/v1/me", ""); status != 200 {
			t.Errorf("step %d: the other account: %d", i, status)
		}
	}
}

// TestFaultCounts: skip, count and mend.
func TestFaultCounts(t *testing.T) {
	s := start(t, 0, time.Now)
	s.Inject(standin.Fault{Method: "GET", Path: "/me", Skip: 1, Count: 2, Action: standin.Fail500})
	for i, want := range []int{200, 500, 500, 200} {
		if status, _ := s.call(t, "a", "GET", "/api/v1/me", ""); status != want {
			t.Errorf("call %d: %d, want %d", i, status, want)
		}
	}
	s.Inject(standin.Fault{Token: "b", Count: -1, Action: standin.Unauthorized})
	if status, _ := s.call(t, "a", "GET", "/api/v1/me", ""); status != 200 {
		t.Errorf("a fault of one account strikes another: %d", status)
	}
	for range 3 {
		if status, _ := s.call(t, "b", "GET", "/api/v1/me", ""); status != 401 {
			t.Errorf("an endless fault ends: %d", status)
		}
	}
	s.Mend()
	if status, _ := s.call(t, "b", "GET", "/api/v1/me", ""); status != 200 {
		t.Errorf("after mending: %d", status)
	}
	if n := len(s.Requests("GET", "/me")); n != 9 {
		t.Errorf("%d requests were counted, want 9", n)
	}
}

func TestConfig(t *testing.T) {
	good := standin.Config{Accounts: []standin.Account{{Token: "a"}}, Logger: slog.New(slog.DiscardHandler), Clock: time.Now}
	for name, spoil := range map[string]func(*standin.Config){
		"no accounts":   func(c *standin.Config) { c.Accounts = nil },
		"no token":      func(c *standin.Config) { c.Accounts = []standin.Account{{}} },
		"token twice":   func(c *standin.Config) { c.Accounts = []standin.Account{{Token: "a"}, {Token: "a"}} },
		"no logger":     func(c *standin.Config) { c.Logger = nil },
		"no clock":      func(c *standin.Config) { c.Clock = nil },
		"nothing wrong": func(*standin.Config) {},
	} {
		c := good
		spoil(&c)
		if _, err := standin.New(c); (err == nil) != (name == "nothing wrong") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
