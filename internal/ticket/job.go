package ticket

import (
	"context"
	"time"

	"github.com/bailiwick/bailiwick/internal/job"
)

// deliverQueue keeps slow vendors out of the way of other work.
const deliverQueue = "ticket"

// Delivery is the job that takes a ticket's waiting deliveries to the vendor.
type Delivery struct {
	job.Tenant
	Ticket string `json:"ticket"`
}

// Kind implements job.Args.
func (Delivery) Kind() string { return "ticket.deliver" }

// Enqueuer keeps jobs.
type Enqueuer interface {
	// Enqueue has a job worked, in the context's transaction if there is one.
	Enqueue(ctx context.Context, args job.Args, o job.EnqueueOptions) error
}

// Register has the queue deliver tickets, and do what is done periodically.
func (s *Service) Register(q *job.Queue) error {
	deliver := func(ctx context.Context, t job.Task[Delivery]) error {
		return s.Deliver(job.TenantContext(ctx, t.Args.Tenant, "ticketing"), t.Args.Ticket)
	}
	// What fails is due again by its row: the job need not be repeated.
	options := job.Options{Queue: deliverQueue, MaxAttempts: 1, Timeout: 2 * s.config.Lease}
	if err := job.Register(q, deliver, options); err != nil {
		return err
	}
	for _, periodic := range []struct {
		name  string
		every time.Duration
		run   func(context.Context) error
	}{
		{"ticket.sweep", s.config.Sweep, s.Sweep},
		{"ticket.verify", s.config.Verify, s.VerifyPaused},
		{"ticket.scan", s.config.Scan, s.Scan},
		{"ticket.prune", pruneErrors, s.Prune},
	} {
		if err := q.Every(periodic.name, periodic.every, 0, periodic.run); err != nil {
			return err
		}
	}
	return nil
}
