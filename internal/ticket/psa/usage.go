package psa

import (
	"context"
	"time"
)

// Usage is how much of its requests an account has used, over all vendors that
// call it.
type Usage struct {
	Threshold int           // requests allowed in the window
	Used      int           // requests in the current window, by anyone
	Window    time.Duration // usually an hour
}

// Left is how many requests the window still allows; 0 if none.
func (u Usage) Left() int { return max(u.Threshold-u.Used, 0) }

// Meter is a [Vendor] that can tell an account's usage.
type Meter interface {
	// Usage reads the account's use of its threshold. The call itself counts.
	Usage(ctx context.Context) (Usage, error)
}
