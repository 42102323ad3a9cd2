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

// maxShown bounds the page: the newest tickets of each database.
const maxShown = 200

type pageBase struct {
	Name    string
	Zone    string
	Total   int
	Tickets []pageTicket
}

type pageTicket struct {
	Ticket
	Company, Label string
}

// page shows a person what has arrived: all tickets, or the one that a link of
// the API's users leads to.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	var only int64
	if text := r.URL.Query().Get("TicketID"); text != "" {
		var err error
		if only, err = strconv.ParseInt(text, 10, 64); err != nil {
			http.NotFound(w, r)
			return
		}
	}
	var bases []pageBase
	s.mu.Lock()
	for _, b := range s.bases {
		shown := pageBase{Name: b.name, Total: len(b.tickets)}
		for _, a := range s.accounts {
			if a.base == b {
				shown.Zone = a.Zone
			}
		}
		for _, t := range slices.Backward(b.tickets) {
			if (only != 0 && t.ID != only) || len(shown.Tickets) == maxShown {
				continue
			}
			company, _ := b.company(t.CompanyID)
			label := strconv.Itoa(t.Status)
			if i := slices.IndexFunc(b.statuses, func(p Pick) bool { return p.Value == t.Status }); i >= 0 {
				label = b.statuses[i].Label
			}
			shown.Tickets = append(shown.Tickets, pageTicket{Ticket: t.clone(), Company: company.Name, Label: label})
		}
		bases = append(bases, shown)
	}
	s.mu.Unlock()

	view, err := template.New("page").Parse(pageHTML)
	if err != nil {
		http.Error(w, "page template", http.StatusInternalServerError)
		return
	}
	var out bytes.Buffer
	if err := view.Execute(&out, bases); err != nil {
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
