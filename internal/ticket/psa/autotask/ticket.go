package autotask

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Lengths of Autotask's fields, in UTF-16 units.
const (
	maxTitle       = 255
	maxDescription = 8000
	maxResolution  = 32000
	maxExternalID  = 50
)

// Numbers of Autotask's own statuses, which an MSP may rename but not remove.
const (
	statusNew      = 1
	statusComplete = 5
)

type ticket struct {
	ID         int64  `json:"id"`
	Number     string `json:"ticketNumber"`
	CompanyID  int64  `json:"companyID"`
	Title      string `json:"title"`
	Status     int    `json:"status"`
	ResourceID int64  `json:"assignedResourceID"`
	ExternalID string `json:"externalID"`
	Resolution string `json:"resolution"`
	CreatedAt  moment `json:"createDate"`
	UpdatedAt  moment `json:"lastActivityDate"`
}

var ticketFields = []string{
	"id", "ticketNumber", "companyID", "title", "status", "assignedResourceID", "externalID", "createDate", "lastActivityDate",
}

// moment is a time of Autotask's: UTC, whether or not it says so.
type moment time.Time

// UnmarshalJSON implements json.Unmarshaler.
func (m *moment) UnmarshalJSON(raw []byte) error {
	text := strings.Trim(string(raw), `"`)
	if text == "null" || text == "" {
		return nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05", text)
	}
	*m = moment(t)
	return err
}

// newTicket is what Create sends. Autotask requires the first four, and a queue
// or both resource and role.
type newTicket struct {
	CompanyID   int64  `json:"companyID"`
	Title       string `json:"title"`
	Status      int64  `json:"status"`
	Priority    int64  `json:"priority"`
	Description string `json:"description,omitempty"`
	QueueID     int64  `json:"queueID,omitempty"`
	ResourceID  int64  `json:"assignedResourceID,omitempty"`
	RoleID      int64  `json:"assignedResourceRoleID,omitempty"`
	Source      int64  `json:"source,omitempty"`
	ContactID   int64  `json:"contactID,omitempty"`
	DueDateTime string `json:"dueDateTime"`
	ExternalID  string `json:"externalID"`
}

// Create implements psa.Creator. Autotask answers with the id alone, so the
// ticket is read afterwards; if that fails, the number and the times are
// missing from what is returned, and nothing else.
//
// A ticket has no private text. In the client portal, a contact sees the
// tickets that name it, and those to whom the MSP gave a wider view see every
// ticket of their company. A public draft therefore names the company's primary
// contact, if it has one, and any other draft names none.
func (c *Client) Create(ctx context.Context, d psa.Draft) (psa.Remote, error) {
	const op = "create ticket"
	body, err := c.compose(op, d)
	if err != nil {
		return psa.Remote{}, err
	}
	if d.Public {
		if body.ContactID, err = c.primaryContact(ctx, op, body.CompanyID); err != nil {
			return psa.Remote{}, unsent(err)
		}
	}
	id, err := c.write(ctx, psa.Call{Op: op, Method: http.MethodPost, Path: "/Tickets", Body: body})
	if err != nil {
		return psa.Remote{}, err
	}
	made, err := c.Get(ctx, strconv.FormatInt(id, 10))
	if err != nil {
		c.config.Logger.WarnContext(ctx, "autotask: a ticket that was made cannot be read", "ticket", id, "error", err)
		made = c.remote(ticket{ID: id, CompanyID: body.CompanyID, Title: body.Title, Status: int(body.Status), ResourceID: body.ResourceID}, nil)
	}
	return made, nil
}

func (c *Client) compose(op string, d psa.Draft) (newTicket, error) {
	refuse := func(err error) (newTicket, error) {
		return newTicket{}, &psa.Error{Class: psa.Permanent, Op: op, Err: err}
	}
	settings, ok := d.Settings.(Settings)
	if !ok {
		return refuse(fmt.Errorf("settings are not Autotask's but %T", d.Settings))
	}
	if err := settings.Validate(); err != nil {
		return refuse(err)
	}
	companyID, err := parseID(op, "company", d.CompanyID, 0)
	if err != nil {
		return newTicket{}, err
	}
	title := psa.FitLine(d.Title, maxTitle)
	if title == "" {
		return refuse(errors.New("title is empty"))
	}
	if !strings.HasPrefix(d.Marker, psa.MarkerPrefix) || len(d.Marker) > maxExternalID {
		return refuse(errors.New("draft has no marker: its ticket could not be found again"))
	}
	due := d.Due
	if due.IsZero() {
		due = c.config.Clock().AddDate(0, 0, settings.DueDays)
	}
	t := newTicket{
		CompanyID: companyID, Title: title, Status: settings.Status.ID, Priority: settings.Priority.ID, Source: settings.Source.ID,
		Description: psa.Fit(d.Body, maxDescription), DueDateTime: due.UTC().Format(time.RFC3339), ExternalID: d.Marker,
	}
	if settings.Destination == ToQueue {
		t.QueueID = settings.Queue.ID
	} else {
		t.ResourceID, t.RoleID = settings.Resource.ID, settings.Resource.Role.ID
	}
	return t, nil
}

// Find implements psa.Creator. The time is not asked for: no marker is used
// twice, and clocks differ.
func (c *Client) Find(ctx context.Context, marker, companyID string, _ time.Time) ([]psa.Remote, error) {
	const op = "find ticket"
	company, err := parseID(op, "company", companyID, 0)
	if err != nil {
		return nil, err
	}
	if marker == "" {
		return nil, &psa.Error{Class: psa.Permanent, Op: op, Err: errors.New("marker is empty")}
	}
	statuses, err := c.picks(ctx, op, "Tickets", "status")
	if err != nil {
		return nil, err
	}
	found, err := all[ticket](ctx, c, op, "Tickets", search{
		IncludeFields: ticketFields, Filter: []filter{equal("externalID", marker), equal("companyID", company)},
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b ticket) int { return cmp.Compare(a.ID, b.ID) })
	var remotes []psa.Remote
	for _, t := range found {
		if strings.EqualFold(t.ExternalID, marker) && t.CompanyID == company {
			remotes = append(remotes, c.remote(t, statuses))
		}
	}
	return remotes, nil
}

// Get implements psa.Reader.
func (c *Client) Get(ctx context.Context, ticketID string) (psa.Remote, error) {
	const op = "read ticket"
	id, err := parseID(op, "ticket", ticketID, 1)
	if err != nil {
		return psa.Remote{}, err
	}
	statuses, err := c.picks(ctx, op, "Tickets", "status")
	if err != nil {
		return psa.Remote{}, err
	}
	t, err := c.ticket(ctx, op, id)
	if err != nil {
		return psa.Remote{}, err
	}
	return c.remote(t, statuses), nil
}

func (c *Client) ticket(ctx context.Context, op string, id int64) (ticket, error) {
	t, err := item[ticket](ctx, c, op, "Tickets", strconv.FormatInt(id, 10))
	if err == nil && t.ID != id {
		err = &psa.Error{Class: psa.Uncertain, Op: op, Err: fmt.Errorf("answer is about ticket %d", t.ID)}
	}
	return t, err
}

// SetStatus implements psa.Mover.
func (c *Client) SetStatus(ctx context.Context, ticketID, status string) error {
	const op = "set ticket status"
	if status == "" {
		return &psa.Error{Class: psa.Permanent, Op: op, Err: errors.New("status is empty")}
	}
	return c.move(ctx, op, ticketID, status, nil, "")
}

// Close implements psa.Mover. The resolution is written where there is none:
// what a technician wrote would lose its formatting if it were sent back.
func (c *Client) Close(ctx context.Context, ticketID string, closing psa.Closing) error {
	return c.move(ctx, "close ticket", ticketID, closing.Status, completed, closing.Resolution)
}

// Reopen implements psa.Mover.
func (c *Client) Reopen(ctx context.Context, ticketID, status string) error {
	return c.move(ctx, "reopen ticket", ticketID, status, begun, "")
}

func completed(statuses []pick) (int, bool) {
	return chosen(statuses, statusComplete, labelled("Complete"))
}

func begun(statuses []pick) (int, bool) {
	return chosen(statuses, statusNew, func(p pick) bool { return labelled("New")(p) || p.Default })
}

// move sets a status, or, if none is given, the one that usual finds.
func (c *Client) move(ctx context.Context, op, ticketID, status string, usual func([]pick) (int, bool), resolution string) error {
	id, err := parseID(op, "ticket", ticketID, 1)
	if err != nil {
		return err
	}
	body := struct {
		ID         int64  `json:"id"`
		Status     int    `json:"status"`
		Resolution string `json:"resolution,omitempty"`
	}{ID: id}
	if status == "" {
		statuses, err := c.picks(ctx, op, "Tickets", "status")
		if err != nil {
			return unsent(err)
		}
		var ok bool
		if body.Status, ok = usual(statuses); !ok {
			return &psa.Error{Class: psa.Permanent, Op: op, Err: errors.New("the account has no such status of Autotask's own: configure one")}
		}
	} else if body.Status, err = strconv.Atoi(status); err != nil {
		return &psa.Error{Class: psa.Permanent, Op: op, Err: fmt.Errorf("status %q is no value of Autotask's", status)}
	}
	if resolution = strings.TrimSpace(psa.Fit(resolution, maxResolution)); resolution != "" {
		t, err := c.ticket(ctx, op, id)
		if err != nil {
			return unsent(err)
		}
		if strings.TrimSpace(t.Resolution) == "" {
			body.Resolution = resolution
		}
	}
	call := psa.Call{Op: op, Method: http.MethodPatch, Path: "/Tickets", Body: body}
	moved, err := c.write(ctx, call)
	if err != nil {
		return c.orGone(ctx, id, err)
	}
	if moved != id {
		return c.discovery.Meaningless(call, "", fmt.Errorf("answer is about ticket %d", moved))
	}
	return nil
}

// orGone reads the ticket that a refused write was about: Autotask refuses a
// write to an absent ticket in words of no fixed form.
func (c *Client) orGone(ctx context.Context, id int64, err error) error {
	refused, ok := errors.AsType[*psa.Error](err)
	if !ok || refused.Class != psa.Permanent {
		return err
	}
	if _, why := c.ticket(ctx, refused.Op, id); psa.ClassOf(why) == psa.Gone {
		gone := *refused
		gone.Class = psa.Gone
		return &gone
	}
	return err
}

// remote shows a ticket; without the statuses it is taken to be open.
func (c *Client) remote(t ticket, statuses []pick) psa.Remote {
	r := psa.Remote{
		ID:        strconv.FormatInt(t.ID, 10),
		Number:    t.Number,
		CompanyID: strconv.FormatInt(t.CompanyID, 10),
		Title:     t.Title,
		Status:    strconv.Itoa(t.Status),
		CreatedAt: time.Time(t.CreatedAt),
		UpdatedAt: time.Time(t.UpdatedAt),
	}
	if done, ok := completed(statuses); ok {
		r.Closed = t.Status == done
	}
	if z := c.known.zone(); z != nil && z.web != "" {
		r.URL = z.web + "/Autotask/AutotaskExtend/ExecuteCommand.aspx?Code=OpenTicketDetail&TicketID=" + r.ID
	}
	if t.ResourceID > 0 {
		r.AssigneeID = strconv.FormatInt(t.ResourceID, 10)
	}
	return r
}
