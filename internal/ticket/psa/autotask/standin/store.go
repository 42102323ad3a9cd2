package standin

import (
	"cmp"
	"slices"
	"time"
)

// database is what the accounts of one MSP share.
type database struct {
	name         string
	companies    []Company
	contacts     []contact
	contracts    []*Contract
	resources    []Resource
	roles        []Role
	pairs        []pair
	statuses     []Pick
	priorities   []Pick
	queues       []Pick
	sources      []Pick
	publishing   []Pick
	tickets      []*Ticket // in the order of their making, so that ids ascend
	hooks        []*hook
	companyTypes []Pick

	hour time.Time // when the hour that is counted began
	used int       // requests in it
}

// contact is a person at a company: here, always the primary one.
type contact struct {
	id, companyID int64
	name          string
}

// pair lets a resource be assigned in a role.
type pair struct{ id, resource, role int64 }

// Ticket is a ticket as the server holds it.
type Ticket struct {
	ID          int64
	Number      string
	CompanyID   int64
	ContactID   int64 // the person who sees it in the client portal; 0 for nobody in particular
	Title       string
	Description string
	Status      int
	Priority    int
	QueueID     int
	Source      int
	ResourceID  int64
	RoleID      int64
	Due         time.Time
	ExternalID  string
	Resolution  string
	Notes       []Note // oldest first
	CreatedAt   time.Time
	UpdatedAt   time.Time
	CompletedAt time.Time // zero if it is open
}

// Note is a note as the server holds it.
type Note struct {
	ID          int64
	Title       string
	Description string
	NoteType    int
	Publish     int // 1 everyone, 2 internal, 4 internal and co-managed
	CreatedAt   time.Time
}

// Internal reports whether only the MSP's technicians read the note.
func (n Note) Internal() bool { return n.Publish == publishInternal }

func (t *Ticket) clone() Ticket {
	c := *t
	c.Notes = slices.Clone(t.Notes)
	return c
}

// Autotask's own values.
const (
	statusComplete  = 5
	publishAll      = 1
	publishInternal = 2
	publishShared   = 4
)

// seed adds an account, and its database if that is not there.
func (s *Server) seed(from Account) {
	from.Zone = cmp.Or(from.Zone, "1")
	a := &account{Account: from, running: map[string]int{}}
	i := slices.IndexFunc(s.bases, func(b *database) bool { return b.name == from.Database })
	if i >= 0 {
		a.base = s.bases[i]
	} else {
		a.base = s.fill(from)
		s.bases = append(s.bases, a.base)
	}
	a.resource = s.nextID()
	s.accounts = append(s.accounts, a)
}

func (s *Server) fill(from Account) *database {
	b := &database{
		name:      from.Database,
		companies: append([]Company{{Name: from.Database}}, from.Companies...),
		resources: slices.Clone(from.Resources),
		roles:     slices.Clone(from.Roles),
		statuses: orElse(from.Statuses,
			Pick{1, "New", false}, Pick{5, "Complete", false}, Pick{7, "Waiting Customer", false}, Pick{8, "In Progress", false}, Pick{10, "Dispatched", true}),
		priorities: orElse(from.Priorities, Pick{4, "Critical", false}, Pick{1, "High", false}, Pick{2, "Medium", false}, Pick{3, "Low", false}),
		queues: orElse(from.Queues,
			Pick{5, "Client Portal", false}, Pick{8, "Monitoring Alert", false}, Pick{29682833, "Level I Support", false}, Pick{29682900, "Abandoned", true}),
		sources: orElse(from.Sources, Pick{-1, "Client Portal", false}, Pick{2, "Phone", false}, Pick{4, "Email", false}, Pick{8, "Monitoring Alert", false}),
		companyTypes: orElse(from.CompanyTypes,
			Pick{1, "Customer", false}, Pick{2, "Lead", false}, Pick{3, "Prospect", false}, Pick{7, "Vendor", false}, Pick{4, "Dead", true}),
		// Co-managed notes come before internal ones, to catch whoever takes the
		// first that sounds internal.
		publishing: orElse(from.Publishing,
			Pick{publishShared, "Internal & Co-Managed", false}, Pick{publishAll, "All Autotask Users", false}, Pick{publishInternal, "Internal Users Only", false}),
	}
	if len(b.roles) == 0 && len(b.resources) == 0 {
		b.roles = []Role{{ID: 29682834, Name: "Technician"}}
		b.resources = []Resource{{First: "Joe", Last: "Doe", Roles: []int64{29682834}}}
	}
	for i := range b.companies[1:] {
		b.companies[i+1].ID = cmp.Or(b.companies[i+1].ID, s.nextID())
	}
	b.contracts = s.contracts(b.companies)
	for _, c := range b.companies {
		if c.Contact != "" {
			b.contacts = append(b.contacts, contact{id: s.nextID(), companyID: c.ID, name: c.Contact})
		}
	}
	for i := range b.roles {
		b.roles[i].ID = cmp.Or(b.roles[i].ID, s.nextID())
	}
	for i := range b.resources {
		r := &b.resources[i]
		r.ID = cmp.Or(r.ID, s.nextID())
		for _, role := range r.Roles {
			b.pairs = append(b.pairs, pair{id: s.nextID(), resource: r.ID, role: role})
		}
	}
	return b
}

func orElse(given []Pick, usual ...Pick) []Pick {
	if len(given) > 0 {
		return slices.Clone(given)
	}
	return usual
}

// nextID is unique over all databases, so that an id of one is absent in the
// others.
func (s *Server) nextID() int64 {
	s.lastID++
	return s.lastID
}

func (b *database) company(id int64) (Company, bool) {
	i := slices.IndexFunc(b.companies, func(c Company) bool { return c.ID == id })
	if i < 0 {
		return Company{}, false
	}
	return b.companies[i], true
}

func (b *database) ticket(id int64) (*Ticket, bool) {
	i := slices.IndexFunc(b.tickets, func(t *Ticket) bool { return t.ID == id })
	if i < 0 {
		return nil, false
	}
	return b.tickets[i], true
}

// assignable reports whether a resource works at the service desk in a role.
func (b *database) assignable(resource, role int64) bool {
	active := slices.ContainsFunc(b.resources, func(r Resource) bool { return r.ID == resource && !r.Inactive }) &&
		slices.ContainsFunc(b.roles, func(r Role) bool { return r.ID == role && !r.Inactive })
	return active && slices.ContainsFunc(b.pairs, func(p pair) bool { return p.resource == resource && p.role == role })
}

func picked(list []Pick, value int) bool {
	return slices.ContainsFunc(list, func(p Pick) bool { return p.Value == value && !p.Inactive })
}
