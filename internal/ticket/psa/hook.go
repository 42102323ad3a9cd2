package psa

import (
	"context"
	"net/http"
	"time"
)

// MaxEvent bounds the body of a vendor's call, in bytes.
const MaxEvent = 1 << 20

// Hooker is a [Vendor] that calls us when a ticket changes. What it says is a
// hint: it may be old, repeated or lost, so whoever is called reads the ticket,
// and polls all the same.
type Hooker interface {
	// Subscribe has the vendor call an address when a ticket is changed or
	// deleted, and answers the webhook's id. Webhooks of the same name that an
	// earlier attempt left behind are replaced.
	Subscribe(ctx context.Context, r HookRequest) (id string, err error)
	// Unsubscribe ends that. A webhook that is gone already is no error.
	Unsubscribe(ctx context.Context, id string) error
	// Subscribed reports whether the vendor still calls: it gives up on
	// addresses that fail for long.
	Subscribed(ctx context.Context, id string) (bool, error)
	// Event verifies a call that claims to come from the vendor. Any error
	// means that it is not to be believed. It may ask the vendor for a key, and
	// nobody else.
	Event(ctx context.Context, secret string, header http.Header, body []byte) (Event, error)
}

// HookRequest is a webhook to be made.
type HookRequest struct {
	Name            string // at most 50 characters; one account has no two integrations of one name
	URL             string // where the vendor calls
	DeactivationURL string // where it says, unsigned, that it has given up (Autotask)
	Secret          string // what it signs with, at most 64 characters (Autotask); ConnectWise has a key of its own
}

// Event is what a verified call says.
type Event struct {
	ID       string    // the same when the call is repeated
	TicketID string    // which ticket to read; empty if it is about none
	At       time.Time // when it happened; zero if the vendor does not say
}
