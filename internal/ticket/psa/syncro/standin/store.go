package standin

import (
	"cmp"
	"slices"
	"time"
)

// account is an Account and what has been written to it.
type account struct {
	Account
	tickets   []*Ticket // in the order of their making, so that ids ascend
	schedules []*Schedule
	revoked   bool
}

// Ticket is a ticket as the server holds it.
type Ticket struct {
	ID          int64
	Number      int64
	CustomerID  int64
	Subject     string
	ProblemType string
	Status      string
	Priority    string
	UserID      int64
	DueDate     string // as sent
	Tags        []string
	Comments    []Comment // oldest first
	CreatedAt   time.Time
	UpdatedAt   time.Time
	ResolvedAt  time.Time // zero if it is open
}

// Comment is a comment as the server holds it.
type Comment struct {
	ID        int64
	Subject   string
	Body      string
	Tech      string
	Hidden    bool
	Emailed   bool // the customer would have been mailed
	CreatedAt time.Time
}

func (t *Ticket) clone() Ticket {
	c := *t
	c.Tags, c.Comments = slices.Clone(t.Tags), slices.Clone(t.Comments)
	return c
}

// seed completes an account with what a new Syncro account has.
func (s *Server) seed(from Account) *account {
	a := &account{Account: from}
	a.Customers = slices.Clone(from.Customers)
	for i := range a.Customers {
		a.Customers[i].ID = cmp.Or(a.Customers[i].ID, s.nextID())
	}
	a.schedules = s.schedules(a.Customers)
	a.Users = slices.Clone(from.Users)
	if len(a.Users) == 0 {
		a.Users = []User{{Name: "Joe Doe"}}
	}
	for i := range a.Users {
		a.Users[i].ID = cmp.Or(a.Users[i].ID, s.nextID())
	}
	if len(a.ProblemTypes) == 0 {
		a.ProblemTypes = []string{"Virus", "TuneUp", "Hardware", "Software", "Other"}
	}
	if len(a.Priorities) == 0 {
		a.Priorities = []string{"", "0 Urgent", "1 High", "2 Normal", "3 Low"}
	}
	if len(a.Statuses) == 0 {
		a.Statuses = []string{"New", "In Progress", "Resolved", "Invoiced", "Waiting for Parts", "Waiting on Customer", "Scheduled", "Customer Reply"}
	}
	return a
}

// nextID is unique over all accounts, so that an id of one is absent in the
// others.
func (s *Server) nextID() int64 {
	s.lastID++
	return s.lastID
}

func (a *account) customer(id int64) (Customer, bool) {
	i := slices.IndexFunc(a.Customers, func(c Customer) bool { return c.ID == id })
	if i < 0 {
		return Customer{}, false
	}
	return a.Customers[i], true
}

func (a *account) ticket(id int64) (*Ticket, bool) {
	i := slices.IndexFunc(a.tickets, func(t *Ticket) bool { return t.ID == id })
	if i < 0 {
		return nil, false
	}
	return a.tickets[i], true
}
