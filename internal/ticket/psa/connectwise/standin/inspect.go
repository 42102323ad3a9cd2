package standin

import (
	"slices"
	"strings"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

// Request is one call that arrived. Its path is below /{codebase}/apis/3.0, or whole beside it, and the
// account is its public key.
type Request = desk.Request

// Requests lists the calls of a method to a path, oldest first, whether they
// were answered or not. Empty means any; the path is a pattern as in
// path.Match.
func (s *Server) Requests(method, pattern string) []Request { return s.log.Requests(method, pattern) }

// of calls do with the account of a public key, under the lock, if there is one.
func (s *Server) of(publicKey string, do func(*account)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := find(s.accounts, func(a *account) bool { return a.PublicKey == publicKey })
	if ok {
		do(a)
	}
}

// Tickets lists an account's tickets, oldest first, each with its notes in the
// order of their arrival.
func (s *Server) Tickets(publicKey string) []Ticket {
	var all []Ticket
	s.of(publicKey, func(a *account) {
		for _, t := range a.tickets {
			all = append(all, t.clone())
		}
	})
	return all
}

// Account is an account with all its ids.
func (s *Server) Account(publicKey string) Account {
	var copied Account
	s.of(publicKey, func(a *account) {
		copied = a.Account
		copied.Companies, copied.Boards = slices.Clone(a.Companies), slices.Clone(a.Boards)
		copied.Priorities, copied.Sources, copied.Members = slices.Clone(a.Priorities), slices.Clone(a.Sources), slices.Clone(a.Members)
		for i := range copied.Boards {
			copied.Boards[i].Statuses = slices.Clone(copied.Boards[i].Statuses)
		}
	})
	return copied
}

// Revoke makes an account's keys invalid, or valid again.
func (s *Server) Revoke(publicKey string, revoked bool) {
	s.of(publicKey, func(a *account) { a.revoked = revoked })
}

// Upgrade moves a company's API to another code base, where it is at once and
// only.
func (s *Server) Upgrade(companyID, codeBase string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if strings.EqualFold(a.CompanyID, companyID) {
			a.CodeBase = strings.TrimSuffix(codeBase, "/") + "/"
		}
	}
}

// Edit changes a ticket as a technician may, and reports whether it is there.
func (s *Server) Edit(publicKey string, ticketID int64, change func(*Ticket)) bool {
	edited := false
	s.of(publicKey, func(a *account) {
		t, ok := a.ticket(ticketID)
		if !ok {
			return
		}
		change(t)
		if b, ok := a.board(t.BoardID); ok {
			status, _ := b.status(t.StatusID)
			t.Closed = status.Closed
		}
		t.UpdatedAt = s.config.Clock()
		s.changed(a, nil, "updated", t)
		edited = true
	})
	return edited
}

// Delete removes a ticket, as a technician may, and reports whether it was
// there.
func (s *Server) Delete(publicKey string, ticketID int64) bool {
	deleted := false
	s.of(publicKey, func(a *account) {
		t, there := a.ticket(ticketID)
		if there {
			s.changed(a, nil, "deleted", t)
		}
		a.tickets = slices.DeleteFunc(a.tickets, func(t *Ticket) bool { return t.ID == ticketID })
		deleted = there
	})
	return deleted
}
