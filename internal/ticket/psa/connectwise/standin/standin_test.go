package standin_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise/standin"
)

const (
	client = "5f3d9c1e-2b7a-4c8e-9d10-6a4b3c2d1e0f"
	accept = "application/vnd.connectwise.com+json; version=2025.1"
	api    = "/v2025_1/apis/3.0"
)

type setup struct {
	*standin.Server
	url string
}

func start(t *testing.T, change func(*standin.Config)) setup {
	t.Helper()
	config := standin.Config{
		Accounts: []standin.Account{
			{
				CompanyID: "acme", PublicKey: "a", PrivateKey: "x",
				Companies: []standin.Company{{ID: 501, Name: "<b>Dunder</b>"}, {ID: 503, Name: "Vance", Deleted: true}},
				Boards: []standin.Board{
					{ID: 11, Name: "Help Desk", Statuses: []standin.Status{{ID: 111, Name: "New", Default: true}, {ID: 112, Name: "Closed", Closed: true}, {ID: 113, Name: "Old", Inactive: true}}},
					{ID: 12, Name: "Other", Statuses: []standin.Status{{ID: 121, Name: "New", Default: true}}},
				},
				Priorities: []standin.Choice{{ID: 21, Name: "High"}},
			},
			{CompanyID: "globex", PublicKey: "b", PrivateKey: "x", CodeBase: "v4_6_release/", OnPremises: true, Companies: []standin.Company{{ID: 502, Name: "Initech"}}},
		},
		ClientIDs: []string{client}, Logger: slog.New(slog.DiscardHandler), Clock: time.Now,
	}
	if change != nil {
		change(&config)
	}
	s, err := standin.New(config)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return setup{Server: s, url: web.URL}
}

func request(t *testing.T, target, method, user, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", accept)
	r.Header.Set("clientId", client)
	if user != "" {
		r.SetBasicAuth(user, "x")
	}
	return r
}

func send(t *testing.T, r *http.Request) (int, string, http.Header) {
	t.Helper()
	answer, err := (&http.Client{Timeout: 30 * time.Second}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text), answer.Header
}

func (s setup) call(t *testing.T, method, path, body string) (int, string, http.Header) {
	t.Helper()
	return send(t, request(t, s.url+api+path, method, "acme+a", body))
}

func (s setup) make(t *testing.T, fields string) int64 {
	t.Helper()
	status, text, _ := s.call(t, "POST", "/service/tickets", `{"summary":"x","company":{"id":501}`+fields+`}`)
	var made struct{ ID int64 }
	if err := json.Unmarshal([]byte(text), &made); status != http.StatusCreated || err != nil {
		t.Fatalf("%d %s", status, text)
	}
	return made.ID
}

// TestEntrance: who is let in, in which words, and how others are told.
func TestEntrance(t *testing.T) {
	s := start(t, nil)
	for name, c := range map[string]struct {
		path, user, header, value string
		status                    int
		says                      string
	}{
		"good":                     {api + "/service/boards", "acme+a", "", "", 200, `[{`},
		"no keys, in the cloud":    {api + "/service/boards", "", "", "", 404, `"code":"NotFound"`},
		"wrong keys, in the cloud": {api + "/service/boards", "acme+z", "", "", 404, `"code":"NotFound"`},
		"another's company":        {api + "/service/boards", "globex+a", "", "", 404, `"code":"NotFound"`},
		"wrong keys, on premises":  {"/v4_6_release/apis/3.0/service/boards", "globex+z", "", "", 401, `"code":"Unauthorized"`},
		"another's code base":      {"/v4_6_release/apis/3.0/service/boards", "acme+a", "", "", 404, `<title>404`},
		"an old code base":         {"/v2024_1/apis/3.0/service/boards", "acme+a", "", "", 404, `<title>404`},
		"no code base":             {"/apis/3.0/service/boards", "acme+a", "", "", 404, ``},
		"no client id":             {api + "/service/boards", "acme+a", "clientId", "", 401, `clientId`},
		"another client id":        {api + "/service/boards", "acme+a", "clientId", strings.Replace(client, "5", "6", 1), 401, `clientId`},
		"plain JSON":               {api + "/service/boards", "acme+a", "Accept", "application/json", 406, `Accept`},
		"no version":               {api + "/service/boards", "acme+a", "Accept", "application/vnd.connectwise.com+json", 406, `Accept`},
		"another version":          {api + "/service/boards", "acme+a", "Accept", strings.Replace(accept, "2025", "2031", 1), 406, `Accept`},
		"no such path":             {api + "/service/board", "acme+a", "", "", 404, `"code":"NotFound"`},
		"a URL too long":           {api + "/service/boards?x=" + strings.Repeat("x", 2000), "acme+a", "", "", 404, `<title>404`},
		"company info":             {"/login/companyinfo/acme", "", "", "", 200, `"Codebase":"v2025_1/"`},
		"on premises":              {"/login/companyinfo/GLOBEX", "", "", "", 200, `"IsCloud":false`},
		"nobody's info":            {"/login/companyinfo/nobody", "", "", "", 200, `null`},
	} {
		r := request(t, s.url+c.path, "GET", c.user, "")
		if c.header != "" {
			r.Header.Set(c.header, c.value)
		}
		if status, text, _ := send(t, r); status != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d %s, want %d and %s", name, status, text, c.status, c.says)
		}
	}
}

// TestRefusals: it refuses what it must, names the field, and keeps nothing.
func TestRefusals(t *testing.T) {
	s := start(t, nil)
	id := s.make(t, `,"severity":"Low","impact":"Low"`)
	bare := s.make(t, ``)
	before := s.Tickets("a")
	ticket := func(fields string) string { return `{"summary":"x","company":{"id":501}` + fields + `}` }
	one, other := fmt.Sprintf("/service/tickets/%d", id), fmt.Sprintf("/service/tickets/%d", bare)
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		says               string
	}{
		"no JSON":               {"POST", "/service/tickets", `summary=x`, 400, `InvalidJson`},
		"no summary":            {"POST", "/service/tickets", `{"company":{"id":501}}`, 400, `"field":"summary"`},
		"long summary":          {"POST", "/service/tickets", `{"summary":"` + strings.Repeat("😀", 51) + `","company":{"id":501}}`, 400, `"field":"summary"`},
		"no company":            {"POST", "/service/tickets", `{"summary":"x"}`, 400, `"field":"company/id"`},
		"other's company":       {"POST", "/service/tickets", `{"summary":"x","company":{"id":502}}`, 400, `Company not found`},
		"deleted company":       {"POST", "/service/tickets", `{"summary":"x","company":{"id":503}}`, 400, `Company not found`},
		"company as text":       {"POST", "/service/tickets", `{"summary":"x","company":"501"}`, 400, `"code":"InvalidObject"`},
		"unknown field":         {"POST", "/service/tickets", ticket(`,"dueDate":"x"`), 400, `unknown field`},
		"unknown in reference":  {"POST", "/service/tickets", ticket(`,"board":{"id":11,"x":1}`), 400, `unknown field`},
		"long xref":             {"POST", "/service/tickets", ticket(`,"externalXRef":"` + strings.Repeat("x", 101) + `"`), 400, `"field":"externalXRef"`},
		"no date":               {"POST", "/service/tickets", ticket(`,"requiredDate":"2026-12-01"`), 400, `"field":"requiredDate"`},
		"other's status":        {"POST", "/service/tickets", ticket(`,"board":{"id":11},"status":{"id":121}`), 400, `Service Status not found for Service Board Help Desk`},
		"inactive status":       {"POST", "/service/tickets", ticket(`,"status":{"id":113}`), 400, `"field":"status/id"`},
		"no board":              {"POST", "/service/tickets", ticket(`,"board":{"id":99}`), 400, `"field":"board/id"`},
		"no priority":           {"POST", "/service/tickets", ticket(`,"priority":{"id":99}`), 400, `"field":"priority/id"`},
		"no source":             {"POST", "/service/tickets", ticket(`,"source":{"id":21}`), 400, `"field":"source/id"`},
		"own severity":          {"POST", "/service/tickets", ticket(`,"severity":"medium"`), 400, `"field":"severity"`},
		"project ticket":        {"POST", "/service/tickets", ticket(`,"recordType":"ProjectTicket"`), 400, `"field":"recordType"`},
		"object as PATCH":       {"PATCH", one, `{"status":{"id":112}}`, 400, `InvalidObject`},
		"unknown operation":     {"PATCH", one, `[{"op":"set","path":"status","value":{"id":112}}]`, 400, `InvalidOperation`},
		"unknown path":          {"PATCH", one, `[{"op":"replace","path":"state","value":1}]`, 400, `unknown field`},
		"PATCH to other's":      {"PATCH", one, `[{"op":"replace","path":"status","value":{"id":121}}]`, 400, `Service Status not found`},
		"PATCH, no severity":    {"PATCH", other, `[{"op":"replace","path":"status","value":{"id":112}},{"op":"replace","path":"impact","value":"Low"}]`, 400, `"field":"severity"`},
		"PATCH of no ticket":    {"PATCH", "/service/tickets/99999", `[]`, 404, `NotFound`},
		"nested path":           {"PATCH", one, `[{"op":"replace","path":"status/id","value":112}]`, 200, `"closedFlag":false`},
		"note without text":     {"POST", one + "/notes", `{"internalAnalysisFlag":true}`, 400, `"field":"text"`},
		"note of no kind":       {"POST", one + "/notes", `{"text":"x"}`, 400, `InvalidObject`},
		"note with a title":     {"POST", one + "/notes", `{"title":"x","text":"x","internalAnalysisFlag":true}`, 400, `unknown field`},
		"page too big":          {"GET", "/service/tickets?pageSize=1001", ``, 400, `pageSize`},
		"page zero":             {"GET", "/service/tickets?page=0", ``, 400, `page`},
		"order by nothing":      {"GET", "/service/tickets?orderBy=x", ``, 400, `orderBy`},
		"no such field":         {"GET", "/service/tickets?fields=id,x", ``, 400, `fields`},
		"conditions: no field":  {"GET", "/service/tickets?conditions=" + url.QueryEscape(`x="1"`), ``, 400, `no field`},
		"conditions: no end":    {"GET", "/service/tickets?conditions=" + url.QueryEscape(`summary="1`), ``, 400, `does not end`},
		"conditions: backslash": {"GET", "/service/tickets?conditions=" + url.QueryEscape(`summary="\"`), ``, 400, `backslash`},
		"conditions: trailing":  {"GET", "/service/tickets?conditions=" + url.QueryEscape(`id=1 id=2`), ``, 400, `unexpected`},
		"conditions: no type":   {"GET", "/service/tickets?conditions=" + url.QueryEscape(`id="1"`), ``, 400, `number`},
		"conditions: bracket":   {"GET", "/service/tickets?conditions=" + url.QueryEscape(`(id=1`), ``, 400, `bracket`},
	} {
		if status, text, _ := s.call(t, c.method, c.path, c.body); status != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d %s, want %d and %s", name, status, text, c.status, c.says)
		}
	}
	after := s.Tickets("a")
	if len(after) != 2 || after[0].StatusID != before[0].StatusID || len(after[0].Notes)+len(after[1].Notes) != 0 {
		t.Errorf("what was refused is kept: %+v", after)
	}
}

// TestConditionsAndPages: what lists hold, and where the Link header leads.
func TestConditionsAndPages(t *testing.T) {
	s := start(t, nil)
	for i := range 30 {
		s.make(t, fmt.Sprintf(`,"externalXRef":"bw:%02d"`, i))
	}
	count := func(text string) int { return strings.Count(text, `"summary"`) }
	for conditions, want := range map[string]int{
		``: 30, `externalXRef="BW:07"`: 1, `externalXRef="bw:99"`: 0, `externalXRef contains "bw:1" and company/id=501`: 10,
		`company/id=502 or externalXRef="bw:01"`: 1, `(externalXRef="bw:01" or externalXRef="bw:02") and closedFlag=False`: 2,
		`closedFlag=True`: 0, `closedFlag!=True and id>0`: 30, `externalXRef like "%:2%"`: 10, `id<0`: 0,
	} {
		status, text, _ := s.call(t, "GET", "/service/tickets?pageSize=100&conditions="+url.QueryEscape(conditions), "")
		if status != 200 || count(text) != want {
			t.Errorf("%s: %d with %d tickets, want %d", conditions, status, count(text), want)
		}
		raw, _ := json.Marshal(map[string]string{"conditions": conditions})
		status, text, _ = s.call(t, "POST", "/service/tickets/search?pageSize=100", string(raw))
		if status != 200 || count(text) != want {
			t.Errorf("search for %s: %d with %d tickets, want %d", conditions, status, count(text), want)
		}
	}
	_, first, header := s.call(t, "GET", "/service/tickets?orderBy=id%20asc", "")
	if count(first) != 25 || !strings.Contains(first, `"bw:00"`) || !strings.Contains(header.Get("Link"), `page=2>; rel="next"`) {
		t.Errorf("first page of %d, link %q", count(first), header.Get("Link"))
	}
	_, second, header := s.call(t, "GET", "/service/tickets?orderBy=id%20asc&page=2", "")
	if count(second) != 5 || strings.Contains(header.Get("Link"), `"next"`) || !strings.Contains(header.Get("Link"), `"prev"`) {
		t.Errorf("second page of %d, link %q", count(second), header.Get("Link"))
	}
	if _, newest, _ := s.call(t, "GET", "/service/tickets?pageSize=1&fields=id,externalXRef", ""); !strings.HasPrefix(newest, `[{"externalXRef":"bw:29","id":`) {
		t.Errorf("the newest is %s", newest)
	}
}

// TestLimit: a company's calls in a minute, counted apart, and when to return.
func TestLimit(t *testing.T) {
	now := time.Now()
	s := start(t, func(c *standin.Config) {
		c.PerMinute, c.Clock = 3, func() time.Time { return now }
	})
	for i, want := range []int{200, 200, 200, 429} {
		now = now.Add(time.Second)
		status, _, header := s.call(t, "GET", "/service/boards", "")
		if status != want || (want == 429) != (header.Get("Retry-After") == "57") {
			t.Errorf("call %d: %d after %q", i, status, header.Get("Retry-After"))
		}
	}
	if status, _, _ := send(t, request(t, s.url+"/v4_6_release/apis/3.0/service/boards", "GET", "globex+b", "")); status != 200 {
		t.Errorf("another company is throttled: %d", status)
	}
	now = now.Add(time.Minute)
	if status, _, _ := s.call(t, "GET", "/service/boards", ""); status != 200 {
		t.Errorf("a minute later: %d", status)
	}
}

// TestSearchLag: a new ticket is there at once and listed later.
func TestSearchLag(t *testing.T) {
	now := time.Now()
	s := start(t, func(c *standin.Config) {
		c.SearchLag, c.Clock = 30*time.Second, func() time.Time { return now }
	})
	id := s.make(t, "")
	if status, _, _ := s.call(t, "GET", fmt.Sprintf("/service/tickets/%d", id), ""); status != 200 {
		t.Errorf("read: %d", status)
	}
	if _, text, _ := s.call(t, "GET", "/service/tickets", ""); text != "[]" {
		t.Errorf("listed at once: %s", text)
	}
	now = now.Add(time.Minute)
	if _, text, _ := s.call(t, "GET", "/service/tickets", ""); text == "[]" {
		t.Error("not listed a minute later")
	}
}

// TestFaultCounts: skip, count and mend, of one account and of all.
func TestFaultCounts(t *testing.T) {
	s := start(t, nil)
	s.Inject(standin.Fault{Method: "GET", Path: "/service/boards", Skip: 1, Count: 2, Action: standin.Fail500})
	for i, want := range []int{200, 500, 500, 200} {
		if status, _, _ := s.call(t, "GET", "/service/boards", ""); status != want {
			t.Errorf("call %d: %d, want %d", i, status, want)
		}
	}
	s.Inject(standin.Fault{PublicKey: "a", Count: -1, Action: standin.InUse})
	for range 3 {
		if status, _, _ := s.call(t, "GET", "/service/boards", ""); status != 409 {
			t.Errorf("an endless fault ends: %d", status)
		}
	}
	if status, _, _ := send(t, request(t, s.url+"/v4_6_release/apis/3.0/service/boards", "GET", "globex+b", "")); status != 200 {
		t.Errorf("a fault of one account strikes another: %d", status)
	}
	s.Mend()
	if status, _, _ := s.call(t, "GET", "/service/boards", ""); status != 200 {
		t.Errorf("after mending: %d", status)
	}
	if n := len(s.Requests("GET", "/service/boards")); n != 9 {
		t.Errorf("%d requests were counted, want 9", n)
	}
}

// TestPage: a person sees what arrived, and nothing that arrived is run.
func TestPage(t *testing.T) {
	s := start(t, nil)
	status, text, _ := s.call(t, "POST", "/service/tickets", `{"summary":"<script>alert(1)</script>","company":{"id":501},"initialInternalAnalysis":"one\n<img src=x>"}`)
	if status != 201 {
		t.Fatal(text)
	}
	one := fmt.Sprintf("/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=%d&companyName=acme", s.Tickets("a")[0].ID)
	for _, path := range []string{"/", one} {
		status, page, _ := send(t, request(t, s.url+path, "GET", "", ""))
		if status != 200 || !strings.Contains(page, "&lt;script&gt;alert(1)") || !strings.Contains(page, "&lt;img") || !strings.Contains(page, "&lt;b&gt;Dunder") {
			t.Errorf("%s: %d\n%s", path, status, page)
		}
		for _, raw := range []string{"<script", "<img", "<b>"} {
			if strings.Contains(page, raw) {
				t.Errorf("%s holds %s", path, raw)
			}
		}
	}
}

func TestConfig(t *testing.T) {
	for name, spoil := range map[string]func(*standin.Config){
		"no accounts":      func(c *standin.Config) { c.Accounts = nil },
		"no company":       func(c *standin.Config) { c.Accounts = []standin.Account{{PublicKey: "a", PrivateKey: "x"}} },
		"public key twice": func(c *standin.Config) { c.Accounts = append(c.Accounts, c.Accounts[0]) },
		"no client id":     func(c *standin.Config) { c.ClientIDs = nil },
		"no clock":         func(c *standin.Config) { c.Clock = nil },
		"nothing wrong":    func(*standin.Config) {},
	} {
		c := standin.Config{
			Accounts:  []standin.Account{{CompanyID: "acme", PublicKey: "a", PrivateKey: "x"}},
			ClientIDs: []string{client}, Logger: slog.New(slog.DiscardHandler), Clock: time.Now,
		}
		spoil(&c)
		if _, err := standin.New(c); (err == nil) != (name == "nothing wrong") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
