package psa

import (
	"context"
	"time"
)

// Watcher lists what has changed at the PSA: the backstop of [Hooker], and all
// there is where the vendor calls nobody.
type Watcher interface {
	// Changed lists a page of the account's tickets that were changed at the
	// given time or later, by whomever; the first with an empty cursor. The
	// pages are in an order that changes made meanwhile do not disturb: a
	// ticket may be listed twice, and none is left out. Deleted tickets are in
	// no list. Clocks differ, so ask for more than is needed.
	Changed(ctx context.Context, since time.Time, cursor string) (ChangedPage, error)
}

// ChangedPage is a page of tickets that have changed.
type ChangedPage struct {
	Tickets []Remote
	Next    string // the next page's cursor; empty on the last
}
