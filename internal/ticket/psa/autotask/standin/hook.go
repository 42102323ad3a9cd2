package standin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // as Autotask signs
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

// Hook is a call about a change that was sent.
type Hook = desk.Hook

// Numbers of the fields that webhooks can be subscribed to.
const (
	hookStatus   = 10
	hookAssignee = 12
)

var hookFields = []Pick{{hookStatus, "Status", false}, {11, "Title", false}, {hookAssignee, "AssignedResourceID", false}}

// hook is a webhook of a database.
type hook struct {
	hookRequest
	id       int64
	guid     string
	owner    int64
	fields   []int64
	excluded []int64
	sequence int64
}

// hookRequest is the body that makes one.
type hookRequest struct {
	Name            string `json:"name"`
	URL             string `json:"webhookUrl"`
	DeactivationURL string `json:"deactivationUrl"`
	Secret          string `json:"secretKey"`
	Active          bool   `json:"isActive"`
	OnCreate        bool   `json:"isSubscribedToCreateEvents"`
	OnUpdate        bool   `json:"isSubscribedToUpdateEvents"`
	OnDelete        bool   `json:"isSubscribedToDeleteEvents"`
}

func createHook(c *call) answer {
	var f hookRequest
	if wrong := decode(c.body, &f, "notificationEmailAddress", "sendThresholdExceededNotification"); wrong != nil {
		return *wrong
	}
	var problems []string
	if f.Name == "" || units(f.Name) > 50 || slices.ContainsFunc(c.base.hooks, func(h *hook) bool { return h.Name == f.Name }) {
		problems = append(problems, "The name is missing, too long or not unique.")
	}
	for _, address := range []string{f.URL, f.DeactivationURL} {
		if u, err := url.Parse(address); err != nil || u.Host == "" || units(address) > 500 {
			problems = append(problems, "A URL is missing or not valid.")
		}
	}
	if f.Secret == "" || units(f.Secret) > 64 {
		problems = append(problems, "The secretKey is missing or too long.")
	}
	if len(problems) > 0 {
		return refuse(problems...)
	}
	h := &hook{hookRequest: f, id: c.nextID(), guid: rand.Text(), owner: c.resource}
	c.base.hooks = append(c.base.hooks, h)
	return ok(object{"itemId": h.id})
}

func (b *database) hook(id int64) (*hook, bool) {
	i := slices.IndexFunc(b.hooks, func(h *hook) bool { return h.id == id })
	if i < 0 {
		return nil, false
	}
	return b.hooks[i], true
}

func (h *hook) render() object {
	return object{
		"id": h.id, "name": h.Name, "webhookUrl": h.URL, "deactivationUrl": h.DeactivationURL, "secretKey": h.Secret,
		"webhookGUID": h.guid, "isActive": h.Active, "isReady": len(h.fields) > 0, "ownerResourceID": h.owner,
		"isSubscribedToCreateEvents": h.OnCreate, "isSubscribedToUpdateEvents": h.OnUpdate, "isSubscribedToDeleteEvents": h.OnDelete,
	}
}

func readHook(c *call) answer {
	h, there := c.base.hook(idOf(c.r))
	if !there {
		return ok(object{"item": nil})
	}
	return ok(object{"item": h.render()})
}

func deleteHook(c *call) answer {
	id := idOf(c.r)
	if _, there := c.base.hook(id); !there {
		return refuse(fmt.Sprintf("Unable to find TicketWebhook with the id of %d.", id))
	}
	c.base.hooks = slices.DeleteFunc(c.base.hooks, func(h *hook) bool { return h.id == id })
	return ok(object{"itemId": id})
}

// addToHook adds a field that is subscribed to, or a resource whose changes
// nobody is called about.
func addToHook(c *call) answer {
	var f struct {
		WebhookID   int64 `json:"webhookID"`
		FieldID     int64 `json:"fieldID"`
		ResourceID  int64 `json:"resourceID"`
		Subscribed  bool  `json:"isSubscribedField"`
		AlwaysShown bool  `json:"isDisplayAlwaysField"`
	}
	if wrong := decode(c.body, &f); wrong != nil {
		return *wrong
	}
	h, there := c.base.hook(idOf(c.r))
	switch {
	case !there || f.WebhookID != h.id:
		return refuse("The webhookID does not reference an existing TicketWebhook.")
	case f.FieldID != 0 && !picked(hookFields, int(f.FieldID)):
		return refuse("The fieldID is not an active picklist value.")
	case f.FieldID != 0:
		if f.Subscribed {
			h.fields = append(h.fields, f.FieldID)
		}
	case f.ResourceID != 0:
		h.excluded = append(h.excluded, f.ResourceID)
	default:
		return refuse("Missing Required Field.")
	}
	return ok(object{"itemId": c.nextID()})
}

func hookFieldsOf(*call) answer {
	return ok(object{"fields": []object{pickField("fieldID", true, hookFields)}})
}

// changed calls the webhooks that a change of a ticket by a person concerns.
// After is nil for a deletion.
func (s *Server) changed(b *database, person int64, before Ticket, after *Ticket) {
	for _, h := range b.hooks {
		action, fields := "Update", object{}
		if after == nil {
			action = "Delete"
		} else {
			if after.Status != before.Status && slices.Contains(h.fields, hookStatus) {
				fields["Status"] = after.Status
			}
			if after.ResourceID != before.ResourceID && slices.Contains(h.fields, hookAssignee) {
				fields["AssignedResourceID"] = after.ResourceID
			}
		}
		concerned := (action == "Delete" && h.OnDelete) || (action == "Update" && h.OnUpdate && len(fields) > 0)
		if !h.Active || !concerned || slices.Contains(h.excluded, person) {
			continue
		}
		h.sequence++
		s.call(h, h.URL, true, object{
			"Action": action, "Guid": h.guid, "EntityType": "Ticket", "Id": before.ID, "Fields": fields,
			"EventTime": stamp(s.config.Clock()), "SequenceNumber": h.sequence, "PersonID": person,
		})
	}
}

func (s *Server) call(h *hook, to string, signed bool, payload object) {
	body, err := json.Marshal(payload)
	if err != nil {
		return
	}
	header := http.Header{}
	if signed {
		mac := hmac.New(sha1.New, []byte(h.Secret))
		mac.Write(body) // a hash never fails
		header.Set("X-Hook-Signature", "sha1="+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	s.hooks.Send(to, header, body)
}

// Hooks waits for the calls about changes that are under way, and lists all
// that were sent, oldest first.
func (s *Server) Hooks() []Hook { return s.hooks.Sent() }

// Deactivate gives up on the webhooks of an account's database, and says so to
// their owners, unsigned.
func (s *Server) Deactivate(username string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.named(username)
	if a == nil {
		return
	}
	for _, h := range a.base.hooks {
		if h.Active {
			h.Active = false
			s.call(h, h.DeactivationURL, false, object{
				"Action": "Deactivated", "Guid": h.guid, "EntityType": "Ticket", "Id": nil, "EventTime": stamp(s.config.Clock()),
			})
		}
	}
}

// Webhooks counts the webhooks of an account's database.
func (s *Server) Webhooks(username string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.named(username); a != nil {
		return len(a.base.hooks)
	}
	return 0
}
