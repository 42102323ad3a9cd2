// Package psa is what Bailiwick asks of a professional services automation
// system (PSA): the MSP's service desk. One set of small interfaces serves
// Autotask, ConnectWise and Syncro; psatest is the suite that each must pass.
//
// No PSA offers an idempotency key, so nothing here retries. A ticket is sent
// once per [Creator.Create]; whoever calls it has stored the draft's marker
// first, and after an error of class [Uncertain] looks the marker up with
// [Creator.Find] before sending again.
package psa

import (
	"context"
	"time"
)

// Kind names a PSA product.
type Kind string

// The kinds of PSA.
const (
	Autotask    Kind = "AUTOTASK"
	ConnectWise Kind = "CONNECTWISE"
	Syncro      Kind = "SYNCRO"
)

// Vendor is one account at a PSA. Every error that its methods return is, or
// wraps, an [*Error]. Implementations are safe for concurrent use.
type Vendor interface {
	Verifier
	Companies
	Options
	Ticketer
	Biller
	Watcher
}

// Ticketer is the life of a ticket: made, found, read, annotated, moved.
type Ticketer interface {
	Creator
	Reader
	Noter
	Mover
}

// Verifier tests credentials without making a ticket.
type Verifier interface {
	// Verify reports who the credentials belong to. Class Auth: they are
	// refused, or lack a permission that ticketing needs, which Vendor names.
	Verify(ctx context.Context) (Account, error)
}

// Companies reads the PSA's customers, which organizations are mapped to.
type Companies interface {
	// Companies lists active companies whose name matches the query.
	Companies(ctx context.Context, q CompanyQuery) (CompanyPage, error)
	// Company reads one. Class Gone: there is none with this id.
	Company(ctx context.Context, id string) (Company, error)
}

// Options reads what a ticket's fields may hold.
type Options interface {
	// Options lists the fields that an alert's configuration can set.
	Options(ctx context.Context) ([]Option, error)
}

// Creator makes tickets, once.
type Creator interface {
	// Create sends exactly one request that makes a ticket, whatever happens
	// to it. Classes NotSent and Throttled: no ticket was made. Class
	// Uncertain: there may be one; Find tells.
	Create(ctx context.Context, d Draft) (Remote, error)
	// Find lists the company's tickets that carry the marker and were made
	// since the given time, lowest id first. Absent is an empty list and no
	// error; a look-up that could not be completed is an error, never an empty
	// list. Search indexes lag: absent now may be present in a minute.
	Find(ctx context.Context, marker, companyID string, since time.Time) ([]Remote, error)
}

// Reader reads tickets.
type Reader interface {
	// Get reads one ticket. Class Gone: deleted, or never there.
	Get(ctx context.Context, ticketID string) (Remote, error)
}

// Noter writes and reads a ticket's notes.
type Noter interface {
	// AddNote sends exactly one request that adds a note. Class Uncertain: the
	// note may be there; ListNotes tells ([AddNoteOnce] does both).
	AddNote(ctx context.Context, ticketID string, n Note) error
	// ListNotes lists a ticket's notes, oldest first.
	ListNotes(ctx context.Context, ticketID string) ([]RemoteNote, error)
}

// Mover changes a ticket's status. All of it is safe to repeat.
type Mover interface {
	// SetStatus sets a status by its option value.
	SetStatus(ctx context.Context, ticketID, status string) error
	// Close resolves a ticket.
	Close(ctx context.Context, ticketID string, c Closing) error
	// Reopen puts a closed ticket back to work. An empty status means the
	// vendor's status of a new ticket.
	Reopen(ctx context.Context, ticketID, status string) error
}

// Account is who credentials belong to at the PSA.
type Account struct {
	Name string // the account's own name: Syncro's subdomain
	User string // the user whose key it is, for people to read
}
