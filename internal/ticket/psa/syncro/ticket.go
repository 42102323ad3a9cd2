package syncro

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Lengths that Syncro's columns hold, in UTF-16 units. A body of maxBody units
// is at most 64,000 bytes.
const (
	maxSubject = 255
	maxBody    = 16000
)

// Statuses that every Syncro account has. Others are the account's own.
const (
	statusNew      = "New"
	statusResolved = "Resolved"
	statusInvoiced = "Invoiced" // resolved, then billed
)

// lookBack widens a search in time: Syncro may read the time as a date in the
// account's own zone, and our clocks differ.
const lookBack = 24 * time.Hour

type ticket struct {
	ID         int64     `json:"id"`
	Number     number    `json:"number"`
	CustomerID int64     `json:"customer_id"`
	Subject    string    `json:"subject"`
	Status     string    `json:"status"`
	UserID     int64     `json:"user_id"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
	Tags       []string  `json:"tag_list"`
	Comments   []comment `json:"comments"`
}

// number is a ticket's number, which the vendor documents as text and shows as
// a JSON number.
type number string

func (n *number) UnmarshalJSON(raw []byte) error {
	if text := strings.Trim(string(raw), `"`); text != "null" {
		*n = number(text)
	}
	return nil
}

// newTicket is what Create sends. The vendor's description requires nothing;
// in practice customer_id and subject are.
type newTicket struct {
	CustomerID  int64        `json:"customer_id"`
	Subject     string       `json:"subject"`
	ProblemType string       `json:"problem_type"`
	Status      string       `json:"status"`
	Priority    string       `json:"priority,omitempty"`
	UserID      int64        `json:"user_id,omitempty"`
	DueDate     string       `json:"due_date,omitempty"`
	Tags        []string     `json:"tag_list"`
	Comments    []newComment `json:"comments_attributes"`
}

// Create implements psa.Creator.
func (c *Client) Create(ctx context.Context, d psa.Draft) (psa.Remote, error) {
	const op = "create ticket"
	body, err := compose(op, d)
	if err != nil {
		return psa.Remote{}, err
	}
	return c.one(ctx, psa.Call{Op: op, Method: http.MethodPost, Path: "/tickets", Body: body})
}

func compose(op string, d psa.Draft) (newTicket, error) {
	refuse := func(err error) (newTicket, error) {
		return newTicket{}, &psa.Error{Class: psa.Permanent, Op: op, Err: err}
	}
	settings, ok := d.Settings.(Settings)
	if !ok {
		return refuse(fmt.Errorf("settings are not Syncro's but %T", d.Settings))
	}
	if err := settings.Validate(); err != nil {
		return refuse(err)
	}
	customerID, err := parseID(op, "customer", d.CompanyID)
	if err != nil {
		return newTicket{}, err
	}
	subject := psa.FitLine(d.Title, maxSubject)
	if subject == "" {
		return refuse(errors.New("title is empty"))
	}
	if !strings.HasPrefix(d.Marker, psa.MarkerPrefix) {
		return refuse(errors.New("draft has no marker: its ticket could not be found again"))
	}
	t := newTicket{
		CustomerID:  customerID,
		Subject:     subject,
		ProblemType: settings.ProblemType,
		Status:      cmp.Or(settings.Status, statusNew),
		Priority:    settings.Priority,
		UserID:      settings.UserID,
		Tags:        []string{tag(d.Marker)},
		Comments: []newComment{{
			Subject:    "Initial Issue",
			Body:       psa.FitWithTail(d.Body, d.Marker, maxBody),
			Hidden:     !d.Public,
			DoNotEmail: true,
		}},
	}
	if !d.Due.IsZero() {
		t.DueDate = d.Due.UTC().Format(time.DateOnly)
	}
	return t, nil
}

// tag is a marker as a tag: tags are words joined by hyphens.
func tag(marker string) string { return strings.Replace(marker, ":", "-", 1) }

// Find implements psa.Creator.
func (c *Client) Find(ctx context.Context, marker, companyID string, since time.Time) ([]psa.Remote, error) {
	const op = "find ticket"
	customerID, err := parseID(op, "customer", companyID)
	if err != nil {
		return nil, err
	}
	query := url.Values{
		"customer_id":   {strconv.FormatInt(customerID, 10)},
		"created_after": {since.Add(-lookBack).UTC().Format(time.RFC3339)},
	}
	// Tickets that are made meanwhile shift the pages: one may be listed twice.
	found := map[int64]ticket{}
	err = c.pages(op, func(page int) (int, error) {
		var out struct {
			Tickets *[]ticket `json:"tickets"`
			Meta    meta      `json:"meta"`
			failed
		}
		query.Set("page", strconv.Itoa(page))
		call := psa.Call{Op: op, Method: http.MethodGet, Path: "/tickets", Query: query}
		if err := c.http.Do(ctx, call, &out); err != nil {
			return 0, err
		}
		if out.Tickets == nil {
			return 0, c.http.Meaningless(call, out.text(), errors.New("answer holds no list of tickets"))
		}
		for _, t := range *out.Tickets {
			if t.carries(marker) {
				found[t.ID] = t
			}
		}
		return out.Meta.Pages, nil
	})
	if err != nil {
		return nil, err
	}
	var remotes []psa.Remote
	for _, t := range found {
		remotes = append(remotes, c.remote(t))
	}
	slices.SortFunc(remotes, func(a, b psa.Remote) int { return compareIDs(a.ID, b.ID) })
	return remotes, nil
}

// carries looks in the tags, and in the comments for accounts where somebody
// tidied the tags.
func (t ticket) carries(marker string) bool {
	for _, have := range t.Tags {
		if strings.EqualFold(have, tag(marker)) || strings.EqualFold(have, marker) {
			return marker != ""
		}
	}
	return slices.ContainsFunc(t.Comments, func(c comment) bool { return psa.Marked(c.Body, marker) })
}

// pages calls get with page after page until the last, whose number get
// returns. Running into the limit is an error: an unread page may hold what is
// looked for.
func (c *Client) pages(op string, get func(page int) (last int, err error)) error {
	for page := 1; page <= c.maxPages; page++ {
		last, err := get(page)
		if err != nil {
			return err
		}
		if page >= last {
			return nil
		}
	}
	return &psa.Error{Class: psa.Uncertain, Op: op, Err: fmt.Errorf("list is longer than %d pages", c.maxPages)}
}

// Get implements psa.Reader.
func (c *Client) Get(ctx context.Context, ticketID string) (psa.Remote, error) {
	const op = "read ticket"
	at, err := ticketPath(op, ticketID)
	if err != nil {
		return psa.Remote{}, err
	}
	return c.one(ctx, psa.Call{Op: op, Method: http.MethodGet, Path: at, Object: true})
}

// SetStatus implements psa.Mover.
func (c *Client) SetStatus(ctx context.Context, ticketID, status string) error {
	return c.move(ctx, "set ticket status", ticketID, status)
}

// Close implements psa.Mover. Syncro keeps no resolution text.
func (c *Client) Close(ctx context.Context, ticketID string, closing psa.Closing) error {
	return c.move(ctx, "close ticket", ticketID, cmp.Or(closing.Status, statusResolved))
}

// Reopen implements psa.Mover.
func (c *Client) Reopen(ctx context.Context, ticketID, status string) error {
	return c.move(ctx, "reopen ticket", ticketID, cmp.Or(status, statusNew))
}

func (c *Client) move(ctx context.Context, op, ticketID, status string) error {
	at, err := ticketPath(op, ticketID)
	if err != nil {
		return err
	}
	if status == "" {
		return &psa.Error{Class: psa.Permanent, Op: op, Err: errors.New("status is empty")}
	}
	body := map[string]string{"status": status}
	moved, err := c.one(ctx, psa.Call{Op: op, Method: http.MethodPut, Path: at, Body: body, Object: true})
	if err != nil {
		return err
	}
	// Any closed status will do for closing: the account may invoice at once.
	if !strings.EqualFold(moved.Status, status) && !(moved.Closed && isClosed(status)) {
		return &psa.Error{Class: psa.Permanent, Op: op, Err: fmt.Errorf("status is still %q: an automation of the account may have changed it", moved.Status)}
	}
	return nil
}

// one sends a call that answers with a ticket.
func (c *Client) one(ctx context.Context, call psa.Call) (psa.Remote, error) {
	var out struct {
		Ticket ticket `json:"ticket"`
		failed
	}
	if err := c.http.Do(ctx, call, &out); err != nil {
		return psa.Remote{}, err
	}
	r := c.remote(out.Ticket)
	if out.Ticket.ID < 1 || (call.Object && path.Base(call.Path) != r.ID) {
		return psa.Remote{}, c.http.Meaningless(call, out.text(), errors.New("answer does not hold the ticket"))
	}
	return r, nil
}

func ticketPath(op, ticketID string) (string, error) {
	id, err := parseID(op, "ticket", ticketID)
	if err != nil {
		return "", err
	}
	return "/tickets/" + strconv.FormatInt(id, 10), nil
}

func (c *Client) remote(t ticket) psa.Remote {
	r := psa.Remote{
		ID:        strconv.FormatInt(t.ID, 10),
		Number:    string(t.Number),
		CompanyID: strconv.FormatInt(t.CustomerID, 10),
		Title:     t.Subject,
		Status:    t.Status,
		// Not resolved_at, which may outlive a reopening.
		Closed:    isClosed(t.Status),
		CreatedAt: t.CreatedAt,
		UpdatedAt: t.UpdatedAt,
	}
	r.URL = c.root + "/tickets/" + r.ID
	if t.UserID > 0 {
		r.AssigneeID = strconv.FormatInt(t.UserID, 10)
	}
	return r
}

func isClosed(status string) bool {
	return strings.EqualFold(status, statusResolved) || strings.EqualFold(status, statusInvoiced)
}

// compareIDs orders decimal ids by value.
func compareIDs(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}
