package ticket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/internal/job"
)

// TwoWay sets the pace at which the vendor's side is followed.
type TwoWay struct {
	// PublicURL is where vendors reach this deployment, without a path; empty
	// if they cannot.
	PublicURL string

	// Poll is how often an integration is asked what has changed, and
	// PollHooked how often where the vendor calls.
	Poll       time.Duration
	PollHooked time.Duration

	// PollOverlap is how far each poll goes back behind the last one: clocks
	// differ, and a change may be listed late.
	PollOverlap time.Duration

	// PollPages bounds one poll, and PollReach how far back it goes. Beyond
	// either, each living ticket is read instead.
	PollPages int
	PollReach time.Duration

	// ReadAfter is how long a living ticket may go unread, and Reconcile how
	// often such tickets are looked for, ReadBatch at a time.
	ReadAfter time.Duration
	Reconcile time.Duration
	ReadBatch int

	// EventAge is how old a vendor's call may be, and ReceiptAge how long it is
	// remembered, so that it is not heeded twice.
	EventAge   time.Duration
	ReceiptAge time.Duration
}

func defaultTwoWay() TwoWay {
	return TwoWay{
		Poll:        2 * time.Minute,
		PollHooked:  10 * time.Minute,
		PollOverlap: 10 * time.Minute,
		PollPages:   200,
		PollReach:   24 * time.Hour,
		ReadAfter:   24 * time.Hour,
		Reconcile:   10 * time.Minute,
		ReadBatch:   200,
		EventAge:    7 * 24 * time.Hour,
		ReceiptAge:  30 * 24 * time.Hour,
	}
}

// validate reports the first setting that cannot work.
func (c TwoWay) validate() error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"poll", c.Poll}, {"poll beside a webhook", c.PollHooked}, {"overlap of polls", c.PollOverlap}, {"reach of a poll", c.PollReach},
		{"reading of tickets", c.ReadAfter}, {"reconciliation", c.Reconcile}, {"age of events", c.EventAge}, {"age of receipts", c.ReceiptAge},
	} {
		if d.value <= 0 {
			return fmt.Errorf("ticket: %s must be positive", d.name)
		}
	}
	switch {
	case c.PollPages < 1 || c.ReadBatch < 1:
		return errors.New("ticket: pages of a poll and batch of readings must be positive")
	case c.ReceiptAge <= c.EventAge:
		return errors.New("ticket: an event that still counts would be forgotten, and heeded twice")
	}
	return nil
}

// registerTwoWay has the queue follow the vendors' side.
func (s *Service) registerTwoWay(q *job.Queue) error {
	reads := job.Options{Queue: readQueue, MaxAttempts: readAttempts, Timeout: 2 * s.config.CallTimeout}
	polls := job.Options{Queue: readQueue, MaxAttempts: 3, Timeout: 10 * s.config.CallTimeout}
	ends := job.Options{Queue: readQueue, MaxAttempts: farewellAttempts, Timeout: 2 * s.config.CallTimeout}
	err := errors.Join(
		job.Register(q, func(ctx context.Context, t job.Task[Reading]) error { return s.Read(ctx, t.Args) }, reads),
		job.Register(q, func(ctx context.Context, t job.Task[Polling]) error { return s.Poll(ctx, t.Args) }, polls),
		job.Register(q, func(ctx context.Context, t job.Task[Farewell]) error { return s.EndWebhook(ctx, t.Args) }, ends),
		job.Register(q, func(ctx context.Context, t job.Task[Settlement]) error {
			return s.Settle(job.TenantContext(ctx, t.Args.Tenant, "ticketing"), t.Args.Ticket)
		}, job.Options{}),
	)
	for _, periodic := range []struct {
		name  string
		every time.Duration
		run   func(context.Context) error
	}{
		{"ticket.poll-due", pollTick, s.PollDue},
		{"ticket.reconcile", s.config.TwoWay.Reconcile, s.Reconcile},
		{"ticket.forget-receipts", time.Hour, s.ForgetReceipts},
	} {
		err = errors.Join(err, q.Every(periodic.name, periodic.every, periodic.every/20, periodic.run))
	}
	return err
}
