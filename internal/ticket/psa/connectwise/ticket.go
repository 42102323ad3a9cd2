package connectwise

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

// Lengths in UTF-16 units: the summary's is ConnectWise's; texts have none
// that is documented, and maxText keeps a page of them readable.
const (
	maxSummary = 100
	maxText    = 16000
	maxXRef    = 100
)

type ticket struct {
	ID       int64  `json:"id"`
	Summary  string `json:"summary"`
	Company  ref    `json:"company"`
	Board    ref    `json:"board"`
	Status   ref    `json:"status"`
	Owner    ref    `json:"owner"`
	Closed   bool   `json:"closedFlag"`
	XRef     string `json:"externalXRef"`
	Severity string `json:"severity"`
	Impact   string `json:"impact"`
	Info     struct {
		Entered stamp `json:"dateEntered"`
		Updated stamp `json:"lastUpdated"`
	} `json:"_info"`
}

// chosen is a reference as it is sent.
type chosen struct {
	ID int64 `json:"id"`
}

func choose(id int64) *chosen {
	if id == 0 {
		return nil
	}
	return &chosen{id}
}

// newTicket is what Create sends.
type newTicket struct {
	Summary    string  `json:"summary"`
	RecordType string  `json:"recordType"`
	Company    chosen  `json:"company"`
	Board      *chosen `json:"board,omitempty"`
	Status     *chosen `json:"status,omitempty"`
	Priority   *chosen `json:"priority,omitempty"`
	Source     *chosen `json:"source,omitempty"`
	Required   string  `json:"requiredDate,omitempty"`
	Public     string  `json:"initialDescription,omitempty"`
	Internal   string  `json:"initialInternalAnalysis,omitempty"`
	XRef       string  `json:"externalXRef"`
	// Boards can be set up to mail the customer's contact about each ticket.
	MailContact  bool `json:"automaticEmailContactFlag"`
	SkipCallback bool `json:"skipCallback"`
}

// Create implements psa.Creator.
func (c *Client) Create(ctx context.Context, d psa.Draft) (psa.Remote, error) {
	const op = "create ticket"
	body, err := compose(op, d)
	if err != nil {
		return psa.Remote{}, err
	}
	made, err := c.one(ctx, psa.Call{Op: op, Method: http.MethodPost, Path: "/service/tickets", Body: body})
	if err != nil {
		return psa.Remote{}, err
	}
	return c.remote(made), nil
}

func compose(op string, d psa.Draft) (newTicket, error) {
	refuse := func(err error) (newTicket, error) {
		return newTicket{}, &psa.Error{Class: psa.Permanent, Op: op, Err: err}
	}
	settings, ok := d.Settings.(Settings)
	if !ok {
		return refuse(fmt.Errorf("settings are not ConnectWise's but %T", d.Settings))
	}
	if err := settings.Validate(); err != nil {
		return refuse(err)
	}
	companyID, err := parseID(op, "company", d.CompanyID)
	if err != nil {
		return newTicket{}, err
	}
	summary := psa.FitLine(d.Title, maxSummary)
	if summary == "" {
		return refuse(errors.New("title is empty"))
	}
	if _, askable := equal("externalXRef", d.Marker); !askable || !strings.HasPrefix(d.Marker, psa.MarkerPrefix) || len(d.Marker) > maxXRef {
		return refuse(errors.New("draft has no marker: its ticket could not be found again"))
	}
	t := newTicket{
		Summary:      summary,
		RecordType:   "ServiceTicket",
		Company:      chosen{companyID},
		Board:        choose(settings.Board.ID),
		Status:       choose(settings.Status.ID),
		Priority:     choose(settings.Priority.ID),
		Source:       choose(settings.Source.ID),
		XRef:         d.Marker,
		SkipCallback: true,
	}
	if text := psa.FitWithTail(d.Body, d.Marker, maxText); d.Public {
		t.Public = text
	} else {
		t.Internal = text
	}
	if !d.Due.IsZero() {
		t.Required = d.Due.UTC().Format("2006-01-02T15:04:05Z")
	}
	return t, nil
}

// Find implements psa.Creator. The marker is a field that ConnectWise searches
// by, so the time is of no use.
func (c *Client) Find(ctx context.Context, marker, companyID string, _ time.Time) ([]psa.Remote, error) {
	const op = "find ticket"
	company, err := parseID(op, "company", companyID)
	if err != nil {
		return nil, err
	}
	marked, ok := equal("externalXRef", marker)
	if !ok {
		return nil, &psa.Error{Class: psa.Permanent, Op: op, Err: fmt.Errorf("marker %q cannot be searched for", marker)}
	}
	found, err := every[ticket](ctx, c, listing{
		op: op, path: "/service/tickets", order: "id asc", conditions: marked + " and company/id=" + strconv.FormatInt(company, 10),
	})
	if err != nil {
		return nil, err
	}
	// Tickets that are made meanwhile may shift the pages: one may be listed twice.
	slices.SortFunc(found, func(a, b ticket) int { return cmp.Compare(a.ID, b.ID) })
	found = slices.CompactFunc(found, func(a, b ticket) bool { return a.ID == b.ID })
	var remotes []psa.Remote
	for _, t := range found {
		// A site that ignores a condition must not make us adopt a stranger's ticket.
		if t.ID > 0 && t.Company.ID == company && strings.EqualFold(t.XRef, marker) {
			remotes = append(remotes, c.remote(t))
		}
	}
	return remotes, nil
}

// Get implements psa.Reader.
func (c *Client) Get(ctx context.Context, ticketID string) (psa.Remote, error) {
	t, err := c.read(ctx, "read ticket", ticketID)
	if err != nil {
		return psa.Remote{}, err
	}
	return c.remote(t), nil
}

func (c *Client) read(ctx context.Context, op, ticketID string) (ticket, error) {
	at, err := ticketPath(op, ticketID)
	if err != nil {
		return ticket{}, err
	}
	return c.one(ctx, psa.Call{Op: op, Method: http.MethodGet, Path: at, Object: true})
}

// one sends a call that answers with a ticket.
func (c *Client) one(ctx context.Context, call psa.Call) (ticket, error) {
	var t ticket
	if err := c.do(ctx, call, &t); err != nil {
		return ticket{}, err
	}
	if t.ID < 1 || (call.Object && path.Base(call.Path) != strconv.FormatInt(t.ID, 10)) {
		return ticket{}, &psa.Error{Class: psa.Uncertain, Op: call.Op, Err: errors.New("answer does not hold the ticket")}
	}
	return t, nil
}

func ticketPath(op, ticketID string) (string, error) {
	id, err := parseID(op, "ticket", ticketID)
	if err != nil {
		return "", err
	}
	return "/service/tickets/" + strconv.FormatInt(id, 10), nil
}

func (c *Client) remote(t ticket) psa.Remote {
	id := strconv.FormatInt(t.ID, 10)
	r := psa.Remote{
		ID:        id,
		Number:    id,
		URL:       c.site + "/v4_6_release/services/system_io/Service/fv_sr100_request.rails?" + url.Values{"service_recid": {id}, "companyName": {c.companyID}}.Encode(),
		CompanyID: strconv.FormatInt(t.Company.ID, 10),
		Title:     t.Summary,
		Status:    strconv.FormatInt(t.Status.ID, 10),
		Closed:    t.Closed,
		CreatedAt: t.Info.Entered.Time,
		UpdatedAt: t.Info.Updated.Time,
	}
	if t.Owner.ID > 0 {
		r.AssigneeID = strconv.FormatInt(t.Owner.ID, 10)
	}
	return r
}
