package standin

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"slices"
	"strconv"
)

//go:embed page.html
var pageHTML string

// maxShown bounds the page: the newest tickets of each account.
const maxShown = 200

type pageAccount struct {
	CompanyID string
	Total     int
	Tickets   []pageTicket
}

type pageTicket struct {
	Ticket
	Company, Board, Status, Priority, Source string
}

// page shows a person what has arrived: all tickets, or one.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	var only int64
	if r.URL.Path != "/" {
		var err error
		if only, err = strconv.ParseInt(r.URL.Query().Get("service_recid"), 10, 64); err != nil || only < 1 {
			http.NotFound(w, r)
			return
		}
	}
	var accounts []pageAccount
	s.mu.Lock()
	for _, a := range s.accounts {
		shown := pageAccount{CompanyID: a.CompanyID, Total: len(a.tickets)}
		for _, t := range slices.Backward(a.tickets) {
			if (only != 0 && t.ID != only) || len(shown.Tickets) == maxShown {
				continue
			}
			c, _ := a.company(t.CompanyID)
			b, _ := a.board(t.BoardID)
			status, _ := b.status(t.StatusID)
			priority, _ := choice(a.Priorities, t.PriorityID)
			source, _ := choice(a.Sources, t.SourceID)
			shown.Tickets = append(shown.Tickets, pageTicket{t.clone(), c.Name, b.Name, status.Name, priority.Name, source.Name})
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
