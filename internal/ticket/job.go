package ticket

import (
	"context"
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/job"
)

// deliverQueue keeps slow vendors out of the way of other work.
const deliverQueue = "ticket"

// kickTimeout bounds enqueueing a lane once its tickets are written down.
const kickTimeout = 10 * time.Second

// Lane is the job that takes an organization's due tickets to an integration,
// for a turn: then it queues up again, behind the lanes of others. So an
// organization with many tickets delays nobody. Lane 1 is the first; it calls
// for further ones, up to [Config.Lanes], when there is work for them.
type Lane struct {
	job.Tenant
	Integration string `json:"integration"`
	Number      int    `json:"number"` // from 1
}

// Kind implements job.Args.
func (Lane) Kind() string { return "ticket.lane" }

// laneOf is the first lane that a ticket is delivered in.
func laneOf(t *ent.Ticket) Lane {
	return Lane{
		Tenant:      job.Tenant{Provider: t.ProviderID, Organization: t.OrganizationID},
		Integration: t.IntegrationID, Number: 1,
	}
}

// Enqueuer keeps jobs.
type Enqueuer interface {
	// Enqueue has a job worked, in the context's transaction if there is one.
	Enqueue(ctx context.Context, args job.Args, o job.EnqueueOptions) error
}

// enqueue has a lane worked at a time, unless it waits for just that already.
func enqueue(ctx context.Context, jobs Enqueuer, l Lane, at, now time.Time) error {
	o := job.EnqueueOptions{UniqueKey: fmt.Sprintf("%s|%d", l.Integration, l.Number)}
	if at.After(now) {
		// By the second, so that ten thousand tickets to be tried again make few
		// jobs; and rather late, so that they are due then.
		o.At = at.Add(time.Second - 1).Truncate(time.Second)
		o.UniqueKey += fmt.Sprintf("|%d", o.At.Unix())
	}
	return jobs.Enqueue(ctx, l, o)
}

// kick has a ticket's lane worked at a time, once the ticket is committed: a
// lane's job is shared by many transactions, which would wait for each other if
// it were in them. It only hastens: the ticket's row is found by the sweep
// anyway, so an error is of no consequence.
func (o *Outbox) kick(ctx context.Context, t *ent.Ticket, at time.Time) error {
	lane := laneOf(t)
	database.AfterCommit(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(database.Detached(ctx)), kickTimeout)
		defer cancel()
		_ = enqueue(ctx, o.jobs, lane, at, o.now())
	})
	return nil
}

// Register has the queue deliver tickets, and do what is done periodically.
func (s *Service) Register(q *job.Queue) error {
	turn := func(ctx context.Context, t job.Task[Lane]) error {
		return s.Turn(job.TenantContext(ctx, t.Args.Tenant, "ticketing"), t.Args)
	}
	// What fails is due again by its row: the job need not be repeated.
	options := job.Options{
		Queue: deliverQueue, MaxAttempts: 1, Timeout: s.config.TurnTime + 2*s.config.Lease, UniqueWhileWaiting: true,
	}
	if err := job.Register(q, turn, options); err != nil {
		return err
	}
	if err := s.registerTwoWay(q); err != nil {
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
		{"ticket.limit", time.Hour, s.limiter.Forget},
		{"ticket.prune", pruneErrors, s.Prune},
	} {
		if err := q.Every(periodic.name, periodic.every, 0, periodic.run); err != nil {
			return err
		}
	}
	return nil
}
