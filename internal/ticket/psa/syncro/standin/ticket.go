package standin

import (
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Lengths of Syncro's columns.
const (
	maxSubject = 255   // characters
	maxText    = 65535 // bytes
)

// ticketFields is the body of POST and PUT: every field that Syncro's
// description names. A nil is a field that was not sent.
type ticketFields struct {
	CustomerID  *int64          `json:"customer_id"`
	Subject     *string         `json:"subject"`
	ProblemType *string         `json:"problem_type"`
	Status      *string         `json:"status"`
	Priority    *string         `json:"priority"`
	UserID      *int64          `json:"user_id"`
	DueDate     *string         `json:"due_date"`
	Tags        *[]string       `json:"tag_list"`
	Comments    []commentFields `json:"comments_attributes"`

	// Known to Syncro, accepted, and of no consequence here.
	TicketTypeID    *int64          `json:"ticket_type_id"`
	Number          *string         `json:"number"`
	StartAt         *time.Time      `json:"start_at"`
	EndAt           *time.Time      `json:"end_at"`
	LocationID      *int64          `json:"location_id"`
	Properties      json.RawMessage `json:"properties"`
	AssetIDs        []int64         `json:"asset_ids"`
	SignatureName   *string         `json:"signature_name"`
	SignatureData   *string         `json:"signature_data"`
	SLAID           *int64          `json:"sla_id"`
	ContactID       *int64          `json:"contact_id"`
	OuttakeFormData *string         `json:"outtake_form_data"`
	OuttakeFormDate *time.Time      `json:"outtake_form_date"`
	OuttakeFormName *string         `json:"outtake_form_name"`
}

func createTicket(s *Server, a *account, _ *http.Request, body []byte) answer {
	var f ticketFields
	if wrong := decode(body, &f); wrong != nil {
		return *wrong
	}
	if f.CustomerID == nil {
		return answer{http.StatusUnprocessableEntity, object{"error": "Customer required field"}}
	}
	now := s.config.Clock()
	t := &Ticket{Status: "New", CreatedAt: now}
	if problems := f.apply(a, t, now); len(problems) > 0 {
		return refuse(problems...)
	}
	s.number++
	t.ID, t.Number = s.nextID(), s.number
	for _, c := range f.Comments {
		t.Comments = append(t.Comments, c.comment(s.nextID(), now))
	}
	a.tickets = append(a.tickets, t)
	return answer{http.StatusOK, object{"ticket": a.render(t, true)}}
}

func updateTicket(s *Server, a *account, r *http.Request, body []byte) answer {
	t, ok := a.ticket(idOf(r))
	if !ok {
		return noSuchPath(s, a, r, body)
	}
	var f ticketFields
	if wrong := decode(body, &f); wrong != nil {
		return *wrong
	}
	now := s.config.Clock()
	changed := t.clone()
	if problems := f.apply(a, &changed, now); len(problems) > 0 {
		return refuse(problems...)
	}
	for _, c := range f.Comments {
		changed.Comments = append(changed.Comments, c.comment(s.nextID(), now))
	}
	*t = changed
	return answer{http.StatusOK, object{"ticket": a.render(t, true)}}
}

// apply sets the fields that were sent, and lists what the result violates.
func (f ticketFields) apply(a *account, t *Ticket, now time.Time) (problems []string) {
	set(&t.CustomerID, f.CustomerID)
	set(&t.Subject, f.Subject)
	set(&t.ProblemType, f.ProblemType)
	set(&t.Status, f.Status)
	set(&t.Priority, f.Priority)
	set(&t.UserID, f.UserID)
	set(&t.DueDate, f.DueDate)
	set(&t.Tags, f.Tags)
	t.UpdatedAt = now
	switch {
	case t.Status != "Resolved" && t.Status != "Invoiced":
		t.ResolvedAt = time.Time{}
	case t.ResolvedAt.IsZero():
		t.ResolvedAt = now
	}

	if c, ok := a.customer(t.CustomerID); !ok || c.Disabled {
		problems = append(problems, "Customer must exist")
	}
	if strings.TrimSpace(t.Subject) == "" {
		problems = append(problems, "Subject can't be blank")
	}
	if utf8.RuneCountInString(t.Subject) > maxSubject {
		problems = append(problems, "Subject is too long (maximum is 255 characters)")
	}
	if t.ProblemType != "" && !slices.Contains(a.ProblemTypes, t.ProblemType) {
		problems = append(problems, "Problem type is not included in the list")
	}
	if !slices.Contains(a.Statuses, t.Status) {
		problems = append(problems, "Status is not included in the list")
	}
	if !slices.Contains(a.Priorities, t.Priority) {
		problems = append(problems, "Priority is not included in the list")
	}
	if t.UserID != 0 && !slices.ContainsFunc(a.Users, func(u User) bool { return u.ID == t.UserID }) {
		problems = append(problems, "User must exist")
	}
	if t.DueDate != "" {
		if _, err := time.Parse(time.DateOnly, t.DueDate); err != nil {
			problems = append(problems, "Due date is invalid")
		}
	}
	if slices.ContainsFunc(t.Tags, func(tag string) bool { return utf8.RuneCountInString(tag) > maxSubject }) {
		problems = append(problems, "Tag is too long (maximum is 255 characters)")
	}
	for _, c := range f.Comments {
		problems = append(problems, c.problems()...)
	}
	return problems
}

// set copies a field that was sent.
func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func readTicket(s *Server, a *account, r *http.Request, body []byte) answer {
	t, ok := a.ticket(idOf(r))
	if !ok {
		return noSuchPath(s, a, r, body)
	}
	return answer{http.StatusOK, object{"ticket": a.render(t, true)}}
}

func listTickets(s *Server, a *account, r *http.Request, _ []byte) answer {
	return listTicketsTo(s, a, r, math.MaxInt64)
}

// listTicketsTo lists as a search index does that knows no ticket above an id.
func listTicketsTo(_ *Server, a *account, r *http.Request, newest int64) answer {
	query := r.URL.Query()
	var after, updated time.Time
	for name, bound := range map[string]*time.Time{"created_after": &after, "since_updated_at": &updated} {
		text := query.Get(name)
		if text == "" {
			continue
		}
		t, err := parseTime(text)
		if err != nil {
			return answer{http.StatusBadRequest, object{"error": name + " is invalid"}}
		}
		*bound = t
	}
	var matching []object
	for _, t := range slices.Backward(a.tickets) {
		if customer := query.Get("customer_id"); customer != "" && customer != strconv.FormatInt(t.CustomerID, 10) {
			continue
		}
		if status := query.Get("status"); status != "" && status != t.Status {
			continue
		}
		if t.ID > newest || t.CreatedAt.Before(after) || t.UpdatedAt.Before(updated) {
			continue
		}
		matching = append(matching, a.render(t, query.Get("all_comments") == "true"))
	}
	page, meta := paged(matching, query)
	return answer{http.StatusOK, object{"tickets": list(page), "meta": meta}}
}

// list is never null in JSON.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// render is a ticket in Syncro's words.
func (a *account) render(t *Ticket, comments bool) object {
	c, _ := a.customer(t.CustomerID)
	rendered := object{
		"id": t.ID, "number": t.Number, "subject": t.Subject, "created_at": t.CreatedAt.UTC(), "updated_at": t.UpdatedAt.UTC(),
		"customer_id": t.CustomerID, "customer_business_then_name": c.BusinessName,
		"problem_type": orNull(t.ProblemType), "status": t.Status, "priority": orNull(t.Priority),
		"user_id": orNull(t.UserID), "due_date": orNull(t.DueDate), "resolved_at": nil, "tag_list": list(t.Tags),
		"properties": object{}, "location_id": nil, "pdf_url": nil, "comments": []object{},
	}
	if !t.ResolvedAt.IsZero() {
		rendered["resolved_at"] = t.ResolvedAt.UTC()
	}
	if comments {
		all := make([]object, 0, len(t.Comments))
		for _, c := range t.Comments {
			all = append(all, c.render(t.ID))
		}
		rendered["comments"] = all
	}
	return rendered
}

// orNull shows an empty value as Syncro does.
func orNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}
