package standin

import (
	"path"
	"slices"
)

// Request is one API call that arrived.
type Request struct {
	Method string
	Path   string // below /api/v1
	Token  string // of the account; empty if the call was not authenticated
}

// maxLog bounds the log of requests, which a long demonstration fills.
const maxLog = 100_000

func (s *Server) record(r Request) {
	if len(s.log) >= maxLog {
		s.log = slices.Delete(s.log, 0, maxLog/2)
	}
	s.log = append(s.log, r)
}

// Requests lists the calls of a method to a path, oldest first, whether they
// were answered or not. Empty means any; the path is a pattern as in
// path.Match.
func (s *Server) Requests(method, pattern string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var matching []Request
	for _, r := range s.log {
		ok := pattern == ""
		if !ok {
			ok, _ = path.Match(pattern, r.Path) // a malformed pattern matches nothing
		}
		if ok && (method == "" || method == r.Method) {
			matching = append(matching, r)
		}
	}
	return matching
}

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
