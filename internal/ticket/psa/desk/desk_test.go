package desk_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

func TestFaults(t *testing.T) {
	var faults desk.Faults
	call := desk.Request{Method: "GET", Path: "/ticket/1", Account: "a"}
	struck := func(r desk.Request) string {
		if s := faults.Strike(r); s != nil {
			return fmt.Sprint(s.Action, s.Newest)
		}
		return ""
	}
	faults.Set(desk.Fault{Method: "GET", Path: "/ticket/*", Account: "a", Skip: 1, Count: 2, Action: desk.Drop}, 7)
	faults.Set(desk.Fault{Account: "b", Count: -1, Action: desk.Stale}, 9)
	for i, want := range []string{"", "DROP7", "DROP7", ""} {
		if got := struck(call); got != want {
			t.Errorf("call %d: struck by %q, want %q", i+1, got, want)
		}
	}
	read, search := desk.Request{Method: "GET", Account: "b"}, desk.Request{Method: "GET", Account: "b", Search: true}
	if got := struck(read) + struck(search) + struck(search); got != "STALE9STALE9" {
		t.Errorf("a read and two searches: struck by %q", got)
	}
	if faults.Clear(); struck(search) != "" {
		t.Error("struck by a fault that was removed")
	}
}

// TestUnknown: an action that neither side knows does not pass for a vendor's
// answer.
func TestUnknown(t *testing.T) {
	out := httptest.NewRecorder()
	struck := desk.Struck{Fault: desk.Fault{Action: "NONE"}}
	struck.Write(out, httptest.NewRequest(http.MethodGet, "/", http.NoBody), desk.JSON(200, nil), func(desk.Fault) desk.Reply { return desk.Reply{} })
	if out.Code != 500 || !strings.Contains(out.Body.String(), "unknown fault") {
		t.Errorf("%d %s", out.Code, out.Body)
	}
}

func TestLimit(t *testing.T) {
	var limit desk.Limit
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	for i, c := range []struct {
		key  string
		pass time.Duration
		wait time.Duration
		ok   bool
	}{
		{"a", 0, time.Minute, true},
		{"a", 20 * time.Second, 40 * time.Second, true},
		{"a", 0, 40 * time.Second, false},
		{"b", 0, time.Minute, true},
		{"a", 40 * time.Second, time.Minute, true},
	} {
		now = now.Add(c.pass)
		if wait, ok := limit.Allow(c.key, 2, now); wait != c.wait || ok != c.ok {
			t.Errorf("call %d: wait %s, %t", i+1, wait, ok)
		}
	}
	if _, ok := limit.Allow("a", 0, now); !ok {
		t.Error("no limit refuses a call")
	}
}

func TestLog(t *testing.T) {
	var log desk.Log
	log.Add(desk.Request{Method: "GET", Path: "/ticket/1"})
	log.Add(desk.Request{Method: "POST", Path: "/ticket"})
	for pattern, want := range map[string]int{"": 2, "/ticket/*": 1, "/ticket": 1, "/[": 0} {
		if got := len(log.Requests("", pattern)); got != want {
			t.Errorf("%q: %d, want %d", pattern, got, want)
		}
	}
	if got := len(log.Requests("POST", "")); got != 1 {
		t.Errorf("POST: %d", got)
	}
}

// TestPage: newest first and bounded, one if asked for, and nothing that was
// sent is markup.
func TestPage(t *testing.T) {
	ids := make([]int64, 300)
	for i := range ids {
		ids[i] = int64(i + 1)
	}
	view := func(id int64) desk.Ticket {
		return desk.Ticket{
			ID: id, Label: "<b>", Link: "javascript:alert(1)", Title: "<script>", About: []string{"", "<i>", desk.Due("")},
			Notes: []desk.Note{{Text: "<img>", Internal: true}},
		}
	}
	all := desk.Show("<u>", ids, 0, view)
	if all.Total != 300 || len(all.Tickets) != 200 || all.Tickets[0].ID != 300 {
		t.Errorf("%d of %d shown, from %d", len(all.Tickets), all.Total, all.Tickets[0].ID)
	}
	one := desk.Show("<u>", ids, 2, view)
	if len(one.Tickets) != 1 || one.Tickets[0].ID != 2 || len(one.Tickets[0].About) != 1 {
		t.Errorf("one ticket: %+v", one)
	}
	out := httptest.NewRecorder()
	desk.Page{Vendor: "<hr>", Accounts: []desk.Account{one}}.Write(out)
	for _, markup := range []string{"<b>", "<script>", "<i>", "<img>", "<u>", "<hr>", "javascript:"} {
		if strings.Contains(out.Body.String(), markup) {
			t.Errorf("the page holds %s", markup)
		}
	}
	if !strings.Contains(out.Body.String(), "technicians only") || out.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("%v\n%s", out.Header(), out.Body)
	}
}
