package desk

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"slices"
	"time"
)

//go:embed page.html
var pageHTML string

// maxShown bounds the page: the newest tickets of each account.
const maxShown = 200

// Page shows a person what has arrived.
type Page struct {
	Vendor   string
	Accounts []Account
}

// Account is what a page shows of one account.
type Account struct {
	Name    string
	About   string // more of it; may be empty
	Total   int    // of tickets, with those that are not shown
	Tickets []Ticket
}

// Ticket is what a page shows of one ticket.
type Ticket struct {
	ID        int64
	Label     string // its number, as the vendor writes it
	Link      string
	Title     string
	Status    string
	About     []string // what else is known, in order; empty ones are left out
	Text      string   // beside the notes; may be empty
	CreatedAt time.Time
	Notes     []Note
}

// Note is what a page shows of one note.
type Note struct {
	Title     string // may be empty
	Text      string
	Internal  bool
	CreatedAt time.Time // zero if not known
}

// Show is an account with its newest tickets first, or with one only: that of
// the id, unless it is 0. The tickets given are oldest first.
func Show[T any](name string, tickets []T, only int64, view func(T) Ticket) Account {
	shown := Account{Name: name, Total: len(tickets)}
	for _, t := range slices.Backward(tickets) {
		if len(shown.Tickets) == maxShown {
			break
		}
		if v := view(t); only == 0 || v.ID == only {
			v.About = slices.DeleteFunc(v.About, func(s string) bool { return s == "" })
			shown.Tickets = append(shown.Tickets, v)
		}
	}
	return shown
}

// Due says when something is due; it says nothing of an empty time.
func Due(at string) string {
	if at == "" {
		return ""
	}
	return "due " + at
}

// Write sends the page, which refreshes itself.
func (p Page) Write(w http.ResponseWriter) {
	view, err := template.New("page").Parse(pageHTML)
	if err != nil {
		http.Error(w, "page template", http.StatusInternalServerError)
		return
	}
	var out bytes.Buffer
	if err := view.Execute(&out, p); err != nil {
		http.Error(w, "page template", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(out.Bytes()) // the browser may have gone
}
