package psa

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Class is what to do about an error.
type Class string

// The classes of error.
const (
	Permanent Class = "PERMANENT" // refused, and will be again: blocked by configuration; show the vendor's text
	Auth      Class = "AUTH"      // credentials refused: pause the integration, tell the technician
	Throttled Class = "THROTTLED" // not executed: pause the account's calls, then repeat
	Uncertain Class = "UNCERTAIN" // a write may have been executed: look the marker up; a read got no answer: repeat
	Gone      Class = "GONE"      // the object does not exist (any more)
	NotSent   Class = "NOT_SENT"  // no connection was made, so nothing was executed: repeat
)

// Error is what went wrong at a PSA.
type Error struct {
	Class      Class
	Op         string        // what was attempted: "create ticket"
	Vendor     string        // the vendor's own words, bounded, without secrets; may be empty
	Status     int           // HTTP status; 0 if there was no answer
	RetryAfter time.Duration // how long the vendor asks to wait; 0 if it does not say
	Err        error         // the cause; may be nil
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		fmt.Fprintf(&b, "%s: ", e.Op)
	}
	b.WriteString(strings.ToLower(string(e.Class)))
	if e.Status != 0 {
		fmt.Fprintf(&b, " (%d)", e.Status)
	}
	if e.Vendor != "" {
		fmt.Fprintf(&b, ": %s", e.Vendor)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ClassOf returns the class of an error and "" for nil. An error that no
// vendor classified counts as Uncertain: the class that never doubles a ticket.
func ClassOf(err error) Class {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return Uncertain
}

// ClassOfStatus is the class of an HTTP status where the vendor's documents
// say nothing else. A 404 is Permanent: only the caller knows whether the
// path named an object.
func ClassOfStatus(status int) Class {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return Auth
	case status == http.StatusTooManyRequests:
		return Throttled
	case status == http.StatusRequestTimeout, status < 400, status >= 500:
		return Uncertain
	default:
		return Permanent
	}
}

// maxWait bounds what a Retry-After can ask for: a vendor's mistake must not
// park an integration for a month.
const maxWait = 24 * time.Hour

// retryAfter reads a Retry-After header: seconds or a date. 0 if absent or
// unreadable.
func retryAfter(header string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.Atoi(strings.TrimSpace(header)); err == nil {
		wait = time.Duration(min(max(seconds, 0), int(maxWait/time.Second))) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxWait)
}
