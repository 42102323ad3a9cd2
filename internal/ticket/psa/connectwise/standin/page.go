package standin

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

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
	shown := desk.Page{Vendor: "ConnectWise"}
	s.mu.Lock()
	for _, a := range s.accounts {
		shown.Accounts = append(shown.Accounts, desk.Show(a.CompanyID, a.tickets, only, a.view))
	}
	s.mu.Unlock()
	shown.Write(w)
}

func (a *account) view(t *Ticket) desk.Ticket {
	company, _ := a.company(t.CompanyID)
	board, _ := a.board(t.BoardID)
	status, _ := board.status(t.StatusID)
	priority, _ := choice(a.Priorities, t.PriorityID)
	source, _ := choice(a.Sources, t.SourceID)
	v := desk.Ticket{
		ID: t.ID, Label: fmt.Sprintf("#%d", t.ID), Link: fmt.Sprintf("/v4_6_release/services/system_io/Service/fv_sr100_request.rails?service_recid=%d", t.ID),
		Title: t.Summary, Status: status.Name, CreatedAt: t.CreatedAt,
		About: []string{company.Name, board.Name, priority.Name, source.Name, desk.Due(t.RequiredDate), t.ExternalXRef},
	}
	for _, n := range t.Notes {
		v.Notes = append(v.Notes, desk.Note{Text: n.Text, Internal: n.Internal, CreatedAt: n.CreatedAt})
	}
	return v
}
