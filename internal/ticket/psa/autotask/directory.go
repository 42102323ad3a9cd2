package autotask

import (
	"cmp"
	"context"
	"fmt"
	"strconv"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

type company struct {
	ID     *int64 `json:"id"` // 0 is the MSP itself
	Name   string `json:"companyName"`
	Active flag   `json:"isActive"`
}

// flag is a boolean that some of Autotask's entities have as 0 and 1.
type flag bool

// UnmarshalJSON implements json.Unmarshaler.
func (f *flag) UnmarshalJSON(raw []byte) error {
	switch string(raw) {
	case "true", "1":
		*f = true
	case "false", "0", "null":
		*f = false
	default:
		return fmt.Errorf("%.20q is no boolean", raw)
	}
	return nil
}

var companyFields = []string{"id", "companyName", "isActive"}

// maxName is what Autotask's company names hold, in UTF-16 units.
const maxName = 100

// Companies implements psa.Companies. Autotask does not say how many there are.
func (c *Client) Companies(ctx context.Context, q psa.CompanyQuery) (psa.CompanyPage, error) {
	const op = "list companies"
	conditions := []filter{equal("isActive", true)}
	if name := psa.FitLine(q.Search, maxName); name != "" {
		conditions = append(conditions, filter{Op: "contains", Field: "companyName", Value: name})
	}
	if len(q.TypeIDs) > 0 {
		conditions = append(conditions, filter{Op: "in", Field: "companyType", Value: q.TypeIDs})
	}
	found, next, err := page[company](ctx, c, op, "Companies", search{Filter: conditions, IncludeFields: companyFields}, q.Cursor)
	if err != nil {
		return psa.CompanyPage{}, err
	}
	result := psa.CompanyPage{Total: -1, Next: next}
	for _, f := range found {
		if f.ID != nil {
			result.Companies = append(result.Companies, psa.Company{ID: strconv.FormatInt(*f.ID, 10), Name: f.Name, Active: bool(f.Active)})
		}
	}
	return result, nil
}

// CompanyTypes implements psa.CompanyTypes.
func (c *Client) CompanyTypes(ctx context.Context) ([]psa.CompanyType, error) {
	const op = "list company types"
	fields, err := c.readFields(ctx, op, "Companies")
	if err != nil {
		return nil, err
	}
	values, err := picklist(op, fields, "Companies", "companyType")
	if err != nil {
		return nil, err
	}
	types := make([]psa.CompanyType, 0, len(values))
	for _, v := range values {
		if id, err := strconv.Atoi(v.Value); err == nil && v.Active {
			types = append(types, psa.CompanyType{ID: id, Name: cmp.Or(v.Label, v.Value)})
		}
	}
	return types, nil
}

// Company implements psa.Companies.
func (c *Client) Company(ctx context.Context, id string) (psa.Company, error) {
	const op = "read company"
	number, err := parseID(op, "company", id, 0)
	if err != nil {
		return psa.Company{}, err
	}
	return c.company(ctx, op, number)
}

func (c *Client) company(ctx context.Context, op string, number int64) (psa.Company, error) {
	id := strconv.FormatInt(number, 10)
	found, err := item[company](ctx, c, op, "Companies", id)
	if err != nil {
		return psa.Company{}, err
	}
	if found.ID == nil || *found.ID != number {
		return psa.Company{}, &psa.Error{Class: psa.Uncertain, Op: op, Err: fmt.Errorf("answer is not about company %s", id)}
	}
	return psa.Company{ID: id, Name: found.Name, Active: bool(found.Active)}, nil
}

// primaryContact finds the person at a company whom a ticket is shown to; 0 if
// the company has none.
func (c *Client) primaryContact(ctx context.Context, op string, companyID int64) (int64, error) {
	type contact struct {
		ID int64 `json:"id"`
	}
	found, err := all[contact](ctx, c, op, "Contacts", search{
		IncludeFields: []string{"id"},
		Filter:        []filter{equal("companyID", companyID), equal("isActive", 1), equal("primaryContact", true)},
	})
	if err != nil || len(found) == 0 {
		return 0, err
	}
	return found[0].ID, nil
}

// parseID reads an id that was stored as text. Nothing is sent for one that is
// no number.
func parseID(op, what, id string, least int64) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < least {
		return 0, &psa.Error{Class: psa.Permanent, Op: op, Err: fmt.Errorf("%s id %q is not a number of Autotask's", what, id)}
	}
	return n, nil
}
