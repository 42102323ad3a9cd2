package standin

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

// Hook is a callback that was sent.
type Hook = desk.Hook

// hook is a callback that a member has asked for.
type hook struct {
	hookFields
	id       int64
	root     string // how the member reached the server
	inactive bool
}

// hookFields is the body that makes one.
type hookFields struct {
	Description    string `json:"description"`
	URL            string `json:"url"`
	ObjectID       *int64 `json:"objectId"`
	Type           string `json:"type"`
	Level          string `json:"level"`
	SelfSuppressed bool   `json:"isSelfSuppressedFlag"`
	Inactive       bool   `json:"inactiveFlag"`
}

const maxDescription = 100

func createHook(s *Server, a *account, r *http.Request, body []byte) answer {
	var f hookFields
	if wrong := decode(body, &f, "callback"); wrong != nil {
		return *wrong
	}
	var problems []problem
	if u, err := url.Parse(f.URL); err != nil || u.Host == "" {
		problems = append(problems, required("url"))
	}
	if f.ObjectID == nil {
		problems = append(problems, required("objectId"))
	}
	if f.Type != "ticket" {
		problems = append(problems, problem{"InvalidField", "type is none that is known here.", "type"})
	}
	if f.Level != "owner" {
		problems = append(problems, problem{"InvalidField", "level is none that is known here.", "level"})
	}
	if len(utf16.Encode([]rune(f.Description))) > maxDescription {
		problems = append(problems, problem{"MaxLength", "The field description is too long.", "description"})
	}
	if len(problems) > 0 {
		return invalid("callback", problems...)
	}
	h := &hook{hookFields: f, id: s.nextID(), root: "http://" + r.Host, inactive: f.Inactive}
	a.hooks = append(a.hooks, h)
	return answer{status: http.StatusCreated, body: h.render()}
}

func (h *hook) render() object {
	return object{
		"id": h.id, "description": h.Description, "url": h.URL, "objectId": *h.ObjectID, "type": h.Type, "level": h.Level,
		"isSelfSuppressedFlag": h.SelfSuppressed, "inactiveFlag": h.inactive,
	}
}

func listHooks(_ *Server, a *account, r *http.Request, body []byte) answer {
	return list(r, body, a.hooks, columns[*hook]{
		"id":          func(h *hook) any { return (&hook{}).or(h).id },
		"description": func(h *hook) any { return (&hook{}).or(h).Description },
		"url":         func(h *hook) any { return (&hook{}).or(h).URL },
	}, (*hook).render)
}

// or is the other, if there is one: a column is asked about none to learn its
// type.
func (h *hook) or(other *hook) *hook {
	if other != nil {
		return other
	}
	return h
}

func (a *account) hook(id int64) (*hook, bool) {
	return find(a.hooks, func(h *hook) bool { return h.id == id })
}

func readHook(_ *Server, a *account, r *http.Request, _ []byte) answer {
	h, there := a.hook(idOf(r))
	if !there {
		return refused(http.StatusNotFound, "NotFound", "Callback "+r.PathValue("id")+" not found")
	}
	return answer{status: http.StatusOK, body: h.render()}
}

func deleteHook(_ *Server, a *account, r *http.Request, _ []byte) answer {
	h, there := a.hook(idOf(r))
	if !there {
		return refused(http.StatusNotFound, "NotFound", "Callback "+r.PathValue("id")+" not found")
	}
	a.hooks = slices.DeleteFunc(a.hooks, func(one *hook) bool { return one == h })
	return answer{status: http.StatusNoContent}
}

// changed calls whoever asked to be called about a ticket. The account is that
// of the member who did it; nil for a technician.
func (s *Server) changed(of, by *account, action string, t *Ticket) {
	for _, a := range s.accounts {
		if !strings.EqualFold(a.CompanyID, of.CompanyID) {
			continue
		}
		for _, h := range a.hooks {
			if h.inactive || (h.SelfSuppressed && a == by) {
				continue
			}
			body, signature, err := s.sign(of, h.root, action, t)
			if err == nil {
				s.hooks.Send(h.URL, http.Header{"X-Content-Signature": {signature}}, body)
			}
		}
	}
}

// Hooks waits for the callbacks that are under way, and lists all that were
// sent, oldest first.
func (s *Server) Hooks() []Hook { return s.hooks.Sent() }

// Webhooks counts the callbacks that a member has asked for.
func (s *Server) Webhooks(publicKey string) (n int) {
	s.of(publicKey, func(a *account) { n = len(a.hooks) })
	return n
}

// Deactivate gives up on a member's callbacks.
func (s *Server) Deactivate(publicKey string) {
	s.of(publicKey, func(a *account) {
		for _, h := range a.hooks {
			h.inactive = true
		}
	})
}

// date reads a time in a condition.
func date(text string) (time.Time, error) { return time.Parse("2006-01-02T15:04:05Z", text) }
