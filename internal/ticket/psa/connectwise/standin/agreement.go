package standin

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Agreement is a finance agreement of a company. A zero ID is assigned.
type Agreement struct {
	ID        int64
	CompanyID int64 // the company that has it
	Name      string
	Cancelled bool
	Additions []Addition
}

// Addition is what an agreement bills. A zero ID is assigned.
type Addition struct {
	ID        int64
	Name      string
	Quantity  float64
	Cancelled time.Time // zero for not
	Sets      int       // how often the quantity was set
}

func (s *Server) agreements(companies []Company) (all []*Agreement) {
	for _, c := range companies {
		for _, from := range c.Agreements {
			one := from
			one.ID, one.CompanyID, one.Additions = cmp.Or(from.ID, s.nextID()), c.ID, slices.Clone(from.Additions)
			for i := range one.Additions {
				one.Additions[i].ID = cmp.Or(one.Additions[i].ID, s.nextID())
			}
			all = append(all, &one)
		}
	}
	return all
}

func listAgreements(_ *Server, a *account, r *http.Request, body []byte) answer {
	return list(r, body, a.agreements, columns[*Agreement]{
		"id":            func(g *Agreement) any { return g.some().ID },
		"name":          func(g *Agreement) any { return g.some().Name },
		"company/id":    func(g *Agreement) any { return g.some().CompanyID },
		"cancelledFlag": func(g *Agreement) any { return g.some().Cancelled },
	}, func(g *Agreement) object {
		c, _ := a.company(g.CompanyID)
		status := "Active"
		if g.Cancelled {
			status = "Cancelled"
		}
		return object{
			"id": g.ID, "name": g.Name, "company": object{"id": c.ID, "identifier": c.Name, "name": c.Name},
			"agreementStatus": status, "cancelledFlag": g.Cancelled, "_info": object{},
		}
	})
}

// some is an agreement to ask for the types of columns.
func (g *Agreement) some() *Agreement {
	if g == nil {
		return &Agreement{}
	}
	return g
}

func listAdditions(s *Server, a *account, r *http.Request, body []byte) answer {
	g, ok := a.agreement(idOf(r))
	if !ok {
		return noSuchPath(s, a, r, body)
	}
	return list(r, body, g.Additions, columns[Addition]{"id": func(d Addition) any { return d.ID }}, g.render)
}

func (g *Agreement) render(d Addition) object {
	var cancelled any
	if !d.Cancelled.IsZero() {
		cancelled = d.Cancelled.UTC().Format(time.RFC3339)
	}
	return object{
		"id": d.ID, "agreementId": g.ID, "description": d.Name, "quantity": d.Quantity, "cancelledDate": cancelled,
		"product": object{"id": d.ID + 1_000_000, "identifier": strings.ToUpper(d.Name)}, "billCustomer": "Billable", "_info": object{},
	}
}

func updateAddition(s *Server, a *account, r *http.Request, body []byte) answer {
	g, ok := a.agreement(idOf(r))
	if !ok {
		return noSuchPath(s, a, r, body)
	}
	i := slices.IndexFunc(g.Additions, func(d Addition) bool { return strconv.FormatInt(d.ID, 10) == r.PathValue("addition") })
	if i < 0 {
		return noSuchPath(s, a, r, body)
	}
	var operations []struct {
		Op    string  `json:"op"`
		Path  string  `json:"path"`
		Value float64 `json:"value"`
	}
	if wrong := decode(body, &operations, "addition"); wrong != nil {
		return *wrong
	}
	for _, o := range operations {
		if o.Op != "replace" || o.Path != "quantity" {
			return invalid("addition", problem{"InvalidOperation", "The operation " + o.Op + " of " + o.Path + " is not possible.", o.Path})
		}
		if d := g.Additions[i]; g.Cancelled || (!d.Cancelled.IsZero() && d.Cancelled.Before(s.config.Clock())) {
			return invalid("addition", problem{"InvalidField", "The addition or its agreement is cancelled.", "quantity"})
		}
		g.Additions[i].Quantity = o.Value
		g.Additions[i].Sets++
	}
	return answer{status: http.StatusOK, body: g.render(g.Additions[i])}
}

func (a *account) agreement(id int64) (*Agreement, bool) {
	return find(a.agreements, func(g *Agreement) bool { return g.ID == id })
}

// Agreements lists an account's agreements with their ids.
func (s *Server) Agreements(publicKey string) []Agreement {
	var all []Agreement
	s.of(publicKey, func(a *account) {
		for _, g := range a.agreements {
			copied := *g
			copied.Additions = slices.Clone(g.Additions)
			all = append(all, copied)
		}
	})
	return all
}
