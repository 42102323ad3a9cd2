package limit

import (
	"errors"
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/schema"
)

// Policy is what a vendor allows.
type Policy struct {
	// Calls is how many calls any stretch of Window may have, over all replicas
	// and everybody who shares the limit.
	Calls  int
	Window time.Duration

	// Threads is how many calls may be under way at the same kind of object; 0
	// for any number. Lease is for how long a call may be under way: its place
	// is free after that, should nobody give it back.
	Threads int
	Lease   time.Duration

	// Patience is how long a call waits for a free place.
	Patience time.Duration

	// Pause is how long the vendor is left alone when it refuses a call because
	// of its limits and does not say for how long, and MaxPause the longest that
	// it can ask for.
	Pause, MaxPause time.Duration

	// MeasureEvery and MeasureAfter say when others' use of the account is asked
	// for again: after so much time, or so many calls. 0 for never.
	MeasureEvery time.Duration
	MeasureAfter int
}

// Validate reports the first setting that cannot work.
func (p Policy) Validate() error {
	switch {
	case p.Calls < 1 || p.Window < slicesPerWindow*time.Millisecond:
		return errors.New("limit: calls and window must be positive")
	case p.Threads < 0 || (p.Threads > 0 && (p.Lease <= 0 || p.Patience <= 0)):
		return errors.New("limit: threads need a lease and patience")
	case p.Pause <= 0 || p.MaxPause < p.Pause:
		return errors.New("limit: a pause must be positive and not exceed the longest")
	case (p.MeasureEvery > 0) != (p.MeasureAfter > 0) || p.MeasureEvery < 0:
		return errors.New("limit: measuring needs a time and a number of calls")
	}
	return nil
}

// Policies are what the vendors allow; a kind without a policy is not limited.
type Policies map[psa.Kind]Policy

// DefaultPolicies are the vendors' limits as they document them. Of Autotask's
// 10,000 calls an hour, which count for all vendors together, half are ours at
// most: beyond that every call is slowed down.
func DefaultPolicies() Policies {
	return Policies{
		psa.Autotask: {
			Calls: 5000, Window: time.Hour, Threads: 3, Lease: 2 * time.Minute, Patience: 5 * time.Second,
			Pause: 30 * time.Second, MaxPause: time.Hour, MeasureEvery: 5 * time.Minute, MeasureAfter: 100,
		},
		psa.ConnectWise: {Calls: 1000, Window: time.Minute, Pause: time.Minute, MaxPause: time.Hour},
		psa.Syncro:      {Calls: 180, Window: time.Minute, Pause: time.Minute, MaxPause: 10 * time.Minute},
	}
}

// Validate reports the first policy that cannot work.
func (p Policies) Validate() error {
	for kind, policy := range p {
		if err := policy.Validate(); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

// Admits says whether one more call of a tenant may be made, where so many
// calls are allowed and so many tenants, it included, have been seen of late.
// The last quarter is for those who have had less than their fair share. A
// refusal names the number of calls that must be undercut first.
func Admits(all, its schema.RateWindow, tenants, calls int) (ok bool, fewer int) {
	used := total(all)
	if used >= calls {
		return false, calls
	}
	reserved := calls - calls/4
	if used < reserved || total(its)*max(tenants, 1) < calls {
		return true, 0
	}
	return false, reserved
}

// Budget is how many calls of ours a window may have, where an account allows
// threshold calls of everybody's and others have made so many. Together we stay
// below half of the threshold, from which on the vendor slows everybody down.
// Where others are beyond that alone, a little is left to us, and ever less the
// closer they come to the threshold, at which the vendor switches all off.
func Budget(threshold, others int) int {
	others = max(others, 0)
	return max(threshold/2-others, min(threshold/20, (threshold-others)/4), 0)
}
