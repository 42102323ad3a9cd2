package standin

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
)

// Schedule is a recurring invoice. Zero ids are assigned.
type Schedule struct {
	ID         int64
	CustomerID int64 // the customer that has it
	Name       string
	Paused     bool
	Lines      []ScheduleLine
}

// ScheduleLine is what a recurring invoice bills.
type ScheduleLine struct {
	ID       int64
	Name     string
	Quantity float64
	Sets     int // how often the quantity was set
}

func (s *Server) schedules(customers []Customer) (all []*Schedule) {
	for _, c := range customers {
		for _, from := range c.Schedules {
			one := from
			one.ID, one.CustomerID, one.Lines = cmp.Or(from.ID, s.nextID()), c.ID, slices.Clone(from.Lines)
			for i := range one.Lines {
				one.Lines[i].ID = cmp.Or(one.Lines[i].ID, s.nextID())
			}
			all = append(all, &one)
		}
	}
	return all
}

func (c *Schedule) render() object {
	lines := make([]object, 0, len(c.Lines))
	for _, l := range c.Lines {
		lines = append(lines, c.line(l))
	}
	return object{
		"id": c.ID, "customer_id": c.CustomerID, "name": c.Name, "frequency": "Monthly", "paused": c.Paused, "subtotal": 0,
		"email_customer": false, "lines": lines,
	}
}

// line writes the quantity as text, as Syncro does.
func (c *Schedule) line(l ScheduleLine) object {
	return object{
		"id": l.ID, "schedule_id": c.ID, "name": l.Name, "description": "", "quantity": strconv.FormatFloat(l.Quantity, 'f', 1, 64),
		"product_id": nil, "taxable": false, "one_time_charge": false,
	}
}

// listSchedules shows no meta, which the description does not either.
func listSchedules(_ *Server, a *account, r *http.Request, _ []byte) answer {
	customer := r.URL.Query().Get("customer_id")
	var matching []object
	for _, s := range a.schedules {
		if customer == "" || customer == strconv.FormatInt(s.CustomerID, 10) {
			matching = append(matching, s.render())
		}
	}
	page, _ := paged(matching, r.URL.Query())
	return answer{http.StatusOK, object{"schedules": list(page)}}
}

func readSchedule(s *Server, a *account, r *http.Request, body []byte) answer {
	found, ok := a.schedule(idOf(r))
	if !ok {
		return noSuchPath(s, a, r, body)
	}
	return answer{http.StatusOK, object{"schedule": found.render()}}
}

func updateScheduleLine(s *Server, a *account, r *http.Request, body []byte) answer {
	found, ok := a.schedule(idOf(r))
	if !ok {
		return noSuchPath(s, a, r, body)
	}
	i := slices.IndexFunc(found.Lines, func(l ScheduleLine) bool { return strconv.FormatInt(l.ID, 10) == r.PathValue("line") })
	if i < 0 {
		return noSuchPath(s, a, r, body)
	}
	var f struct {
		Name     *string  `json:"name"`
		Quantity *float64 `json:"quantity"`
	}
	if wrong := decode(body, &f); wrong != nil {
		return *wrong
	}
	if f.Name != nil && *f.Name == "" {
		return answer{http.StatusUnprocessableEntity, object{"error": []string{"Name can't be blank"}}}
	}
	if f.Name != nil {
		found.Lines[i].Name = *f.Name
	}
	if f.Quantity != nil {
		found.Lines[i].Quantity = *f.Quantity
		found.Lines[i].Sets++
	}
	return answer{http.StatusOK, object{"schedule_line_item": found.line(found.Lines[i])}}
}

func (a *account) schedule(id int64) (*Schedule, bool) {
	i := slices.IndexFunc(a.schedules, func(s *Schedule) bool { return s.ID == id })
	if i < 0 {
		return nil, false
	}
	return a.schedules[i], true
}

// Schedules lists an account's recurring invoices with their ids.
func (s *Server) Schedules(token string) []Schedule {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Schedule
	for _, a := range s.accounts {
		if a.Token != token {
			continue
		}
		for _, one := range a.schedules {
			copied := *one
			copied.Lines = slices.Clone(one.Lines)
			all = append(all, copied)
		}
	}
	return all
}

// Forget removes a recurring invoice, as a technician may.
func (s *Server) Forget(token string, scheduleID int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if a.Token == token {
			a.schedules = slices.DeleteFunc(a.schedules, func(one *Schedule) bool { return one.ID == scheduleID })
		}
	}
}
