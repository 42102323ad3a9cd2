package syncro

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// schedule is a recurring invoice. The paths under /schedules and what they
// hold are those of the vendor's API description; they take the permissions
// Recurring Invoices - List and - Edit.
type schedule struct {
	ID         int64          `json:"id"`
	CustomerID int64          `json:"customer_id"`
	Name       string         `json:"name"`
	Frequency  string         `json:"frequency"`
	Paused     bool           `json:"paused"`
	Lines      []scheduleLine `json:"lines"`
}

type scheduleLine struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Quantity    amount `json:"quantity"`
}

// amount is a decimal number that Syncro writes as text.
type amount float64

// UnmarshalJSON implements json.Unmarshaler.
func (a *amount) UnmarshalJSON(raw []byte) error {
	var text json.Number
	if err := json.Unmarshal(raw, &text); err != nil || text == "" {
		return err
	}
	n, err := text.Float64()
	*a = amount(n)
	return err
}

func (s schedule) agreement() psa.Agreement {
	name := s.Name
	if s.Frequency != "" {
		name += " (" + s.Frequency + ")"
	}
	return psa.Agreement{ID: strconv.FormatInt(s.ID, 10), Name: name, CompanyID: strconv.FormatInt(s.CustomerID, 10), Active: !s.Paused}
}

func (l scheduleLine) line() psa.Line {
	name := l.Name
	if name == "" {
		name = l.Description
	}
	return psa.Line{ID: strconv.FormatInt(l.ID, 10), Name: name, Quantity: float64(l.Quantity), Active: true}
}

// Agreements implements psa.Biller.
func (c *Client) Agreements(ctx context.Context, companyID, cursor string) (psa.AgreementPage, error) {
	const op = "list recurring invoices"
	customer, err := parseID(op, "customer", companyID)
	if err != nil {
		return psa.AgreementPage{}, err
	}
	page := 1
	if cursor != "" {
		if page, err = strconv.Atoi(cursor); err != nil || page < 1 {
			return psa.AgreementPage{}, &psa.Error{Class: psa.Permanent, Op: op, Err: fmt.Errorf("cursor %q is not one of ours", cursor)}
		}
	}
	var out struct {
		Schedules *[]schedule `json:"schedules"`
		Meta      meta        `json:"meta"`
		failed
	}
	call := psa.Call{Op: op, Method: http.MethodGet, Path: "/schedules", Query: url.Values{
		"customer_id": {strconv.FormatInt(customer, 10)}, "page": {strconv.Itoa(page)},
	}}
	if err := c.http.Do(ctx, call, &out); err != nil {
		return psa.AgreementPage{}, err
	}
	if out.Schedules == nil {
		return psa.AgreementPage{}, c.http.Meaningless(call, out.text(), errors.New("answer holds no list of recurring invoices"))
	}
	var result psa.AgreementPage
	for _, s := range *out.Schedules {
		if s.CustomerID == customer {
			result.Agreements = append(result.Agreements, s.agreement())
		}
	}
	// The description shows no meta in this list: a full page may have a next.
	if page < out.Meta.Pages || (out.Meta.Pages == 0 && len(*out.Schedules) >= listed) {
		result.Next = strconv.Itoa(page + 1)
	}
	return result, nil
}

// listed is how many records Syncro puts on a page.
const listed = 25

// Agreement implements psa.Biller.
func (c *Client) Agreement(ctx context.Context, id string) (psa.Agreement, error) {
	s, err := c.schedule(ctx, "read recurring invoice", id)
	if err != nil {
		return psa.Agreement{}, err
	}
	return s.agreement(), nil
}

// Lines implements psa.Biller; all lines are on the first page.
func (c *Client) Lines(ctx context.Context, agreementID, cursor string) (psa.LinePage, error) {
	const op = "list lines of recurring invoice"
	if cursor != "" {
		return psa.LinePage{}, &psa.Error{Class: psa.Permanent, Op: op, Err: fmt.Errorf("cursor %q is not one of ours", cursor)}
	}
	s, err := c.schedule(ctx, op, agreementID)
	if err != nil {
		return psa.LinePage{}, err
	}
	var result psa.LinePage
	for _, l := range s.Lines {
		result.Lines = append(result.Lines, l.line())
	}
	return result, nil
}

// Line implements psa.Biller.
func (c *Client) Line(ctx context.Context, agreementID, lineID string) (psa.Line, error) {
	const op = "read line of recurring invoice"
	number, err := parseID(op, "line", lineID)
	if err != nil {
		return psa.Line{}, err
	}
	s, err := c.schedule(ctx, op, agreementID)
	if err != nil {
		return psa.Line{}, err
	}
	i := slices.IndexFunc(s.Lines, func(l scheduleLine) bool { return l.ID == number })
	if i < 0 {
		return psa.Line{}, &psa.Error{Class: psa.Gone, Op: op, Vendor: "the recurring invoice has no line " + lineID}
	}
	return s.Lines[i].line(), nil
}

// SetQuantity implements psa.Biller. A recurring invoice knows no days: the
// quantity is that of the next invoice.
func (c *Client) SetQuantity(ctx context.Context, agreementID, lineID string, quantity int, _ time.Time) error {
	const op = "set quantity of recurring invoice"
	agreement, err := parseID(op, "recurring invoice", agreementID)
	if err != nil {
		return err
	}
	line, err := parseID(op, "line", lineID)
	if err != nil {
		return err
	}
	var out struct {
		Line scheduleLine `json:"schedule_line_item"`
		failed
	}
	call := psa.Call{
		Op: op, Method: http.MethodPut, Path: fmt.Sprintf("/schedules/%d/line_items/%d", agreement, line),
		Body: map[string]int{"quantity": quantity}, Object: true,
	}
	if err := c.http.Do(ctx, call, &out); err != nil {
		return err
	}
	if out.Line.ID != line {
		return c.http.Meaningless(call, out.text(), errors.New("answer does not hold the line"))
	}
	if out.Line.Quantity != amount(quantity) {
		return &psa.Error{Class: psa.Permanent, Op: op, Err: fmt.Errorf("the quantity is still %g", float64(out.Line.Quantity))}
	}
	return nil
}

func (c *Client) schedule(ctx context.Context, op, id string) (schedule, error) {
	number, err := parseID(op, "recurring invoice", id)
	if err != nil {
		return schedule{}, err
	}
	var out struct {
		Schedule schedule `json:"schedule"`
		failed
	}
	call := psa.Call{Op: op, Method: http.MethodGet, Path: "/schedules/" + strconv.FormatInt(number, 10), Object: true}
	if err := c.http.Do(ctx, call, &out); err != nil {
		return schedule{}, err
	}
	if out.Schedule.ID != number {
		return schedule{}, c.http.Meaningless(call, out.text(), fmt.Errorf("answer is not about recurring invoice %d", number))
	}
	return out.Schedule, nil
}
