package standin

import (
	"fmt"
	"net/http"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

// page shows a person what has arrived: all tickets, or one.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	only := idOf(r)
	if r.PathValue("id") != "" && only == 0 {
		http.NotFound(w, r)
		return
	}
	shown := desk.Page{Vendor: "Syncro"}
	s.mu.Lock()
	for _, a := range s.accounts {
		shown.Accounts = append(shown.Accounts, desk.Show(a.Subdomain, a.tickets, only, a.view))
	}
	s.mu.Unlock()
	shown.Write(w)
}

func (a *account) view(t *Ticket) desk.Ticket {
	customer, _ := a.customer(t.CustomerID)
	v := desk.Ticket{
		ID: t.ID, Label: fmt.Sprintf("#%d", t.Number), Link: fmt.Sprintf("/tickets/%d", t.ID),
		Title: t.Subject, Status: t.Status, CreatedAt: t.CreatedAt,
		About: append([]string{customer.BusinessName, t.ProblemType, t.Priority, desk.Due(t.DueDate)}, t.Tags...),
	}
	for _, c := range t.Comments {
		v.Notes = append(v.Notes, desk.Note{Title: c.Subject, Text: c.Body, Internal: c.Hidden, CreatedAt: c.CreatedAt})
	}
	return v
}
