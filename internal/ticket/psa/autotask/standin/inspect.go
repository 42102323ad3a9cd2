package standin

import (
	"slices"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

// Request is one call that arrived. Its path is below /v1.0, and the account is its user name.
type Request = desk.Request

// Requests lists the calls of a method to a path, oldest first, whether they
// were answered or not. Empty means any; the path is a pattern as in
// path.Match.
func (s *Server) Requests(method, pattern string) []Request { return s.log.Requests(method, pattern) }

// Tickets lists the tickets of an account's database, oldest first.
func (s *Server) Tickets(username string) []Ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.named(username)
	if a == nil {
		return nil
	}
	all := make([]Ticket, 0, len(a.base.tickets))
	for _, t := range a.base.tickets {
		all = append(all, t.clone())
	}
	return all
}

// Companies lists the companies of an account's database with their ids, the
// MSP itself first.
func (s *Server) Companies(username string) []Company {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.named(username); a != nil {
		return slices.Clone(a.base.companies)
	}
	return nil
}

// Resources lists the technicians of an account's database with their ids.
func (s *Server) Resources(username string) []Resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.named(username); a != nil {
		return slices.Clone(a.base.resources)
	}
	return nil
}

// Revoke makes an account's secret invalid, or valid again.
func (s *Server) Revoke(username string, revoked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.named(username); a != nil {
		a.revoked = revoked
	}
}

// Move has an account live in another zone, with the rest of its database: the
// old zone answers 401.
func (s *Server) Move(username, zone string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	moving := s.named(username)
	for _, a := range s.accounts {
		if moving != nil && a.base == moving.base {
			a.Zone = zone
		}
	}
}

// Edit changes a ticket as a technician would, and reports whether it is there.
func (s *Server) Edit(username string, ticketID int64, change func(*Ticket)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.named(username)
	if a == nil {
		return false
	}
	t, there := a.base.ticket(ticketID)
	if there {
		before := t.clone()
		change(t)
		t.UpdatedAt = s.config.Clock()
		s.changed(a.base, technician(a.base), before, t)
	}
	return there
}

// Delete removes a ticket, as a technician may, and reports whether it was
// there.
func (s *Server) Delete(username string, ticketID int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.named(username)
	if a == nil {
		return false
	}
	t, there := a.base.ticket(ticketID)
	if !there {
		return false
	}
	gone := t.clone()
	a.base.tickets = slices.DeleteFunc(a.base.tickets, func(t *Ticket) bool { return t.ID == ticketID })
	s.changed(a.base, technician(a.base), gone, nil)
	return true
}

// technician is whoever changes things without the API.
func technician(b *database) int64 {
	if len(b.resources) == 0 {
		return 0
	}
	return b.resources[0].ID
}
