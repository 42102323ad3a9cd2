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

	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask/standin"
)

type setup struct {
	*standin.Server
	url string
}

const role = 77

func start(t *testing.T, change func(*standin.Config)) setup {
	t.Helper()
	config := standin.Config{
		Accounts: []standin.Account{
			{
				Database: "Acme", IntegrationCode: "c", Username: "a", Secret: "s",
				Companies: []standin.Company{{ID: 501, Name: "<b>Dunder</b>", Contact: "Ann"}, {ID: 502, Name: "Gone", Inactive: true}, {ID: 503, Name: "Other", Contact: "Bea"}},
				Resources: []standin.Resource{{ID: 70, First: "Ada", Roles: []int64{role}}, {ID: 71, First: "Bob"}},
				Roles:     []standin.Role{{ID: role, Name: "Technician"}},
			},
			{Database: "Globex", IntegrationCode: "c", Username: "b", Secret: "s", Companies: []standin.Company{{ID: 601, Name: "Initech"}}},
			{Database: "Acme", IntegrationCode: "c", Username: "r", Secret: "s", ReadOnly: true},
		},
		Logger: slog.New(slog.DiscardHandler), Clock: time.Now,
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

// call sends a call of an account to zone 1, and returns status and text.
func (s setup) call(t *testing.T, username, method, path, body string) (int, string) {
	t.Helper()
	return s.send(t, method, "/1/ATServicesRest/v1.0"+path, body, map[string]string{"ApiIntegrationCode": "c", "UserName": username, "Secret": "s"})
}

func (s setup) send(t *testing.T, method, path, body string, headers map[string]string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Do(r)
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

func (s setup) create(t *testing.T) int64 {
	t.Helper()
	status, text := s.call(t, "a", "POST", "/Tickets", good)
	var made struct{ ItemID int64 }
	if err := json.Unmarshal([]byte(text), &made); err != nil || status != 200 || made.ItemID == 0 {
		t.Fatalf("%d %s", status, text)
	}
	return made.ItemID
}

const good = `{"companyID":501,"title":"x","status":1,"priority":2,"queueID":8,"externalID":"bw:1"}`

// with changes the good ticket.
func with(old, new string) string { return strings.Replace(good, old, new, 1) }

// TestRefusals: it refuses what it must, as Autotask does, and keeps nothing
// of it.
func TestRefusals(t *testing.T) {
	s := start(t, nil)
	for name, c := range map[string]struct {
		username, method, path, body string
		status                       int
		says                         string
	}{
		"unknown user":        {"x", "POST", "/Tickets", good, 401, ``},
		"no such path":        {"a", "GET", "/Ticket/1", ``, 404, `{"Message":`},
		"no JSON":             {"a", "POST", "/Tickets", `title=x`, 500, `{"errors":[`},
		"a list":              {"a", "POST", "/Tickets", `[]`, 500, `{"errors":[`},
		"nothing given":       {"a", "POST", "/Tickets", `{}`, 500, `{"errors":["Missing Required Field: companyID.","Missing Required Field: title.","Missing Required Field: status.","Missing Required Field: priority."]}`},
		"blank title":         {"a", "POST", "/Tickets", with(`"x"`, `" "`), 500, `title`},
		"long title":          {"a", "POST", "/Tickets", with(`"x"`, `"`+strings.Repeat("é", 256)+`"`), 500, `maximum length of 255`},
		"long title, emoji":   {"a", "POST", "/Tickets", with(`"x"`, `"`+strings.Repeat("😀", 128)+`"`), 500, `maximum length of 255`},
		"long description":    {"a", "POST", "/Tickets", with(`"x"`, `"x","description":"`+strings.Repeat("x", 8001)+`"`), 500, `description`},
		"long marker":         {"a", "POST", "/Tickets", with(`bw:1`, strings.Repeat("x", 51)), 500, `externalID`},
		"long resolution":     {"a", "POST", "/Tickets", with(`"x"`, `"x","resolution":"`+strings.Repeat("x", 32001)+`"`), 500, `resolution`},
		"other's company":     {"a", "POST", "/Tickets", with(`501`, `601`), 500, `companyID`},
		"inactive company":    {"a", "POST", "/Tickets", with(`501`, `502`), 500, `companyID`},
		"other's contact":     {"a", "POST", "/Tickets", with(`"x"`, `"x","contactID":503`), 500, `contactID`},
		"another case":        {"a", "POST", "/Tickets", with(`companyID`, `companyId`), 500, `companyId`},
		"unknown field":       {"a", "POST", "/Tickets", with(`"x"`, `"x","summary":"y"`), 500, `summary`},
		"text as number":      {"a", "POST", "/Tickets", with(`"status":1`, `"status":"1"`), 500, `status`},
		"inactive status":     {"a", "POST", "/Tickets", with(`"status":1`, `"status":10`), 500, `status`},
		"no such priority":    {"a", "POST", "/Tickets", with(`"priority":2`, `"priority":9`), 500, `priority`},
		"inactive queue":      {"a", "POST", "/Tickets", with(`"queueID":8`, `"queueID":29682900`), 500, `queueID`},
		"no such source":      {"a", "POST", "/Tickets", with(`"queueID":8`, `"queueID":8,"source":99`), 500, `source`},
		"nobody's":            {"a", "POST", "/Tickets", with(`"queueID":8,`, ``), 500, `either a queueID`},
		"resource, no role":   {"a", "POST", "/Tickets", with(`"queueID":8`, `"assignedResourceID":70`), 500, `both`},
		"role, no resource":   {"a", "POST", "/Tickets", with(`"queueID":8`, `"queueID":8,"assignedResourceRoleID":77`), 500, `both`},
		"not in that role":    {"a", "POST", "/Tickets", with(`"queueID":8`, `"assignedResourceID":71,"assignedResourceRoleID":77`), 500, `combination`},
		"bad due time":        {"a", "POST", "/Tickets", with(`"x"`, `"x","dueDateTime":"soon"`), 500, `dueDateTime`},
		"may not":             {"r", "POST", "/Tickets", good, 500, `adequate permissions`},
		"may not change":      {"r", "PATCH", "/Tickets", `{"id":1}`, 500, `adequate permissions`},
		"change of nothing":   {"a", "PATCH", "/Tickets", `{"status":5}`, 500, `id`},
		"change of an absent": {"a", "PATCH", "/Tickets", `{"id":1,"status":5}`, 500, `Unable to find`},
		"note on an absent":   {"a", "POST", "/Tickets/1/Notes", `{"description":"x","noteType":1,"publish":1}`, 500, `ticketID`},
		"absent ticket":       {"a", "GET", "/Tickets/1", ``, 200, `{"item":null}`},
		"query of nothing":    {"a", "POST", "/Tickets/query", `{"filter":[]}`, 500, `no filter`},
		"query of 501":        {"a", "POST", "/Tickets/query", `{"filter":[{"op":"exist","field":"id"}],"MaxRecords":501}`, 500, `500`},
		"long request":        {"a", "POST", "/Tickets", `"` + strings.Repeat("x", 2<<20) + `"`, 413, `{"Message":`},
	} {
		status, text := s.call(t, c.username, c.method, c.path, c.body)
		if status != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d %s, want %d %s", name, status, text, c.status, c.says)
		}
	}
	if n := len(s.Tickets("a")) + len(s.Tickets("b")); n != 0 {
		t.Errorf("%d tickets were made", n)
	}
	if s.create(t); len(s.Tickets("a")) != 1 || len(s.Tickets("r")) != 1 || len(s.Tickets("b")) != 0 {
		t.Error("a good ticket is not in its database, or in another")
	}
}

// TestHeadersAndZone: all three headers, in the right zone.
func TestHeadersAndZone(t *testing.T) {
	s := start(t, nil)
	whole := map[string]string{"ApiIntegrationCode": "c", "UserName": "a", "Secret": "s"}
	for missing := range whole {
		some := map[string]string{}
		for name, value := range whole {
			if name != missing {
				some[name] = value
			}
		}
		if status, _ := s.send(t, "GET", "/1/atservicesrest/v1.0/Companies/0", "", some); status != 401 {
			t.Errorf("without %s: %d", missing, status)
		}
	}
	read := func(zone string) int {
		status, _ := s.send(t, "GET", "/"+zone+"/atservicesrest/v1.0/Companies/0", "", whole)
		return status
	}
	if read("1") != 200 || read("2") != 401 {
		t.Error("zones do not count")
	}
	s.Move("a", "2")
	if read("1") != 401 || read("2") != 200 {
		t.Error("an account does not move")
	}
	status, text := s.send(t, "GET", "/atservicesrest/V1.0/zoneInformation?user=r", "", nil)
	if status != 200 || !strings.Contains(text, `/2/ATServicesRest/"`) {
		t.Errorf("the zone of a database that moved: %d %s", status, text)
	}
	for _, user := range []string{"", "x"} {
		if status, text := s.send(t, "GET", "/atservicesrest/v1.0/zoneInformation?user="+user, "", nil); status != 500 || !strings.Contains(text, "errors") {
			t.Errorf("the zone of %q: %d %s", user, status, text)
		}
	}
	s.Revoke("a", true)
	if read("2") != 401 {
		t.Error("a revoked secret works")
	}
}

// TestNotes: what a note must have.
func TestNotes(t *testing.T) {
	s := start(t, nil)
	path := fmt.Sprintf("/Tickets/%d/Notes", s.create(t))
	const note = `{"title":"t","description":"d","noteType":1,"publish":2}`
	for body, want := range map[string]int{
		note:                                  200,
		strings.Replace(note, `"d"`, `""`, 1): 500,
		strings.Replace(note, `"t"`, `"`+strings.Repeat("x", 251)+`"`, 1):   500,
		strings.Replace(note, `"d"`, `"`+strings.Repeat("x", 32001)+`"`, 1): 500,
		strings.Replace(note, `"noteType":1`, `"noteType":13`, 1):           500,
		strings.Replace(note, `"noteType":1,`, ``, 1):                       500,
		strings.Replace(note, `"publish":2`, `"publish":3`, 1):              500,
		strings.Replace(note, `"description"`, `"body"`, 1):                 500,
	} {
		if status, text := s.call(t, "a", "POST", path, body); status != want {
			t.Errorf("%.80s: %d %s, want %d", body, status, text, want)
		}
	}
	if notes := s.Tickets("a")[0].Notes; len(notes) != 1 || !notes[0].Internal() {
		t.Errorf("notes %+v", notes)
	}
}

// TestQuery: conditions, pages, and fields that do not exist.
func TestQuery(t *testing.T) {
	s := start(t, nil)
	for filter, want := range map[string]string{
		`{"op":"eq","field":"id","value":0}`:                                                                "Acme",
		`{"op":"contains","field":"companyName","value":"DUND"}`:                                            "<b>Dunder</b>",
		`{"op":"beginsWith","field":"companyName","value":"g"}`:                                             "Gone",
		`{"op":"endsWith","field":"companyName","value":"me"}`:                                              "Acme",
		`{"op":"eq","field":"isActive","value":true},{"op":"gt","field":"id","value":99}`:                   "<b>Dunder</b>|Other",
		`{"op":"eq","field":"isActive","value":false}`:                                                      "Gone",
		`{"op":"noteq","field":"id","value":0}`:                                                             "<b>Dunder</b>|Gone|Other",
		`{"op":"in","field":"id","value":[0,503]}`:                                                          "Acme|Other",
		`{"op":"notIn","field":"id","value":[0,503]}`:                                                       "<b>Dunder</b>|Gone",
		`{"op":"lte","field":"id","value":501}`:                                                             "Acme|<b>Dunder</b>",
		`{"op":"or","items":[{"op":"eq","field":"id","value":0},{"op":"eq","field":"id","value":502}]}`:     "Acme|Gone",
		`{"op":"and","items":[{"op":"gte","field":"id","value":501},{"op":"lt","field":"id","value":503}]}`: "<b>Dunder</b>|Gone",
		`{"op":"notExist","field":"companyName"}`:                                                           "",
		`{"op":"exist","field":"name"}`:                                                                     "errors",
		`{"op":"is","field":"id"}`:                                                                          "errors",
		`{"op":"or","items":[{"op":"eq","field":"nope","value":0}]}`:                                        "errors",
		`{"op":"exist","field":"id","like":1}`:                                                              "errors",
	} {
		path := "/Companies/query?search=" + url.QueryEscape(`{"MaxRecords":2,"IncludeFields":["id","companyName"],"filter":[`+filter+`]}`)
		var names []string
		for pages := 0; path != "" && pages < 5; pages++ {
			status, text := s.call(t, "a", "GET", path, "")
			if status == 500 {
				names = append(names, "errors")
				break
			}
			var page struct {
				Items []struct{ CompanyName string }
				Page  struct{ NextPageURL string } `json:"pageDetails"`
			}
			if err := json.Unmarshal([]byte(text), &page); err != nil || len(page.Items) > 2 {
				t.Fatalf("%s: %d %s", filter, status, text)
			}
			for _, item := range page.Items {
				names = append(names, item.CompanyName)
			}
			_, path, _ = strings.Cut(page.Page.NextPageURL, "/V1.0")
		}
		if got := strings.Join(names, "|"); got != want {
			t.Errorf("%s finds %s, want %s", filter, got, want)
		}
	}
	status, text := s.call(t, "a", "POST", "/Companies/query", `{"filter":[{"op":"eq","field":"id","value":501}],"IncludeFields":["nope"]}`)
	if status != 500 || !strings.Contains(text, "nope") {
		t.Errorf("%d %s", status, text)
	}
}

// TestSearchDelay: a query finds a ticket late, and reading it by id does not.
func TestSearchDelay(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s := start(t, func(c *standin.Config) { c.SearchDelay = time.Minute; c.Clock = func() time.Time { return now } })
	id := s.create(t)
	found := func() bool {
		_, text := s.call(t, "a", "POST", "/Tickets/query", `{"filter":[{"op":"eq","field":"externalID","value":"bw:1"}]}`)
		return strings.Contains(text, "bw:1")
	}
	if _, text := s.call(t, "a", "GET", fmt.Sprintf("/Tickets/%d", id), ""); !strings.Contains(text, "T20261122.0001") || found() {
		t.Errorf("found at once, or not readable: %s", text)
	}
	if now = now.Add(time.Minute); !found() {
		t.Error("not found a minute later")
	}
}

// TestHour: the threshold counts for the database, whoever asks; half of it
// makes everything slower; and it begins anew.
func TestHour(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s := start(t, func(c *standin.Config) {
		c.PerHour, c.LimitStatus, c.Latency, c.Clock = 6, 429, 20*time.Millisecond, func() time.Time { return now }
	})
	for i, want := range []int{200, 200, 200, 200, 200, 200, 429, 429} {
		began := time.Now()
		status, text := s.call(t, []string{"a", "r"}[i%2], "GET", "/Companies/0", "")
		if status != want || (want == 429) != strings.Contains(text, "threshold") {
			t.Errorf("call %d: %d %s, want %d", i, status, text, want)
		}
		// From the third call on half is used, from the fifth three quarters.
		if least := []int{0, 0, 20, 20, 40, 40, 0, 0}[i]; time.Since(began) < time.Duration(least)*time.Millisecond {
			t.Errorf("call %d took %s, want %d ms", i, time.Since(began), least)
		}
	}
	if status, _ := s.call(t, "b", "GET", "/Companies/0", ""); status != 200 {
		t.Errorf("another database: %d", status)
	}
	now = now.Add(time.Hour)
	s.Burn("a", 3)
	if status, text := s.call(t, "a", "GET", "/ThresholdInformation", ""); status != 200 || !strings.Contains(text, `"currentTimeframeRequestCount":4`) {
		t.Errorf("an hour later: %d %s", status, text)
	}
}

// TestFaults: skip, count and mend; one account; and the errors with a body.
func TestFaults(t *testing.T) {
	s := start(t, nil)
	s.Inject(standin.Fault{Method: "GET", Path: "/Companies/*", Skip: 1, Count: 2, Action: standin.Fail500})
	for i, want := range []int{200, 500, 500, 200} {
		if status, _ := s.call(t, "a", "GET", "/Companies/0", ""); status != want {
			t.Errorf("call %d: %d, want %d", i, status, want)
		}
	}
	s.Inject(standin.Fault{Username: "b", Count: -1, Action: standin.ThreadLimit})
	if status, _ := s.call(t, "a", "GET", "/Companies/0", ""); status != 200 {
		t.Errorf("a fault of one account strikes another: %d", status)
	}
	for range 3 {
		if status, text := s.call(t, "b", "GET", "/Companies/0", ""); status != 500 || !strings.Contains(text, "Itgenatr005") {
			t.Errorf("an endless fault ends: %d %s", status, text)
		}
	}
	s.Mend()
	if status, _ := s.call(t, "b", "GET", "/Companies/0", ""); status != 200 {
		t.Errorf("after mending: %d", status)
	}
	s.Inject(standin.Fault{Action: standin.Forbid})
	if status, text := s.call(t, "a", "GET", "/Companies/0", ""); status != 500 || !strings.Contains(text, "adequate permissions") {
		t.Errorf("%d %s", status, text)
	}
	s.Inject(standin.Fault{Action: standin.CommitSlow, Delay: time.Millisecond})
	if status, _ := s.call(t, "a", "POST", "/Tickets", good); status != 200 || len(s.Tickets("a")) != 1 {
		t.Errorf("a slow answer: %d", status)
	}
	if n := len(s.Requests("GET", "/Companies/*")); n != 10 {
		t.Errorf("%d requests were counted, want 10", n)
	}
}

// TestTechnician: what people do in Autotask itself.
func TestTechnician(t *testing.T) {
	s := start(t, nil)
	id := s.create(t)
	if !s.Edit("a", id, func(t *standin.Ticket) { t.ResourceID = 70 }) || s.Tickets("a")[0].ResourceID != 70 {
		t.Error("a ticket is not edited")
	}
	if s.Edit("b", id, func(*standin.Ticket) {}) || s.Delete("b", id) || !s.Delete("a", id) || len(s.Tickets("a")) != 0 {
		t.Error("a ticket is another's, or stays")
	}
}

// TestPage: a person sees what arrived, and nothing that arrived is run.
func TestPage(t *testing.T) {
	s := start(t, nil)
	status, text := s.call(t, "a", "POST", "/Tickets", with(`"x"`, `"<script>alert(1)</script>","description":"one\n<img src=x>"`))
	if status != 200 {
		t.Fatal(text)
	}
	id := s.Tickets("a")[0].ID
	for _, path := range []string{"/", fmt.Sprintf("/1/Autotask/AutotaskExtend/ExecuteCommand.aspx?Code=OpenTicketDetail&TicketID=%d", id)} {
		status, page := s.send(t, "GET", path, "", nil)
		if status != 200 || !strings.Contains(page, "&lt;script&gt;alert(1)") || !strings.Contains(page, "&lt;img") || !strings.Contains(page, "&lt;b&gt;Dunder") {
			t.Errorf("%s: %d\n%s", path, status, page)
		}
		for _, raw := range []string{"<script", "<img", "<b>"} {
			if strings.Contains(page, raw) {
				t.Errorf("%s holds %s", path, raw)
			}
		}
	}
	if status, _ := s.send(t, "GET", "/?TicketID=x", "", nil); status != 404 {
		t.Errorf("a page of no ticket: %d", status)
	}
}

func TestConfig(t *testing.T) {
	account := standin.Account{Database: "Acme", IntegrationCode: "c", Username: "a", Secret: "s"}
	good := standin.Config{Accounts: []standin.Account{account}, Logger: slog.New(slog.DiscardHandler), Clock: time.Now}
	for name, spoil := range map[string]func(*standin.Config){
		"no accounts":   func(c *standin.Config) { c.Accounts = nil },
		"no secret":     func(c *standin.Config) { c.Accounts = []standin.Account{{IntegrationCode: "c", Username: "a"}} },
		"no code":       func(c *standin.Config) { c.Accounts = []standin.Account{{Secret: "c", Username: "a"}} },
		"user twice":    func(c *standin.Config) { c.Accounts = []standin.Account{account, account} },
		"odd zone":      func(c *standin.Config) { a := account; a.Zone = "1/2"; c.Accounts = []standin.Account{a} },
		"negative":      func(c *standin.Config) { c.Threads = -1 },
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
