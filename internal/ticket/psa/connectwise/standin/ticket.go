package standin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
)

// Lengths of ConnectWise's columns, in UTF-16 units.
const (
	maxSummary = 100
	maxXRef    = 100
)

// reference names a record by its id.
type reference struct {
	ID         int64           `json:"id"`
	Name       *string         `json:"name"`
	Identifier *string         `json:"identifier"`
	Info       json.RawMessage `json:"_info"`
}

// ticketFields are the fields of a ticket that are kept here. A nil is one
// that was not sent.
type ticketFields struct {
	Summary      *string    `json:"summary"`
	RecordType   *string    `json:"recordType"`
	Company      *reference `json:"company"`
	Board        *reference `json:"board"`
	Status       *reference `json:"status"`
	Priority     *reference `json:"priority"`
	Source       *reference `json:"source"`
	Owner        *reference `json:"owner"`
	Severity     *string    `json:"severity"`
	Impact       *string    `json:"impact"`
	RequiredDate *string    `json:"requiredDate"`
	ExternalXRef *string    `json:"externalXRef"`
	MailContact  *bool      `json:"automaticEmailContactFlag"`
	Discussion   *string    `json:"initialDescription"`
	Internal     *string    `json:"initialInternalAnalysis"`
	Resolution   *string    `json:"initialResolution"`

	// Known to ConnectWise, accepted, and of no consequence here.
	ProcessNotifications *bool           `json:"processNotifications"`
	SkipCallback         *bool           `json:"skipCallback"`
	CustomFields         json.RawMessage `json:"customFields"`
}

func createTicket(s *Server, a *account, _ *http.Request, body []byte) answer {
	var f ticketFields
	if wrong := decode(body, &f, "ticket"); wrong != nil {
		return *wrong
	}
	now := s.config.Clock()
	// Boards are set up to mail the contact unless the ticket says otherwise.
	t := &Ticket{MailContact: true, CreatedAt: now}
	if problems := f.apply(a, t, now); len(problems) > 0 {
		return invalid("ticket", problems...)
	}
	t.ID = s.nextID()
	for _, first := range []struct {
		text *string
		note Note
	}{{f.Discussion, Note{Discussion: true}}, {f.Internal, Note{Internal: true}}, {f.Resolution, Note{Resolution: true}}} {
		if first.text != nil && *first.text != "" {
			first.note.ID, first.note.Text, first.note.CreatedAt = s.nextID(), *first.text, now
			t.Notes = append(t.Notes, first.note)
		}
	}
	a.tickets = append(a.tickets, t)
	if f.SkipCallback == nil || !*f.SkipCallback {
		s.changed(a, a, "added", t)
	}
	return answer{status: http.StatusCreated, body: a.render(t)}
}

// updateTicket takes an array of operations. A path into an object is answered
// with success and changes nothing, as ConnectWise does.
func updateTicket(s *Server, a *account, r *http.Request, body []byte) answer {
	t, ok := a.ticket(idOf(r))
	if !ok {
		return noSuchTicket(r)
	}
	var operations []struct {
		Op    string          `json:"op"`
		Path  string          `json:"path"`
		Value json.RawMessage `json:"value"`
	}
	if wrong := decode(body, &operations, "ticket"); wrong != nil {
		return *wrong
	}
	now := s.config.Clock()
	changed := t.clone()
	for _, o := range operations {
		path := strings.TrimPrefix(o.Path, "/")
		if (o.Op != "replace" && o.Op != "add") || path == "" || len(o.Value) == 0 {
			return invalid("ticket", problem{"InvalidOperation", "The operation " + o.Op + " of " + o.Path + " is not possible.", path})
		}
		if strings.Contains(path, "/") {
			continue
		}
		raw, err := json.Marshal(map[string]json.RawMessage{path: o.Value})
		if err != nil {
			return invalid("ticket", problem{"InvalidField", err.Error(), path})
		}
		var f ticketFields
		if wrong := decode(raw, &f, "ticket"); wrong != nil {
			return *wrong
		}
		if problems := f.apply(a, &changed, now); len(problems) > 0 {
			return invalid("ticket", problems...)
		}
	}
	var problems []problem
	for field, value := range map[string]string{"severity": changed.Severity, "impact": changed.Impact} {
		if value == "" {
			problems = append(problems, required(field))
		}
	}
	if len(problems) > 0 {
		return invalid("ticket", problems...)
	}
	*t = changed
	s.changed(a, a, "updated", t)
	return answer{status: http.StatusOK, body: a.render(t)}
}

func required(field string) problem {
	return problem{"MissingRequiredField", "The " + field + " field is required.", field}
}

// apply sets the fields that were sent, and lists what the result violates.
func (f ticketFields) apply(a *account, t *Ticket, now time.Time) (problems []problem) {
	set(&t.Summary, f.Summary)
	set(&t.Severity, f.Severity)
	set(&t.Impact, f.Impact)
	set(&t.RequiredDate, f.RequiredDate)
	set(&t.ExternalXRef, f.ExternalXRef)
	set(&t.MailContact, f.MailContact)
	for to, from := range map[*int64]*reference{&t.CompanyID: f.Company, &t.BoardID: f.Board, &t.StatusID: f.Status, &t.PriorityID: f.Priority, &t.SourceID: f.Source, &t.OwnerID: f.Owner} {
		if from != nil {
			*to = from.ID
		}
	}
	t.UpdatedAt = now
	if strings.TrimSpace(t.Summary) == "" {
		problems = append(problems, required("summary"))
	}
	for field, v := range map[string]struct {
		text  string
		limit int
	}{"summary": {t.Summary, maxSummary}, "externalXRef": {t.ExternalXRef, maxXRef}} {
		if len(utf16.Encode([]rune(v.text))) > v.limit {
			problems = append(problems, problem{"MaxLength", "The field " + field + " is too long.", field})
		}
	}
	if f.RecordType != nil && *f.RecordType != "ServiceTicket" {
		problems = append(problems, problem{"InvalidField", "recordType is not ServiceTicket.", "recordType"})
	}
	for field, value := range map[string]string{"severity": t.Severity, "impact": t.Impact} {
		if value != "" && !slices.Contains([]string{"Low", "Medium", "High"}, value) {
			problems = append(problems, problem{"InvalidField", field + " is not Low, Medium or High.", field})
		}
	}
	if _, err := time.Parse("2006-01-02T15:04:05Z", t.RequiredDate); t.RequiredDate != "" && err != nil {
		problems = append(problems, problem{"InvalidField", "requiredDate is not a date.", "requiredDate"})
	}
	if c, ok := a.company(t.CompanyID); !ok || c.Deleted {
		problems = append(problems, absent("Company", "company/id"))
	}
	for field, v := range map[string]struct {
		id  int64
		all []Choice
	}{"priority": {t.PriorityID, a.Priorities}, "source": {t.SourceID, a.Sources}, "owner": {t.OwnerID, a.Members}} {
		if _, ok := choice(v.all, v.id); v.id != 0 && !ok {
			problems = append(problems, absent("Service "+field, field+"/id"))
		}
	}
	return append(problems, t.place(a)...)
}

// place gives a ticket its board and status, and refuses a status of another
// board.
func (t *Ticket) place(a *account) []problem {
	if t.BoardID == 0 {
		t.BoardID = a.Boards[0].ID
	}
	b, ok := a.board(t.BoardID)
	if !ok || b.Inactive || b.Project {
		return []problem{absent("Service Board", "board/id")}
	}
	if t.StatusID == 0 {
		first, _ := find(b.Statuses, func(s Status) bool { return s.Default })
		t.StatusID = first.ID
	}
	s, ok := b.status(t.StatusID)
	if !ok || s.Inactive {
		return []problem{absent("Service Status", "status/id", " for Service Board "+b.Name)}
	}
	t.Closed = s.Closed
	return nil
}

func absent(what, field string, where ...string) problem {
	return problem{"NotFound", what + " not found" + strings.Join(where, ""), field}
}

// set copies a field that was sent.
func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func noSuchTicket(r *http.Request) answer {
	return refused(http.StatusNotFound, "NotFound", "Ticket "+r.PathValue("id")+" not found")
}

func readTicket(_ *Server, a *account, r *http.Request, _ []byte) answer {
	t, ok := a.ticket(idOf(r))
	if !ok {
		return noSuchTicket(r)
	}
	return answer{status: http.StatusOK, body: a.render(t)}
}

// listTickets lists as an index does that is behind what is written.
func listTickets(s *Server, a *account, r *http.Request, body []byte) answer {
	indexed := slices.DeleteFunc(slices.Clone(a.tickets), func(t *Ticket) bool {
		return (a.newest != 0 && t.ID > a.newest) || (s.config.SearchLag > 0 && s.config.Clock().Sub(t.CreatedAt) < s.config.SearchLag)
	})
	// A column is asked about no ticket at all to learn its type.
	of := func(get func(*Ticket) any) func(*Ticket) any {
		return func(t *Ticket) any {
			if t == nil {
				t = &Ticket{}
			}
			return get(t)
		}
	}
	return list(r, body, indexed, columns[*Ticket]{
		"id":           of(func(t *Ticket) any { return t.ID }),
		"summary":      of(func(t *Ticket) any { return t.Summary }),
		"externalXRef": of(func(t *Ticket) any { return t.ExternalXRef }),
		"company/id":   of(func(t *Ticket) any { return t.CompanyID }),
		"board/id":     of(func(t *Ticket) any { return t.BoardID }),
		"status/id":    of(func(t *Ticket) any { return t.StatusID }),
		"closedFlag":   of(func(t *Ticket) any { return t.Closed }),
		"lastUpdated":  of(func(t *Ticket) any { return t.UpdatedAt.UTC().Truncate(time.Second) }),
	}, a.render)
}

// render is a ticket in ConnectWise's words: references are shown whole.
func (a *account) render(t *Ticket) object {
	c, _ := a.company(t.CompanyID)
	b, _ := a.board(t.BoardID)
	s, _ := b.status(t.StatusID)
	return object{
		"id": t.ID, "summary": t.Summary, "recordType": "ServiceTicket",
		"company": object{"id": c.ID, "identifier": c.Name, "name": c.Name}, "board": Choice{b.ID, b.Name}.render(), "status": Choice{s.ID, s.Name}.render(),
		"priority": shown(a.Priorities, t.PriorityID), "source": shown(a.Sources, t.SourceID), "owner": shown(a.Members, t.OwnerID),
		"severity": orNull(t.Severity), "impact": orNull(t.Impact), "requiredDate": orNull(t.RequiredDate), "externalXRef": orNull(t.ExternalXRef),
		"closedFlag": t.Closed, "automaticEmailContactFlag": t.MailContact, "customFields": []any{},
		"_info": object{"dateEntered": t.CreatedAt.UTC().Format(time.RFC3339), "lastUpdated": t.UpdatedAt.UTC().Format(time.RFC3339), "enteredBy": "API"},
	}
}

func shown(all []Choice, id int64) any {
	if c, ok := choice(all, id); ok {
		return c.render()
	}
	return nil
}

// orNull shows an empty value as ConnectWise does.
func orNull(v string) any {
	if v == "" {
		return nil
	}
	return v
}
