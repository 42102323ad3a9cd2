package standin

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"slices"
)

//go:embed page.html
var pageHTML string

// maxShown bounds the page: the newest tickets of each account.
const maxShown = 200

type pageAccount struct {
	Subdomain string
	Total     int
	Tickets   []pageTicket
}

type pageTicket struct {
	Ticket
	Customer string
}

// page shows a person what has arrived: all tickets, or one.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	only := idOf(r)
	if r.PathValue("id") != "" && only == 0 {
		http.NotFound(w, r)
		return
	}
	var accounts []pageAccount
	s.mu.Lock()
	for _, a := range s.accounts {
		shown := pageAccount{Subdomain: a.Subdomain, Total: len(a.tickets)}
		for _, t := range slices.Backward(a.tickets) {
			if (only != 0 && t.ID != only) || len(shown.Tickets) == maxShown {
				continue
			}
			c, _ := a.customer(t.CustomerID)
			shown.Tickets = append(shown.Tickets, pageTicket{Ticket: t.clone(), Customer: c.BusinessName})
		}
		accounts = append(accounts, shown)
	}
	s.mu.Unlock()

	view, err := template.New("page").Parse(pageHTML)
	if err != nil {
		http.Error(w, "page template", http.StatusInternalServerError)
		return
	}
	var out bytes.Buffer
	if err := view.Execute(&out, accounts); err != nil {
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
