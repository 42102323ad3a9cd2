package psa

import (
	"context"
	"errors"
)

// Gate stands before an account's calls, so that no vendor's limit is run into,
// whichever replica calls.
type Gate interface {
	// Enter admits a call, perhaps after a wait. Its error is an [*Error] of
	// class Throttled: nothing was sent. Whoever was admitted calls leave when
	// the answer is there or will not come.
	Enter(ctx context.Context, c Call) (leave func(), err error)
	// Refused says that the vendor refused a call because of its limits.
	Refused(ctx context.Context, e *Error)
}

// Open is the gate that admits every call at once.
type Open struct{}

// Enter implements Gate.
func (Open) Enter(context.Context, Call) (leave func(), err error) { return func() {}, nil }

// Refused implements Gate.
func (Open) Refused(context.Context, *Error) {}

// enter admits a call, or answers why not.
func (h *HTTP) enter(ctx context.Context, c Call) (leave func(), failure *Error) {
	leave, err := h.config.Gate.Enter(ctx, c)
	if err == nil {
		return leave, nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return nil, e
	}
	return nil, &Error{Class: NotSent, Err: err}
}
