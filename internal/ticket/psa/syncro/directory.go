package syncro

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

type customer struct {
	ID           int64  `json:"id"`
	BusinessName string `json:"business_name"`
	EitherName   string `json:"business_then_name"`
	FullName     string `json:"fullname"`
	Disabled     bool   `json:"disabled"`
}

func (c customer) company() psa.Company {
	return psa.Company{
		ID:     strconv.FormatInt(c.ID, 10),
		Name:   cmp.Or(c.BusinessName, c.EitherName, c.FullName),
		Active: !c.Disabled,
	}
}

// meta is how Syncro tells where in a list an answer is.
type meta struct {
	Pages   int  `json:"total_pages"`
	Entries *int `json:"total_entries"`
}

// Companies implements psa.Companies.
func (c *Client) Companies(ctx context.Context, q psa.CompanyQuery) (psa.CompanyPage, error) {
	const op = "list customers"
	page := 1
	if q.Cursor != "" {
		n, err := strconv.Atoi(q.Cursor)
		if err != nil || n < 1 {
			return psa.CompanyPage{}, &psa.Error{Class: psa.Permanent, Op: op, Err: fmt.Errorf("cursor %q is not one of ours", q.Cursor)}
		}
		page = n
	}
	query := url.Values{"page": {strconv.Itoa(page)}}
	if q.Search != "" {
		query.Set("business_name", psa.FitLine(q.Search, maxSubject))
	}
	var out struct {
		Customers *[]customer `json:"customers"`
		Meta      meta        `json:"meta"`
		failed
	}
	call := psa.Call{Op: op, Method: http.MethodGet, Path: "/customers", Query: query}
	if err := c.http.Do(ctx, call, &out); err != nil {
		return psa.CompanyPage{}, err
	}
	if out.Customers == nil {
		return psa.CompanyPage{}, c.http.Meaningless(call, out.text(), errors.New("answer holds no list of customers"))
	}
	result := psa.CompanyPage{Total: -1}
	if out.Meta.Entries != nil {
		result.Total = *out.Meta.Entries
	}
	for _, item := range *out.Customers {
		result.Companies = append(result.Companies, item.company())
	}
	if page < out.Meta.Pages {
		result.Next = strconv.Itoa(page + 1)
	}
	return result, nil
}

// Company implements psa.Companies.
func (c *Client) Company(ctx context.Context, id string) (psa.Company, error) {
	const op = "read customer"
	number, err := parseID(op, "customer", id)
	if err != nil {
		return psa.Company{}, err
	}
	var out struct {
		Customer customer `json:"customer"`
		failed
	}
	call := psa.Call{Op: op, Method: http.MethodGet, Path: "/customers/" + strconv.FormatInt(number, 10), Object: true}
	if err := c.http.Do(ctx, call, &out); err != nil {
		return psa.Company{}, err
	}
	if out.Customer.ID != number {
		return psa.Company{}, c.http.Meaningless(call, out.text(), fmt.Errorf("answer is about customer %d", out.Customer.ID))
	}
	return out.Customer.company(), nil
}

// user is [1, "Name"].
type user struct {
	id   int64
	name string
}

func (u *user) UnmarshalJSON(raw []byte) error {
	return json.Unmarshal(raw, &[]any{&u.id, &u.name})
}

// Options implements psa.Options with three calls.
func (c *Client) Options(ctx context.Context) ([]psa.Option, error) {
	var settings struct {
		Ticket struct {
			ProblemTypes []string `json:"problem_types"`
			Priorities   []string `json:"priorities"`
		} `json:"ticket"`
		failed
	}
	var tickets struct {
		Statuses []string `json:"ticket_status_list"`
		failed
	}
	var users struct {
		Users []user `json:"users"`
		failed
	}
	// An answer without its list must not read as an account without choices:
	// every configuration would be refused.
	for _, read := range []struct {
		path  string
		out   any
		empty func() bool
		says  *failed
	}{
		{"/settings", &settings, func() bool { return settings.Ticket.ProblemTypes == nil }, &settings.failed},
		{"/tickets/settings", &tickets, func() bool { return tickets.Statuses == nil }, &tickets.failed},
		{"/users", &users, func() bool { return users.Users == nil }, &users.failed},
	} {
		call := psa.Call{Op: "read ticket options", Method: http.MethodGet, Path: read.path}
		if err := c.http.Do(ctx, call, read.out); err != nil {
			return nil, err
		}
		if read.empty() {
			return nil, c.http.Meaningless(call, read.says.text(), errors.New("answer holds no list of choices"))
		}
	}
	technicians := psa.Option{Name: OptionUser}
	for _, u := range users.Users {
		technicians.Values = append(technicians.Values, psa.OptionValue{Value: strconv.FormatInt(u.id, 10), Label: u.name, Active: true})
	}
	return []psa.Option{
		option(OptionProblemType, settings.Ticket.ProblemTypes),
		option(OptionPriority, settings.Ticket.Priorities),
		option(OptionStatus, tickets.Statuses),
		technicians,
	}, nil
}

// option lists choices that are their own labels. Syncro lists "" for "none",
// which is not a choice but the absence of one.
func option(name string, values []string) psa.Option {
	o := psa.Option{Name: name}
	for _, v := range values {
		if v != "" {
			o.Values = append(o.Values, psa.OptionValue{Value: v, Label: v, Active: true})
		}
	}
	return o
}

// parseID reads an id that was stored as text. Nothing is sent for one that is
// no number.
func parseID(op, what, id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1 {
		return 0, &psa.Error{Class: psa.Permanent, Op: op, Err: fmt.Errorf("%s id %q is not a number of Syncro's", what, id)}
	}
	return n, nil
}
