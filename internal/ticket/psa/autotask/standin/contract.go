package standin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Contract is a contract of a company. A zero ID is assigned.
type Contract struct {
	ID        int64
	CompanyID int64 // the company that has it
	Name      string
	Type      int // of Autotask's; 0 means 7, Recurring Service
	Inactive  bool
	Start     time.Time // of the first of its monthly periods; zero for the first of the month 12 months ago
	Services  []Service
}

// Service is a service in a contract. A zero ID is assigned.
type Service struct {
	ID          int64
	Name        string
	Units       int // from the start on
	Periods     []Period
	Adjustments int // how many were made
}

// Period is how many units are billed from a day to a day, both included.
type Period struct {
	ID         int64
	Units      int
	Start, End time.Time
	Cut        bool // an adjustment has begun another on the last day
}

// UnitsOn is what is billed for on a day.
func (v Service) UnitsOn(day time.Time) int {
	units := 0
	for _, p := range v.Periods {
		if !p.Start.After(day) && !p.End.Before(day) {
			units = p.Units
		}
	}
	return units
}

// periods is how many months a contract lasts.
const periods = 36

const recurringService = 7

func (s *Server) contracts(companies []Company) (all []*Contract) {
	for _, c := range companies {
		for _, from := range c.Contracts {
			one := from
			one.ID, one.CompanyID, one.Type = cmp.Or(from.ID, s.nextID()), c.ID, cmp.Or(from.Type, recurringService)
			if one.Start.IsZero() {
				now := s.config.Clock().UTC()
				one.Start = time.Date(now.Year(), now.Month()-12, 1, 0, 0, 0, 0, time.UTC)
			}
			one.Services = slices.Clone(from.Services)
			for i := range one.Services {
				v := &one.Services[i]
				v.ID = cmp.Or(v.ID, s.nextID())
				for month := range periods {
					v.Periods = append(v.Periods, Period{
						ID: s.nextID(), Units: v.Units, Start: one.Start.AddDate(0, month, 0), End: one.Start.AddDate(0, month+1, -1),
					})
				}
			}
			all = append(all, &one)
		}
	}
	return all
}

func (c *Contract) render() object {
	status := 1
	if c.Inactive {
		status = 0
	}
	return object{"id": c.ID, "contractName": c.Name, "companyID": c.CompanyID, "contractType": c.Type, "status": status, "startDate": stamp(c.Start)}
}

func (c *Contract) service(v Service) object {
	return object{
		"id": v.ID, "contractID": c.ID, "serviceID": catalogued(v.ID), "invoiceDescription": nil, "internalDescription": nil, "unitPrice": 1.0,
	}
}

// catalogued is the id in the catalogue of services of what a contract has.
func catalogued(contractService int64) int64 { return contractService + 1_000_000_000 }

func contractTable(c *call) []object { return rendered(c.base.contracts, (*Contract).render) }

func (c *call) services(render func(*Contract, Service) []object) (out []object) {
	for _, contract := range c.base.contracts {
		for _, v := range contract.Services {
			out = append(out, render(contract, v)...)
		}
	}
	return out
}

func contractServiceTable(c *call) []object {
	return c.services(func(of *Contract, v Service) []object { return []object{of.service(v)} })
}

func serviceTable(c *call) []object {
	return c.services(func(_ *Contract, v Service) []object {
		return []object{{"id": catalogued(v.ID), "name": v.Name, "isActive": true}}
	})
}

func contractServiceUnitTable(c *call) []object {
	return c.services(func(of *Contract, v Service) []object {
		return rendered(v.Periods, func(p Period) object {
			return object{
				"id": p.ID, "contractID": of.ID, "contractServiceID": v.ID, "serviceID": catalogued(v.ID), "units": p.Units,
				"startDate": stamp(p.Start), "endDate": stamp(p.End), "approveAndPostDate": nil,
			}
		})
	})
}

func readContract(c *call) answer {
	id := idOf(c.r)
	i := slices.IndexFunc(c.base.contracts, func(k *Contract) bool { return k.ID == id })
	if i < 0 {
		return ok(object{"item": nil})
	}
	return ok(object{"item": c.base.contracts[i].render()})
}

func readContractService(c *call) answer {
	if of, v := c.base.service(idOf(c.r)); v != nil {
		return ok(object{"item": of.service(*v)})
	}
	return ok(object{"item": nil})
}

func (b *database) service(id int64) (*Contract, *Service) {
	for _, of := range b.contracts {
		for i := range of.Services {
			if of.Services[i].ID == id {
				return of, &of.Services[i]
			}
		}
	}
	return nil, nil
}

// createAdjustment adds to the units from a day on: the period of that day is
// split, and what was before ends with the day itself, as Autotask has it.
func createAdjustment(c *call) answer {
	if c.ReadOnly {
		return refuse("The logged in Resource does not have the adequate permissions to create this entity type.")
	}
	var f struct {
		ContractID        *int64  `json:"contractID"`
		ContractServiceID *int64  `json:"contractServiceID"`
		UnitChange        *int    `json:"unitChange"`
		EffectiveDate     *string `json:"effectiveDate"`
	}
	if wrong := decode(c.body, &f, "serviceID", "adjustedUnitPrice", "adjustedUnitCost", "allowRepeatService", "quoteItemID"); wrong != nil {
		return *wrong
	}
	if f.ContractID == nil || f.ContractServiceID == nil || f.UnitChange == nil || f.EffectiveDate == nil {
		return refuse("Missing Required Field: effectiveDate, contractID, contractServiceID or unitChange.")
	}
	of, v := c.base.service(*f.ContractServiceID)
	if v == nil || of.ID != *f.ContractID {
		return refuse("The contractServiceID does not reference a Service of the Contract.")
	}
	day, err := time.Parse(time.DateOnly, strings.SplitN(*f.EffectiveDate, "T", 2)[0])
	switch {
	case err != nil:
		return refuse("effectiveDate is not a valid date and time.")
	case day.Before(of.Start):
		return refuse("The effectiveDate must not be before the Contract's startDate.")
	case of.Inactive || of.Type != recurringService:
		return refuse("The contractID must reference an active Recurring Service type Contract.")
	}
	var changed []Period
	for _, p := range v.Periods {
		if p.Start.Before(day) && !p.End.Before(day) && (!p.Cut || !p.End.Equal(day)) {
			rest := p
			rest.ID, rest.Start = c.nextID(), day
			p.End, p.Cut = day, true
			changed = append(changed, p)
			p = rest
		}
		if !p.Start.Before(day) {
			if p.Units += *f.UnitChange; p.Units < 0 {
				return refuse(fmt.Sprintf("The unitChange of %d leaves less than no units.", *f.UnitChange))
			}
		}
		changed = append(changed, p)
	}
	v.Periods = changed
	v.Adjustments++
	return ok(object{"itemId": c.nextID()})
}

// Contracts lists the contracts of an account's database with their ids.
func (s *Server) Contracts(username string) []Contract {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.named(username)
	if a == nil {
		return nil
	}
	all := make([]Contract, 0, len(a.base.contracts))
	for _, of := range a.base.contracts {
		copied := *of
		copied.Services = slices.Clone(of.Services)
		for i := range copied.Services {
			copied.Services[i].Periods = slices.Clone(copied.Services[i].Periods)
		}
		all = append(all, copied)
	}
	return all
}

// Close makes a contract inactive, as a technician may.
func (s *Server) Close(username string, contractID int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.named(username); a != nil {
		for _, of := range a.base.contracts {
			if of.ID == contractID {
				of.Inactive = true
			}
		}
	}
}
