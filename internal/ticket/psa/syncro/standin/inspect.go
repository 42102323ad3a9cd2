package standin

import (
	"slices"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

// Request is one call that arrived. Its path is below /api/v1, and the account is its token.
type Request = desk.Request

// Requests lists the calls of a method to a path, oldest first, whether they
// were answered or not. Empty means any; the path is a pattern as in
// path.Match.
func (s *Server) Requests(method, pattern string) []Request { return s.log.Requests(method, pattern) }

// Tickets lists an account's tickets, oldest first, each with its comments in
// the order of their arrival.
func (s *Server) Tickets(token string) []Ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Ticket
	for _, a := range s.accounts {
		if a.Token != token {
			continue
		}
		for _, t := range a.tickets {
			all = append(all, t.clone())
		}
	}
	return all
}

// Customers lists an account's customers with their ids.
func (s *Server) Customers(token string) []Customer {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if a.Token == token {
			return slices.Clone(a.Customers)
		}
	}
	return nil
}

// Users lists an account's technicians with their ids.
func (s *Server) Users(token string) []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if a.Token == token {
			return slices.Clone(a.Users)
		}
	}
	return nil
}

// Revoke makes a token invalid, or valid again.
func (s *Server) Revoke(token string, revoked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if a.Token == token {
			a.revoked = revoked
		}
	}
}

// Edit changes a ticket as a technician would, and reports whether it is there.
func (s *Server) Edit(token string, ticketID int64, change func(*Ticket)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if t, there := a.ticket(ticketID); a.Token == token && there {
			change(t)
			t.UpdatedAt = s.config.Clock()
			return true
		}
	}
	return false
}

// Delete removes a ticket, as a technician may, and reports whether it was
// there.
func (s *Server) Delete(token string, ticketID int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if a.Token != token {
			continue
		}
		before := len(a.tickets)
		a.tickets = slices.DeleteFunc(a.tickets, func(t *Ticket) bool { return t.ID == ticketID })
		return len(a.tickets) < before
	}
	return false
}
