package ticket

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Config sets the pace of delivery, and where its tickets lead.
type Config struct {
	// ConsoleURL is where technicians see alerts, without a trailing slash: a
	// ticket links to ConsoleURL/alerts/ID. Empty for no link.
	ConsoleURL string

	// Lease is how long a worker may hold a ticket without a sign of life. It
	// exceeds CallTimeout, so that no call is under way when it expires, by as
	// much as the clocks of two replicas may differ.
	Lease time.Duration

	// CallTimeout bounds one step at the vendor: sending a ticket, or reading
	// its notes and adding one.
	CallTimeout time.Duration

	// LookupPauses are the pauses between look-ups of a marker whose ticket is
	// in doubt. There is one more look-up than pauses; if all of them find
	// nothing, the ticket is sent again.
	LookupPauses []time.Duration

	// TrialPauses are the pauses between look-ups of a test ticket whose answer
	// was lost. Somebody waits for it, and it is never sent again.
	TrialPauses []time.Duration

	// Backoff is the pause after the first failed attempt. It doubles with each
	// further one, up to MaxBackoff, give or take a fifth.
	Backoff    time.Duration
	MaxBackoff time.Duration

	// MaxAttempts and MaxAge bound how often a ticket's next delivery is tried
	// and for how long; when both are exceeded it is given up. Waiting for a
	// throttled or paused integration counts as no attempt.
	MaxAttempts int
	MaxAge      time.Duration

	// ThrottlePause is how long an integration is left alone when the vendor
	// wants no more calls and does not say for how long.
	ThrottlePause time.Duration

	// RecheckHeld is when a ticket that waits for a company, or for credentials
	// that work, is looked at again should nobody wake it.
	RecheckHeld time.Duration

	// Lanes is how many workers an organization may have at an integration at a
	// time. A worker takes up to TurnTickets of its tickets, and begins none after
	// TurnTime, before it queues up again behind everybody else.
	Lanes       int
	TurnTickets int
	TurnTime    time.Duration

	// Sweep is how often due tickets are looked for, and SweepBatch how many
	// organizations or integrations are read at a time.
	Sweep      time.Duration
	SweepBatch int

	// Verify is how often a paused integration's credentials are tried.
	Verify time.Duration

	// Scan is how often duplicates are looked for, among the tickets of the
	// last ScanWindow that were sent more than once.
	Scan       time.Duration
	ScanWindow time.Duration

	// TwoWay is how the vendor's side is followed.
	TwoWay TwoWay
}

// DefaultConfig suits production.
func DefaultConfig() Config {
	return Config{
		Lease:         3 * time.Minute,
		CallTimeout:   90 * time.Second,
		LookupPauses:  []time.Duration{5 * time.Second, 30 * time.Second},
		TrialPauses:   []time.Duration{time.Second, 3 * time.Second, 6 * time.Second},
		Backoff:       5 * time.Second,
		MaxBackoff:    30 * time.Minute,
		MaxAttempts:   20,
		MaxAge:        24 * time.Hour,
		ThrottlePause: time.Minute,
		RecheckHeld:   15 * time.Minute,
		Lanes:         2,
		TurnTickets:   20,
		TurnTime:      10 * time.Second,
		Sweep:         5 * time.Second,
		SweepBatch:    200,
		Verify:        5 * time.Minute,
		Scan:          30 * time.Minute,
		ScanWindow:    24 * time.Hour,
		TwoWay:        defaultTwoWay(),
	}
}

// Validate reports the first setting that cannot work.
func (c Config) Validate() error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"lease", c.Lease}, {"call timeout", c.CallTimeout}, {"backoff", c.Backoff}, {"maximal backoff", c.MaxBackoff},
		{"maximal age", c.MaxAge}, {"throttle pause", c.ThrottlePause}, {"recheck of held tickets", c.RecheckHeld},
		{"turn", c.TurnTime}, {"sweep", c.Sweep}, {"verify", c.Verify}, {"scan", c.Scan}, {"scan window", c.ScanWindow},
	} {
		if d.value <= 0 {
			return fmt.Errorf("ticket: %s must be positive", d.name)
		}
	}
	for _, pause := range slices.Concat(c.LookupPauses, c.TrialPauses) {
		if pause <= 0 {
			return errors.New("ticket: a pause between look-ups must be positive")
		}
	}
	switch {
	case c.Lease <= c.CallTimeout:
		return errors.New("ticket: the lease must exceed the call timeout")
	case len(c.LookupPauses) == 0:
		return errors.New("ticket: without a pause between look-ups, a search that lags makes a second ticket")
	case c.MaxBackoff < c.Backoff:
		return errors.New("ticket: the maximal backoff is less than the first")
	case c.MaxAttempts < 1 || c.SweepBatch < 1 || c.Lanes < 1 || c.TurnTickets < 1:
		return errors.New("ticket: attempts, sweep batch, lanes and tickets of a turn must be positive")
	}
	return c.TwoWay.validate()
}
