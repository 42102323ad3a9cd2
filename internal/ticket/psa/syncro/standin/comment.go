package standin

import (
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// commentFields is the body of a comment.
type commentFields struct {
	Subject    string `json:"subject"`
	Body       string `json:"body"`
	Tech       string `json:"tech"`
	Hidden     bool   `json:"hidden"`
	SMSBody    string `json:"sms_body"`
	DoNotEmail bool   `json:"do_not_email"`
}

func (f commentFields) problems() (problems []string) {
	if strings.TrimSpace(f.Body) == "" {
		problems = append(problems, "Body can't be blank")
	}
	if strings.TrimSpace(f.Subject) == "" {
		problems = append(problems, "Subject can't be blank")
	}
	if utf8.RuneCountInString(f.Subject) > maxSubject {
		problems = append(problems, "Subject is too long (maximum is 255 characters)")
	}
	if len(f.Body) > maxText {
		problems = append(problems, "Body is too long (maximum is 65535 bytes)")
	}
	return problems
}

func (f commentFields) comment(id int64, now time.Time) Comment {
	return Comment{ID: id, Subject: f.Subject, Body: f.Body, Tech: f.Tech, Hidden: f.Hidden, Emailed: !f.DoNotEmail, CreatedAt: now}
}

func (c Comment) render(ticketID int64) object {
	return object{
		"id": c.ID, "ticket_id": ticketID, "created_at": c.CreatedAt.UTC(), "updated_at": c.CreatedAt.UTC(),
		"subject": c.Subject, "body": c.Body, "tech": orNull(c.Tech), "hidden": c.Hidden, "user_id": nil,
	}
}

func createComment(s *Server, a *account, r *http.Request, body []byte) answer {
	t, ok := a.ticket(idOf(r))
	if !ok {
		return noSuchPath(s, a, r, body)
	}
	var f commentFields
	if wrong := decode(body, &f); wrong != nil {
		return *wrong
	}
	if problems := f.problems(); len(problems) > 0 {
		return refuse(problems...)
	}
	c := f.comment(s.nextID(), s.config.Clock())
	t.Comments = append(t.Comments, c)
	t.UpdatedAt = c.CreatedAt
	return answer{http.StatusOK, object{"comment": c.render(t.ID)}}
}

// listComments lists newest first, as Syncro's own pages do.
func listComments(s *Server, a *account, r *http.Request, body []byte) answer {
	t, ok := a.ticket(idOf(r))
	if !ok {
		return noSuchPath(s, a, r, body)
	}
	all := make([]object, 0, len(t.Comments))
	for _, c := range slices.Backward(t.Comments) {
		all = append(all, c.render(t.ID))
	}
	page, meta := paged(all, r.URL.Query())
	return answer{http.StatusOK, object{"comments": list(page), "meta": meta}}
}
