package connectwise

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// agreement is a finance agreement. Its paths and fields are those of the
// vendor's public REST description (finance/agreements and their additions);
// they take the permission Finance > Agreements: inquire, and edit to write.
type agreement struct {
	ID        int64  `json:"id"`
	Name      string `json:"name"`
	Company   ref    `json:"company"`
	Status    string `json:"agreementStatus"`
	Cancelled bool   `json:"cancelledFlag"`
}

const agreementFields = "id,name,company,agreementStatus,cancelledFlag"

func (a agreement) agreement() psa.Agreement {
	return psa.Agreement{
		ID: strconv.FormatInt(a.ID, 10), Name: a.Name, CompanyID: strconv.FormatInt(a.Company.ID, 10),
		Active: !a.Cancelled && (a.Status == "" || strings.EqualFold(a.Status, "Active")),
	}
}

type addition struct {
	ID          int64   `json:"id"`
	Description string  `json:"description"`
	Quantity    float64 `json:"quantity"`
	Cancelled   stamp   `json:"cancelledDate"`
	Product     struct {
		Identifier string `json:"identifier"`
	} `json:"product"`
}

const additionFields = "id,description,quantity,cancelledDate,product"

func (c *Client) line(a addition) psa.Line {
	id := strconv.FormatInt(a.ID, 10)
	return psa.Line{
		ID: id, Name: cmp.Or(a.Description, a.Product.Identifier, id), Quantity: a.Quantity,
		Active: a.Cancelled.IsZero() || a.Cancelled.After(c.config.Clock()),
	}
}

// Agreements implements psa.Biller.
func (c *Client) Agreements(ctx context.Context, companyID, cursor string) (psa.AgreementPage, error) {
	const op = "list agreements"
	company, err := parseID(op, "company", companyID)
	if err != nil {
		return psa.AgreementPage{}, err
	}
	found, next, err := numbered[agreement](ctx, c, listing{
		op: op, path: "/finance/agreements", order: "id asc", fields: agreementFields, conditions: "company/id=" + strconv.FormatInt(company, 10),
	}, cursor)
	if err != nil {
		return psa.AgreementPage{}, err
	}
	result := psa.AgreementPage{Next: next}
	for _, a := range found {
		result.Agreements = append(result.Agreements, a.agreement())
	}
	return result, nil
}

// Agreement implements psa.Biller. It lists by id, as [Client.Company] does.
func (c *Client) Agreement(ctx context.Context, id string) (psa.Agreement, error) {
	const op = "read agreement"
	number, err := parseID(op, "agreement", id)
	if err != nil {
		return psa.Agreement{}, err
	}
	found, err := page[agreement](ctx, c, listing{
		op: op, path: "/finance/agreements", fields: agreementFields, conditions: "id=" + strconv.FormatInt(number, 10),
	}, 1)
	if err != nil {
		return psa.Agreement{}, err
	}
	for _, a := range found {
		if a.ID == number {
			return a.agreement(), nil
		}
	}
	return psa.Agreement{}, &psa.Error{Class: psa.Gone, Op: op, Vendor: "ConnectWise has no agreement " + strconv.FormatInt(number, 10)}
}

// Lines implements psa.Biller.
func (c *Client) Lines(ctx context.Context, agreementID, cursor string) (psa.LinePage, error) {
	l, err := additions("list additions", agreementID)
	if err != nil {
		return psa.LinePage{}, err
	}
	found, next, err := numbered[addition](ctx, c, l, cursor)
	if err != nil {
		return psa.LinePage{}, err
	}
	result := psa.LinePage{Next: next}
	for _, a := range found {
		result.Lines = append(result.Lines, c.line(a))
	}
	return result, nil
}

// Line implements psa.Biller.
func (c *Client) Line(ctx context.Context, agreementID, lineID string) (psa.Line, error) {
	const op = "read addition"
	number, err := parseID(op, "addition", lineID)
	if err != nil {
		return psa.Line{}, err
	}
	l, err := additions(op, agreementID)
	if err != nil {
		return psa.Line{}, err
	}
	l.conditions = "id=" + strconv.FormatInt(number, 10)
	found, err := page[addition](ctx, c, l, 1)
	if err != nil {
		return psa.Line{}, err
	}
	for _, a := range found {
		if a.ID == number {
			return c.line(a), nil
		}
	}
	return psa.Line{}, &psa.Error{Class: psa.Gone, Op: op, Vendor: "the agreement has no addition " + strconv.FormatInt(number, 10)}
}

// SetQuantity implements psa.Biller. An addition's quantity knows no days: it
// counts for the period that is invoiced next.
func (c *Client) SetQuantity(ctx context.Context, agreementID, lineID string, quantity int, _ time.Time) error {
	const op = "set quantity of addition"
	number, err := parseID(op, "addition", lineID)
	if err != nil {
		return err
	}
	l, err := additions(op, agreementID)
	if err != nil {
		return err
	}
	var changed addition
	call := psa.Call{
		Op: op, Method: http.MethodPatch, Path: l.path + "/" + strconv.FormatInt(number, 10),
		Body: []operation{{"replace", "quantity", quantity}}, Object: true,
	}
	if err := c.do(ctx, call, &changed); err != nil {
		return err
	}
	if changed.ID != number {
		return &psa.Error{Class: psa.Uncertain, Op: op, Err: errors.New("answer does not hold the addition")}
	}
	if changed.Quantity != float64(quantity) {
		return &psa.Error{Class: psa.Permanent, Op: op, Vendor: fmt.Sprintf("the quantity is still %g", changed.Quantity)}
	}
	return nil
}

// additions is the list of an agreement's additions.
func additions(op, agreementID string) (listing, error) {
	number, err := parseID(op, "agreement", agreementID)
	return listing{
		op: op, path: "/finance/agreements/" + strconv.FormatInt(number, 10) + "/additions",
		order: "id asc", fields: additionFields, object: true,
	}, err
}

// numbered reads the page that a cursor names, and says which is next.
func numbered[T any](ctx context.Context, c *Client, l listing, cursor string) (items []T, next string, err error) {
	number := 1
	if cursor != "" {
		if number, err = strconv.Atoi(cursor); err != nil || number < 1 {
			return nil, "", &psa.Error{Class: psa.Permanent, Op: l.op, Err: fmt.Errorf("cursor %q is not one of ours", cursor)}
		}
	}
	if items, err = page[T](ctx, c, l, number); err == nil && len(items) >= perPage {
		next = strconv.Itoa(number + 1)
	}
	return items, next, err
}
