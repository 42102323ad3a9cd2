package standin

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// account is an Account and what has been written to it.
type account struct {
	Account
	tickets    []*Ticket // in the order of their making, so that ids ascend
	agreements []*Agreement
	revoked    bool
	newest     int64 // the highest id that a list knows, while a fault makes it lag
	hooks      []*hook
}

// Ticket is a ticket as the server holds it.
type Ticket struct {
	ID           int64
	Summary      string
	CompanyID    int64
	BoardID      int64
	StatusID     int64
	PriorityID   int64
	SourceID     int64
	OwnerID      int64
	Severity     string
	Impact       string
	RequiredDate string // as sent
	ExternalXRef string
	MailContact  bool // the customer's contact is mailed about the ticket
	Closed       bool
	Notes        []Note // oldest first; the initial text is the first
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Note is a note as the server holds it.
type Note struct {
	ID         int64
	Text       string
	Discussion bool // the customer sees it
	Internal   bool
	Resolution bool
	Notified   bool // whoever follows the ticket would have been mailed
	CreatedAt  time.Time
}

func (t *Ticket) clone() Ticket {
	c := *t
	c.Notes = slices.Clone(t.Notes)
	return c
}

// seed completes an account with what a new ConnectWise company has.
func (s *Server) seed(from Account) *account {
	a := &account{Account: from}
	a.CodeBase = strings.TrimSuffix(cmp.Or(a.CodeBase, "v2025_1/"), "/") + "/"
	a.CompanyTypes = s.choices(from.CompanyTypes, "Client", "Prospect", "Vendor")
	a.Companies = slices.Clone(from.Companies)
	for i := range a.Companies {
		c := &a.Companies[i]
		c.ID = cmp.Or(c.ID, s.nextID())
		if len(c.Types) == 0 {
			c.Types = []int64{a.CompanyTypes[0].ID}
		}
	}
	a.agreements = s.agreements(a.Companies)
	a.Boards = slices.Clone(from.Boards)
	if len(a.Boards) == 0 {
		a.Boards = []Board{{Name: "Professional Services"}, {Name: "Help Desk"}, {Name: "Projects", Project: true}}
	}
	for i := range a.Boards {
		b := &a.Boards[i]
		b.ID = cmp.Or(b.ID, s.nextID())
		b.Statuses = slices.Clone(b.Statuses)
		if len(b.Statuses) == 0 {
			b.Statuses = []Status{{Name: "New", Default: true}, {Name: "In Progress"}, {Name: "Waiting Response"}, {Name: "Enter Time", Inactive: true}, {Name: ">Closed", Closed: true}, {Name: "Closed", Closed: true}}
		}
		for j := range b.Statuses {
			b.Statuses[j].ID = cmp.Or(b.Statuses[j].ID, s.nextID())
		}
	}
	a.Priorities = s.choices(from.Priorities, "Priority 1 - Critical", "Priority 2 - High", "Priority 3 - Medium", "Priority 4 - Low")
	a.Sources = s.choices(from.Sources, "Call", "Email", "Automated")
	a.Members = s.choices(from.Members, "Joe Doe")
	return a
}

func (s *Server) choices(given []Choice, usual ...string) []Choice {
	all := slices.Clone(given)
	if len(all) == 0 {
		for _, name := range usual {
			all = append(all, Choice{Name: name})
		}
	}
	for i := range all {
		all[i].ID = cmp.Or(all[i].ID, s.nextID())
	}
	return all
}

// nextID is unique over all accounts and kinds, so that an id of one is absent
// in the others.
func (s *Server) nextID() int64 {
	s.lastID++
	return s.lastID
}

func (a *account) company(id int64) (Company, bool) {
	return find(a.Companies, func(c Company) bool { return c.ID == id })
}

func (a *account) board(id int64) (Board, bool) {
	return find(a.Boards, func(b Board) bool { return b.ID == id })
}

func (b Board) status(id int64) (Status, bool) {
	return find(b.Statuses, func(s Status) bool { return s.ID == id })
}

func (a *account) ticket(id int64) (*Ticket, bool) {
	return find(a.tickets, func(t *Ticket) bool { return t.ID == id })
}

func choice(all []Choice, id int64) (Choice, bool) {
	return find(all, func(c Choice) bool { return c.ID == id })
}

func find[T any](all []T, is func(T) bool) (T, bool) {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i], true
	}
	var none T
	return none, false
}
