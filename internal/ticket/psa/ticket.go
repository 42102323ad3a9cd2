package psa

import (
	"context"
	"strings"
	"time"
)

// Draft is a ticket to be made.
type Draft struct {
	Marker    string // from [Marker]; stored in the ticket, and how it is found again
	CompanyID string // the vendor's id of the customer
	Title     string // cut to the vendor's length
	Body      string // plain text, cut to the vendor's length
	Due       time.Time
	Public    bool     // the customer may read the body; otherwise only technicians
	Settings  Settings // of the vendor's own type
}

// Settings is the vendor's part of an alert's configuration, such as a problem
// type or a queue. Each vendor package has its own type.
type Settings interface {
	// Kind is the vendor that understands these settings.
	Kind() Kind
	// Validate checks what needs no call to the vendor.
	Validate() error
	// Check compares every value with the vendor's options; the *fault.Error
	// names the field and the value that is unknown or inactive.
	Check(options []Option) error
}

// Remote is a ticket as the vendor has it.
type Remote struct {
	ID         string // unique and ascending within the account
	Number     string // what technicians call it
	URL        string // where a technician opens it
	CompanyID  string
	Title      string
	Status     string // the option value
	Closed     bool
	AssigneeID string // the technician's id; empty if nobody has it
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Closing is how a ticket is closed.
type Closing struct {
	Status     string // option value; empty means the vendor's own status of a resolved ticket
	Resolution string // kept where the vendor has a field for it (Autotask); elsewhere add a note before closing
}

// Note is text to be added to a ticket. It never mails the customer.
type Note struct {
	Marker string // from [NoteMarker]; written into the text
	Title  string
	Body   string // plain text, cut to the vendor's length
	Public bool   // the customer may read it
}

// RemoteNote is a note as the vendor has it.
type RemoteNote struct {
	ID        string
	Title     string
	Body      string
	Public    bool
	CreatedAt time.Time
}

// AddNoteOnce adds a note unless one with its marker is there, and reports
// whether it sent one. It is what makes a note safe to repeat after a crash or
// an error of class Uncertain.
func AddNoteOnce(ctx context.Context, v Noter, ticketID string, n Note) (bool, error) {
	notes, err := v.ListNotes(ctx, ticketID)
	if err != nil {
		return false, err
	}
	for _, have := range notes {
		if Marked(have.Body, n.Marker) {
			return false, nil
		}
	}
	return true, v.AddNote(ctx, ticketID, n)
}

// Marked reports whether a text carries a marker. Case is ignored, because a
// vendor may fold it. The empty marker is in no text.
func Marked(text, marker string) bool {
	return marker != "" && strings.Contains(strings.ToLower(text), strings.ToLower(marker))
}
