package connectwise

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// needed are what the API member must be allowed to read. Whether it may
// write tickets shows only when it does.
var needed = []struct{ path, what string }{
	{"/service/boards", "service boards (Service Desk > Service Tickets)"},
	{"/company/companies", "companies (Companies > Company Maintenance)"},
	{"/service/tickets", "service tickets (Service Desk > Service Tickets)"},
}

// Verify implements psa.Verifier.
func (c *Client) Verify(ctx context.Context) (psa.Account, error) {
	const op = "verify credentials"
	for _, n := range needed {
		var some []struct {
			ID int64 `json:"id"`
		}
		err := c.do(ctx, psa.Call{Op: op, Method: http.MethodGet, Path: n.path, Query: query("pageSize", "1", "fields", "id")}, &some)
		if failure, ok := errors.AsType[*psa.Error](err); ok && failure.Status == http.StatusForbidden {
			failure.Vendor = strings.TrimSuffix("the API member's role does not allow to read "+n.what+": "+failure.Vendor, ": ")
			return psa.Account{}, failure
		}
		if err != nil {
			return psa.Account{}, err
		}
		if some == nil {
			return psa.Account{}, &psa.Error{Class: psa.Uncertain, Op: op, Err: errors.New("answer holds no list")}
		}
	}
	return psa.Account{Name: c.companyID, User: "API member with public key " + c.publicKey}, nil
}

type company struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	Status  ref    `json:"status"`
	Deleted bool   `json:"deletedFlag"`
}

// inactive is the name of the status that every ConnectWise site is set up with.
const inactive = "Inactive"

func (c company) company() psa.Company {
	return psa.Company{ID: strconv.FormatInt(c.ID, 10), Name: c.Name, Active: !c.Deleted && !strings.EqualFold(c.Status.Name, inactive)}
}

const companyFields = "id,name,status,deletedFlag"

// maxSearch bounds a search, in characters: names have 50, so that no longer
// text is found.
const maxSearch = 255

// Companies implements psa.Companies.
func (c *Client) Companies(ctx context.Context, q psa.CompanyQuery) (psa.CompanyPage, error) {
	const op = "list companies"
	search := psa.FitLine(q.Search, maxSearch)
	conditions := append([]string{"deletedFlag=False", `status/name!="` + inactive + `"`}, containing("name", search)...)
	found, next, err := numbered[company](ctx, c, listing{
		op: op, path: "/company/companies", order: "name asc", fields: companyFields, conditions: strings.Join(conditions, " and "),
		children: ofTypes(q.TypeIDs),
	}, q.Cursor)
	if err != nil {
		return psa.CompanyPage{}, err
	}
	result := psa.CompanyPage{Total: -1, Next: next}
	for _, item := range found {
		if !strings.ContainsAny(search, unquotable) || strings.Contains(strings.ToLower(item.Name), strings.ToLower(search)) {
			result.Companies = append(result.Companies, item.company())
		}
	}
	return result, nil
}

// ofTypes is the condition that a company is of one of some types, of which it
// can have several.
func ofTypes(ids []int) string {
	conditions := make([]string, len(ids))
	for i, id := range ids {
		conditions[i] = "types/id=" + strconv.Itoa(id)
	}
	return strings.Join(conditions, " or ")
}

// CompanyTypes implements psa.CompanyTypes.
func (c *Client) CompanyTypes(ctx context.Context) ([]psa.CompanyType, error) {
	found, err := every[ref](ctx, c, listing{op: "list company types", path: "/company/companies/types", order: "id asc"})
	if err != nil {
		return nil, err
	}
	types := make([]psa.CompanyType, len(found))
	for i, f := range found {
		types[i] = psa.CompanyType{ID: int(f.ID), Name: label(f.Name, f.ID)}
	}
	return types, nil
}

// Company implements psa.Companies. It lists by id, because a list that does
// not hold the company says more than a 404.
func (c *Client) Company(ctx context.Context, id string) (psa.Company, error) {
	const op = "read company"
	number, err := parseID(op, "company", id)
	if err != nil {
		return psa.Company{}, err
	}
	found, err := page[company](ctx, c, listing{op: op, path: "/company/companies", fields: companyFields, conditions: "id=" + strconv.FormatInt(number, 10)}, 1)
	if err != nil {
		return psa.Company{}, err
	}
	for _, item := range found {
		if item.ID == number {
			return item.company(), nil
		}
	}
	return psa.Company{}, &psa.Error{Class: psa.Gone, Op: op, Vendor: "ConnectWise has no company " + strconv.FormatInt(number, 10)}
}

type board struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	Inactive bool   `json:"inactiveFlag"`
	Project  bool   `json:"projectFlag"`
}

type status struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	Order    int    `json:"sortOrder"`
	Inactive bool   `json:"inactive"`
	Closed   bool   `json:"closedStatus"`
	Default  bool   `json:"defaultFlag"`
}

func (c *Client) statuses(ctx context.Context, op string, boardID int64) ([]status, error) {
	return every[status](ctx, c, listing{op: op, path: "/service/boards/" + strconv.FormatInt(boardID, 10) + "/statuses", order: "id asc"})
}

// Options implements psa.Options with a call for each active board, and three.
// A status's parent is its board. Boards of projects hold no service tickets.
func (c *Client) Options(ctx context.Context) ([]psa.Option, error) {
	const op = "read ticket options"
	boards := psa.Option{Name: OptionBoard}
	statuses := psa.Option{Name: OptionStatus}
	all, err := every[board](ctx, c, listing{op: op, path: "/service/boards", order: "id asc"})
	if err != nil {
		return nil, err
	}
	for _, b := range all {
		if b.Project {
			continue
		}
		parent := strconv.FormatInt(b.ID, 10)
		boards.Values = append(boards.Values, psa.OptionValue{Value: parent, Label: label(b.Name, b.ID), Active: !b.Inactive})
		if b.Inactive {
			continue
		}
		its, err := c.statuses(ctx, op, b.ID)
		if err != nil {
			return nil, err
		}
		for _, s := range its {
			statuses.Values = append(statuses.Values, psa.OptionValue{Value: strconv.FormatInt(s.ID, 10), Label: label(s.Name, s.ID), Active: !s.Inactive, Parent: parent})
		}
	}
	options := []psa.Option{boards, statuses}
	for _, o := range []struct{ name, path string }{{OptionPriority, "/service/priorities"}, {OptionSource, "/service/sources"}} {
		choices, err := every[ref](ctx, c, listing{op: op, path: o.path, order: "id asc"})
		if err != nil {
			return nil, err
		}
		option := psa.Option{Name: o.name}
		for _, choice := range choices {
			option.Values = append(option.Values, psa.OptionValue{Value: strconv.FormatInt(choice.ID, 10), Label: label(choice.Name, choice.ID), Active: true})
		}
		options = append(options, option)
	}
	return options, nil
}

// label is a name that people read, or else the number.
func label(name string, id int64) string {
	if name = line(name); name != "" {
		return name
	}
	return "#" + strconv.FormatInt(id, 10)
}

// parseID reads an id that was stored as text. Nothing is sent for one that is
// no number.
func parseID(op, what, id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 32)
	if err != nil || n < 1 {
		return 0, &psa.Error{Class: psa.Permanent, Op: op, Err: fmt.Errorf("%s id %q is not a number of ConnectWise's", what, id)}
	}
	return n, nil
}
