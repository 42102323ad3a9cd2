package standin

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

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
	shown := desk.Page{Vendor: "Autotask"}
	s.mu.Lock()
	for _, b := range s.bases {
		zone := ""
		for _, a := range s.accounts {
			if a.base == b {
				zone = a.Zone
			}
		}
		base := desk.Show(b.name, b.tickets, only, func(t *Ticket) desk.Ticket { return b.view(t, zone) })
		base.About = "zone " + zone
		shown.Accounts = append(shown.Accounts, base)
	}
	s.mu.Unlock()
	shown.Write(w)
}

func (b *database) view(t *Ticket, zone string) desk.Ticket {
	company, _ := b.company(t.CompanyID)
	status := strconv.Itoa(t.Status)
	if i := slices.IndexFunc(b.statuses, func(p Pick) bool { return p.Value == t.Status }); i >= 0 {
		status = b.statuses[i].Label
	}
	due := ""
	if !t.Due.IsZero() {
		due = t.Due.UTC().Format(time.DateOnly)
	}
	v := desk.Ticket{
		ID: t.ID, Label: t.Number, Link: fmt.Sprintf("/%s/Autotask/AutotaskExtend/ExecuteCommand.aspx?Code=OpenTicketDetail&TicketID=%d", zone, t.ID),
		Title: t.Title, Status: status, CreatedAt: t.CreatedAt, Text: t.Description,
		About: []string{company.Name, numbered("priority", int64(t.Priority)), numbered("queue", int64(t.QueueID)), numbered("resource", t.ResourceID), desk.Due(due), t.ExternalID},
	}
	for _, n := range t.Notes {
		v.Notes = append(v.Notes, desk.Note{Title: n.Title, Text: n.Description, Internal: n.Internal(), CreatedAt: n.CreatedAt})
	}
	if t.Resolution != "" {
		v.Notes = append(v.Notes, desk.Note{Title: "Resolution", Text: t.Resolution})
	}
	return v
}

// numbered names what Autotask knows by its number, or nothing if that is 0.
func numbered(what string, id int64) string {
	if id == 0 {
		return ""
	}
	return what + " " + strconv.FormatInt(id, 10)
}
