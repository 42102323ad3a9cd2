package standin

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Lengths of Autotask's fields, in UTF-16 units.
const (
	maxTitle       = 255
	maxDescription = 8000
	maxExternalID  = 50
	maxResolution  = 32000
	maxNoteTitle   = 250
	maxNote        = 32000
)

// ticketFields is the body of POST and PATCH. A nil is a field that was not
// sent.
type ticketFields struct {
	ID          *int64  `json:"id"`
	CompanyID   *int64  `json:"companyID"`
	ContactID   *int64  `json:"contactID"`
	Title       *string `json:"title"`
	Description *string `json:"description"`
	Status      *int    `json:"status"`
	Priority    *int    `json:"priority"`
	QueueID     *int    `json:"queueID"`
	Source      *int    `json:"source"`
	ResourceID  *int64  `json:"assignedResourceID"`
	RoleID      *int64  `json:"assignedResourceRoleID"`
	DueDateTime *string `json:"dueDateTime"`
	ExternalID  *string `json:"externalID"`
	Resolution  *string `json:"resolution"`
}

// otherFields are known to Autotask, accepted, and of no consequence here.
var otherFields = []string{
	"billingCodeID", "companyLocationID", "configurationItemID", "contractID", "contractServiceID", "estimatedHours", "issueType",
	"monitorID", "projectID", "purchaseOrderNumber", "rmmAlertID", "serviceLevelAgreementID", "subIssueType", "ticketCategory",
	"ticketType", "userDefinedFields",
}

func createTicket(c *call) answer {
	if c.ReadOnly {
		return refuse("The logged in Resource does not have the adequate permissions to create this entity type.")
	}
	var f ticketFields
	if wrong := decode(c.body, &f, otherFields...); wrong != nil {
		return *wrong
	}
	var missing []string
	for _, field := range []struct {
		name  string
		given bool
	}{{"companyID", f.CompanyID != nil}, {"title", f.Title != nil}, {"status", f.Status != nil}, {"priority", f.Priority != nil}} {
		if !field.given {
			missing = append(missing, "Missing Required Field: "+field.name+".")
		}
	}
	if len(missing) > 0 {
		return refuse(missing...)
	}
	now := c.config.Clock()
	t := &Ticket{CreatedAt: now}
	if problems := f.apply(c.base, t, now); len(problems) > 0 {
		return refuse(problems...)
	}
	c.number++
	t.ID, t.Number = c.nextID(), fmt.Sprintf("T%s.%04d", now.UTC().Format("20060102"), c.number)
	c.base.tickets = append(c.base.tickets, t)
	return ok(object{"itemId": t.ID})
}

func updateTicket(c *call) answer {
	if c.ReadOnly {
		return refuse("The logged in Resource does not have the adequate permissions to update this entity type.")
	}
	var f ticketFields
	if wrong := decode(c.body, &f, otherFields...); wrong != nil {
		return *wrong
	}
	if f.ID == nil {
		return refuse("Missing Required Field: id.")
	}
	t, there := c.base.ticket(*f.ID)
	if !there {
		return refuse(fmt.Sprintf("Unable to find Ticket with the id of %d.", *f.ID))
	}
	changed := t.clone()
	if problems := f.apply(c.base, &changed, c.config.Clock()); len(problems) > 0 {
		return refuse(problems...)
	}
	before := t.clone()
	*t = changed
	c.changed(c.base, c.resource, before, t)
	return ok(object{"itemId": t.ID})
}

// apply sets the fields that were sent, and lists what the result violates.
func (f ticketFields) apply(b *database, t *Ticket, now time.Time) (problems []string) {
	set(&t.CompanyID, f.CompanyID)
	set(&t.ContactID, f.ContactID)
	set(&t.Title, f.Title)
	set(&t.Description, f.Description)
	set(&t.Status, f.Status)
	set(&t.Priority, f.Priority)
	set(&t.QueueID, f.QueueID)
	set(&t.Source, f.Source)
	set(&t.ResourceID, f.ResourceID)
	set(&t.RoleID, f.RoleID)
	set(&t.ExternalID, f.ExternalID)
	set(&t.Resolution, f.Resolution)
	t.UpdatedAt = now
	if f.DueDateTime != nil {
		due, err := time.Parse(time.RFC3339, *f.DueDateTime)
		if err != nil {
			problems = append(problems, "dueDateTime is not a valid date and time.")
		}
		t.Due = due
	}
	switch {
	case t.Status != statusComplete:
		t.CompletedAt = time.Time{}
	case t.CompletedAt.IsZero():
		t.CompletedAt = now
	}
	return append(problems, t.problems(b)...)
}

func (t *Ticket) problems(b *database) (problems []string) {
	if strings.TrimSpace(t.Title) == "" {
		problems = append(problems, "Missing Required Field: title.")
	}
	for _, l := range []struct {
		name, text string
		limit      int
	}{
		{"title", t.Title, maxTitle}, {"description", t.Description, maxDescription},
		{"externalID", t.ExternalID, maxExternalID}, {"resolution", t.Resolution, maxResolution},
	} {
		if units(l.text) > l.limit {
			problems = append(problems, fmt.Sprintf("The value of %s exceeds the maximum length of %d.", l.name, l.limit))
		}
	}
	if c, there := b.company(t.CompanyID); !there || c.Inactive {
		problems = append(problems, "The companyID does not reference an active Company.")
	}
	if t.ContactID != 0 && !slices.ContainsFunc(b.contacts, func(p contact) bool { return p.id == t.ContactID && p.companyID == t.CompanyID }) {
		problems = append(problems, "The contactID does not reference an active Contact of the Company.")
	}
	for _, p := range []struct {
		name  string
		list  []Pick
		value int
		free  bool
	}{
		{"status", b.statuses, t.Status, false}, {"priority", b.priorities, t.Priority, false},
		{"queueID", b.queues, t.QueueID, true}, {"source", b.sources, t.Source, true},
	} {
		if !(p.free && p.value == 0) && !picked(p.list, p.value) {
			problems = append(problems, fmt.Sprintf("The value %d is not an active picklist value of the field %s.", p.value, p.name))
		}
	}
	switch {
	case (t.ResourceID == 0) != (t.RoleID == 0):
		problems = append(problems, "assignedResourceID and assignedResourceRoleID must both be given.")
	case t.ResourceID == 0 && t.QueueID == 0:
		problems = append(problems, "The Ticket must have either a queueID or an assignedResourceID and assignedResourceRoleID.")
	case t.ResourceID != 0 && !b.assignable(t.ResourceID, t.RoleID):
		problems = append(problems, "The assignedResourceID and assignedResourceRoleID combination is not valid.")
	}
	return problems
}

func readTicket(c *call) answer {
	t, there := c.base.ticket(idOf(c.r))
	if !there {
		return ok(object{"item": nil})
	}
	return ok(object{"item": t.render()})
}

// stamp is a time as Autotask writes it.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func (t *Ticket) render() object {
	return object{
		"id": t.ID, "ticketNumber": t.Number, "companyID": t.CompanyID, "contactID": orNull(t.ContactID), "title": t.Title,
		"description": orNull(t.Description), "status": t.Status, "priority": t.Priority, "queueID": orNull(t.QueueID),
		"source": orNull(t.Source), "assignedResourceID": orNull(t.ResourceID), "assignedResourceRoleID": orNull(t.RoleID),
		"dueDateTime": stamp(t.Due), "externalID": orNull(t.ExternalID), "resolution": orNull(t.Resolution),
		"createDate": stamp(t.CreatedAt), "lastActivityDate": stamp(t.UpdatedAt), "completedDate": stamp(t.CompletedAt),
		"userDefinedFields": []any{},
	}
}

// noteFields is the body of a note.
type noteFields struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	NoteType    *int   `json:"noteType"`
	Publish     *int   `json:"publish"`
}

func createNote(c *call) answer {
	if c.ReadOnly {
		return refuse("The logged in Resource does not have the adequate permissions to create this entity type.")
	}
	t, there := c.base.ticket(idOf(c.r))
	if !there {
		return refuse("The ticketID does not reference an existing Ticket.")
	}
	var f noteFields
	if wrong := decode(c.body, &f); wrong != nil {
		return *wrong
	}
	var problems []string
	if strings.TrimSpace(f.Description) == "" {
		problems = append(problems, "Missing Required Field: description.")
	}
	if units(f.Title) > maxNoteTitle || units(f.Description) > maxNote {
		problems = append(problems, "The value of title or description exceeds its maximum length.")
	}
	if f.NoteType == nil || !picked(noteTypes, *f.NoteType) || *f.NoteType == noteTypes[0].Value {
		problems = append(problems, "The noteType is missing or cannot be used.")
	}
	if f.Publish == nil || !picked(c.base.publishing, *f.Publish) {
		problems = append(problems, "The publish value is missing or not an active picklist value.")
	}
	if len(problems) > 0 {
		return refuse(problems...)
	}
	now := c.config.Clock()
	n := Note{ID: c.nextID(), Title: f.Title, Description: f.Description, NoteType: *f.NoteType, Publish: *f.Publish, CreatedAt: now}
	t.Notes, t.UpdatedAt = append(t.Notes, n), now
	return ok(object{"itemId": n.ID})
}

// render leaves the zone out of the time, as some of Autotask's entities do.
func (n Note) render(ticketID int64) object {
	return object{
		"id": n.ID, "ticketID": ticketID, "title": n.Title, "description": n.Description, "noteType": n.NoteType, "publish": n.Publish,
		"createDateTime": n.CreatedAt.UTC().Format("2006-01-02T15:04:05.000"),
	}
}
