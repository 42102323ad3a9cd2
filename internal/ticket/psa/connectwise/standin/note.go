package standin

import (
	"net/http"
	"strings"
	"time"
)

// noteFields is the body of a note.
type noteFields struct {
	Text                 string `json:"text"`
	Discussion           bool   `json:"detailDescriptionFlag"`
	Internal             bool   `json:"internalAnalysisFlag"`
	Resolution           bool   `json:"resolutionFlag"`
	ProcessNotifications *bool  `json:"processNotifications"` // on unless it is sent
}

func createNote(s *Server, a *account, r *http.Request, body []byte) answer {
	t, ok := a.ticket(idOf(r))
	if !ok {
		return noSuchTicket(r)
	}
	var f noteFields
	if wrong := decode(body, &f, "note"); wrong != nil {
		return *wrong
	}
	if strings.TrimSpace(f.Text) == "" {
		return invalid("note", required("text"))
	}
	if !f.Discussion && !f.Internal && !f.Resolution {
		return invalid("note", problem{"InvalidObject", "A note is a discussion, an internal analysis or a resolution.", "detailDescriptionFlag"})
	}
	n := Note{
		ID: s.nextID(), Text: f.Text, Discussion: f.Discussion, Internal: f.Internal, Resolution: f.Resolution,
		Notified: f.ProcessNotifications == nil || *f.ProcessNotifications, CreatedAt: s.config.Clock(),
	}
	t.Notes = append(t.Notes, n)
	t.UpdatedAt = n.CreatedAt
	return answer{status: http.StatusCreated, body: n.render(t.ID)}
}

func (n Note) render(ticketID int64) object {
	return object{
		"id": n.ID, "ticketId": ticketID, "text": n.Text, "detailDescriptionFlag": n.Discussion, "internalAnalysisFlag": n.Internal,
		"resolutionFlag": n.Resolution, "dateCreated": n.CreatedAt.UTC().Format(time.RFC3339), "createdBy": "API",
	}
}

func listNotes(_ *Server, a *account, r *http.Request, body []byte) answer {
	t, ok := a.ticket(idOf(r))
	if !ok {
		return noSuchTicket(r)
	}
	return list(r, body, t.Notes, columns[Note]{"id": func(n Note) any { return n.ID }}, func(n Note) object { return n.render(t.ID) })
}
