package autotask

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// contract is a contract of the type Recurring Service. This file's entities
// are those of the vendor's REST documentation: Contracts, ContractServices,
// ContractServiceUnits, ContractServiceAdjustments and Services. The API user's
// security level must see contracts without limits.
type contract struct {
	ID        int64  `json:"id"`
	Name      string `json:"contractName"`
	CompanyID *int64 `json:"companyID"` // 0 is the MSP itself
	Type      int    `json:"contractType"`
	Status    int    `json:"status"` // 1 is active
}

// The only type of contract that bills services, and the status of one in use.
const (
	recurringService = 7
	contractActive   = 1
)

var contractFields = []string{"id", "contractName", "companyID", "contractType", "status"}

func (c contract) agreement() psa.Agreement {
	a := psa.Agreement{ID: strconv.FormatInt(c.ID, 10), Name: c.Name, Active: c.Status == contractActive && c.Type == recurringService}
	if c.CompanyID != nil {
		a.CompanyID = strconv.FormatInt(*c.CompanyID, 10)
	}
	return a
}

type contractService struct {
	ID          int64  `json:"id"`
	ContractID  int64  `json:"contractID"`
	ServiceID   int64  `json:"serviceID"`
	Description string `json:"invoiceDescription"`
	Internal    string `json:"internalDescription"`
}

var contractServiceFields = []string{"id", "contractID", "serviceID", "invoiceDescription", "internalDescription"}

// period is how many units of a contract service are billed from a day to a
// day, both included.
type period struct {
	ServiceID int64 `json:"contractServiceID"`
	Units     int   `json:"units"`
	Start     day   `json:"startDate"`
	End       day   `json:"endDate"`
}

var periodFields = []string{"id", "contractServiceID", "units", "startDate", "endDate"}

// day is a date that Autotask writes as a time, with or without a zone.
type day struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (d *day) UnmarshalJSON(raw []byte) error {
	text, err := strconv.Unquote(string(raw))
	if err != nil || len(text) < len(time.DateOnly) {
		return fmt.Errorf("%.30q is no date", raw)
	}
	d.Time, err = time.Parse(time.DateOnly, text[:len(time.DateOnly)])
	return err
}

func dayOf(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// stamped is a day as queries compare it.
func stamped(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z") }

// Agreements implements psa.Biller: a company's contracts of the type Recurring
// Service.
func (c *Client) Agreements(ctx context.Context, companyID, cursor string) (psa.AgreementPage, error) {
	const op = "list contracts"
	company, err := parseID(op, "company", companyID, 0)
	if err != nil {
		return psa.AgreementPage{}, err
	}
	found, next, err := page[contract](ctx, c, op, "Contracts", search{
		Filter: []filter{equal("companyID", company), equal("contractType", recurringService)}, IncludeFields: contractFields,
	}, cursor)
	if err != nil {
		return psa.AgreementPage{}, err
	}
	result := psa.AgreementPage{Next: next}
	for _, f := range found {
		result.Agreements = append(result.Agreements, f.agreement())
	}
	return result, nil
}

// Agreement implements psa.Biller.
func (c *Client) Agreement(ctx context.Context, id string) (psa.Agreement, error) {
	const op = "read contract"
	number, err := parseID(op, "contract", id, 1)
	if err != nil {
		return psa.Agreement{}, err
	}
	found, err := item[contract](ctx, c, op, "Contracts", strconv.FormatInt(number, 10))
	if err != nil {
		return psa.Agreement{}, err
	}
	if found.ID != number || found.CompanyID == nil {
		return psa.Agreement{}, &psa.Error{Class: psa.Uncertain, Op: op, Err: fmt.Errorf("answer is not about contract %d", number)}
	}
	return found.agreement(), nil
}

// Lines implements psa.Biller with up to four calls: the contract's services,
// their names, and their units of today.
func (c *Client) Lines(ctx context.Context, agreementID, cursor string) (psa.LinePage, error) {
	const op = "list services of contract"
	if cursor == "" {
		if _, err := c.Agreement(ctx, agreementID); err != nil {
			return psa.LinePage{}, err
		}
	}
	number, err := parseID(op, "contract", agreementID, 1)
	if err != nil {
		return psa.LinePage{}, err
	}
	found, next, err := page[contractService](ctx, c, op, "ContractServices", search{
		Filter: []filter{equal("contractID", number)}, IncludeFields: contractServiceFields,
	}, cursor)
	if err != nil {
		return psa.LinePage{}, err
	}
	lines, err := c.lines(ctx, op, found)
	return psa.LinePage{Lines: lines, Next: next}, err
}

// Line implements psa.Biller.
func (c *Client) Line(ctx context.Context, agreementID, lineID string) (psa.Line, error) {
	const op = "read service of contract"
	found, err := c.contractService(ctx, op, agreementID, lineID)
	if err != nil {
		return psa.Line{}, err
	}
	lines, err := c.lines(ctx, op, []contractService{found})
	if err != nil {
		return psa.Line{}, err
	}
	return lines[0], nil
}

// lines completes contract services with their names and today's units.
func (c *Client) lines(ctx context.Context, op string, services []contractService) ([]psa.Line, error) {
	if len(services) == 0 {
		return nil, nil
	}
	var lines, kinds []int64
	for _, s := range services {
		lines, kinds = append(lines, s.ID), append(kinds, s.ServiceID)
	}
	type service struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	named, err := all[service](ctx, c, op, "Services", search{
		Filter: []filter{{Op: "in", Field: "id", Value: kinds}}, IncludeFields: []string{"id", "name"},
	})
	if err != nil {
		return nil, err
	}
	today := stamped(dayOf(c.config.Clock()))
	periods, err := all[period](ctx, c, op, "ContractServiceUnits", search{
		Filter: []filter{
			{Op: "in", Field: "contractServiceID", Value: lines},
			{Op: "lte", Field: "startDate", Value: today}, {Op: "gte", Field: "endDate", Value: today},
		},
		IncludeFields: periodFields,
	})
	if err != nil {
		return nil, err
	}
	names, units := map[int64]string{}, map[int64]int{}
	for _, n := range named {
		names[n.ID] = n.Name
	}
	// Where one period ends on the day on which the next starts, the next counts.
	slices.SortStableFunc(periods, func(a, b period) int { return a.Start.Compare(b.Start.Time) })
	for _, p := range periods {
		units[p.ServiceID] = p.Units
	}
	out := make([]psa.Line, 0, len(services))
	for _, s := range services {
		id := strconv.FormatInt(s.ID, 10)
		name := psa.FitLine(cmp.Or(names[s.ServiceID], s.Description, s.Internal, id), maxName)
		out = append(out, psa.Line{ID: id, Name: name, Quantity: float64(units[s.ID]), Active: true})
	}
	return out, nil
}

func (c *Client) contractService(ctx context.Context, op, agreementID, lineID string) (contractService, error) {
	agreement, err := parseID(op, "contract", agreementID, 1)
	if err != nil {
		return contractService{}, err
	}
	number, err := parseID(op, "contract service", lineID, 1)
	if err != nil {
		return contractService{}, err
	}
	found, err := item[contractService](ctx, c, op, "ContractServices", strconv.FormatInt(number, 10))
	switch {
	case err != nil:
		return contractService{}, err
	case found.ID != number:
		return contractService{}, &psa.Error{Class: psa.Uncertain, Op: op, Err: fmt.Errorf("answer is not about contract service %d", number)}
	case found.ContractID != agreement:
		return contractService{}, &psa.Error{Class: psa.Gone, Op: op, Vendor: fmt.Sprintf("the contract %d has no service %d", agreement, number)}
	}
	return found, nil
}

// SetQuantity implements psa.Biller. Autotask has no call that sets units: it
// takes adjustments, each of which adds to the units from a day on. What to add
// follows from units read just before, so that a repetition adds nothing. Where
// the contract's first period begins later than the day, its beginning counts.
func (c *Client) SetQuantity(ctx context.Context, agreementID, lineID string, quantity int, from time.Time) error {
	const op = "set units of contract service"
	service, err := c.contractService(ctx, op, agreementID, lineID)
	if err != nil {
		return unsent(err)
	}
	first := dayOf(from)
	periods, err := all[period](ctx, c, op, "ContractServiceUnits", search{
		Filter:        []filter{equal("contractServiceID", service.ID), {Op: "gte", Field: "endDate", Value: stamped(first)}},
		IncludeFields: periodFields,
	})
	if err != nil {
		return unsent(err)
	}
	if len(periods) == 0 {
		return &psa.Error{Class: psa.Permanent, Op: op, Vendor: "the contract has no billing period from " + first.Format(time.DateOnly) + " on"}
	}
	slices.SortStableFunc(periods, func(a, b period) int { return a.Start.Compare(b.Start.Time) })
	at := periods[0]
	for _, p := range periods {
		if !p.Start.After(first) {
			at = p
		}
	}
	if at.Start.After(first) {
		first = at.Start.Time
	}
	if at.Units == quantity {
		return nil
	}
	_, err = c.write(ctx, psa.Call{Op: op, Method: http.MethodPost, Path: "/ContractServiceAdjustments", Body: adjustment{
		ContractID: service.ContractID, ContractServiceID: service.ID, UnitChange: quantity - at.Units, EffectiveDate: first.Format(time.RFC3339),
	}})
	return err
}

// adjustment adds to the units of a contract service from a day on.
type adjustment struct {
	ContractID        int64  `json:"contractID"`
	ContractServiceID int64  `json:"contractServiceID"`
	UnitChange        int    `json:"unitChange"`
	EffectiveDate     string `json:"effectiveDate"`
}
