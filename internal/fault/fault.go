// Package fault holds the errors that callers are shown: a stable code, a
// message for a person, and the input field at fault. Everything else is
// internal, is logged, and reads as INTERNAL.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Code is the stable, machine-readable kind of an error: the value of
// extensions.code in a GraphQL response.
type Code string

// The codes. They are part of the API: never renamed, never reused.
const (
	Unauthenticated      Code = "UNAUTHENTICATED"        // no credential, or one that is not valid
	Forbidden            Code = "FORBIDDEN"              // a valid credential without the permission
	NotFound             Code = "NOT_FOUND"              // no such object in reach
	InvalidArgument      Code = "INVALID_ARGUMENT"       // input that can never be accepted; Field names it
	PreconditionFailed   Code = "PRECONDITION_FAILED"    // the object's state does not allow it
	Conflict             Code = "CONFLICT"               // it exists already, or changed meanwhile
	PlatformNotSupported Code = "PLATFORM_NOT_SUPPORTED" // the device's platform cannot do it
	RateLimited          Code = "RATE_LIMITED"           // too many attempts; RetryAfter says when
	QueryTooComplex      Code = "QUERY_TOO_COMPLEX"      // the document exceeds a limit
	Unavailable          Code = "UNAVAILABLE"            // a dependency is down; try again
	Internal             Code = "INTERNAL"               // a defect; the request id leads to the log
)

// Codes lists every code, in the order of the documentation.
func Codes() []Code {
	return []Code{
		Unauthenticated, Forbidden, NotFound, InvalidArgument, PreconditionFailed, Conflict,
		PlatformNotSupported, RateLimited, QueryTooComplex, Unavailable, Internal,
	}
}

// Error is an error that a caller is shown.
type Error struct {
	Code       Code
	Message    string
	Field      string        // input path at fault, such as "input.name"; empty if none
	RetryAfter time.Duration // for RateLimited and Unavailable; zero if unknown
	ID         string        // for NotFound: the id asked for
	err        error         // the cause, logged and never shown
}

func (e *Error) Error() string {
	if e.err != nil {
		return e.Message + ": " + e.err.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }

// Wrap attaches a cause, which is logged and never shown.
func (e *Error) Wrap(err error) *Error {
	e.err = err
	return e
}

// New returns an error with a code and a message for a person.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid reports input that can never be accepted, and the field at fault.
func Invalid(field, format string, args ...any) *Error {
	return &Error{Code: InvalidArgument, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Missing reports an id that is unknown or out of reach: the two read alike.
func Missing(id string) *Error {
	return &Error{Code: NotFound, ID: id, Message: "no object with this id is in reach"}
}

// Throttled reports too many attempts.
func Throttled(after time.Duration, format string, args ...any) *Error {
	return &Error{Code: RateLimited, RetryAfter: after, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of an error, INTERNAL for one that is not a fault,
// and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}
