package ordeal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	entticket "github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/testkit/mortal"
	"github.com/bailiwick/bailiwick/internal/testkit/replica"
	"github.com/bailiwick/bailiwick/internal/ticket"
)

// waiting are a tenant's tickets with something to deliver.
func (s *site) waiting(t *tenant) ([]*ent.Ticket, error) {
	return s.front.DB.Client().Ticket.Query().Where(entticket.NextAttemptAtNotNil()).All(t.all)
}

func (s *site) paused(t *tenant) (bool, error) {
	i, err := s.front.DB.Client().TicketingIntegration.Get(t.all, t.integration)
	return err == nil && i.Status == ticketingintegration.StatusPaused, err
}

// maxRounds is more than any run takes to come to rest.
const maxRounds = 4000

// drive works until nothing waits, or the stop says so, and moves the clock to
// whatever is next.
func (s *site) drive(ctx context.Context, stop func() (bool, error)) error {
	for range maxRounds {
		if stop != nil {
			if done, err := stop(); err != nil || done {
				return err
			}
		}
		rested, err := s.round(ctx)
		if err != nil || rested {
			return err
		}
	}
	return s.restless()
}

// round has each worker take a turn that is due. Without any, it moves the
// clock. It reports whether nothing waits any more.
func (s *site) round(ctx context.Context) (rested bool, err error) {
	worked, err := s.turns(ctx)
	if err != nil || worked {
		return false, err
	}
	now := s.clock.Now()
	if now.Sub(s.swept) >= ticket.DefaultConfig().Sweep {
		s.swept = now
		if err := s.mortally(func(w *replica.Replica) error { return w.Tickets.Sweep(ctx) }); err != nil {
			return false, err
		}
		if first := s.queue.first(); !first.IsZero() && !first.After(now) {
			return false, nil
		}
	}
	next, rested, err := s.next()
	if err != nil || rested {
		return rested, err
	}
	s.clock.to(next)
	if every := ticket.DefaultConfig().Verify; s.clock.Now().Sub(s.verified) >= every {
		s.verified = s.clock.Now()
		return false, s.mortally(func(w *replica.Replica) error { return w.Tickets.VerifyPaused(ctx) })
	}
	return false, nil
}

// next is when there is something to do again.
func (s *site) next() (next time.Time, rested bool, err error) {
	now, rested := s.clock.Now(), true
	soonest := func(at time.Time) {
		if at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for _, t := range s.tenants {
		waiting, err := s.waiting(t)
		if err != nil {
			return next, false, err
		}
		paused, err := s.paused(t)
		if err != nil {
			return next, false, err
		}
		rested = rested && len(waiting) == 0
		if paused {
			soonest(s.verified.Add(ticket.DefaultConfig().Verify))
			continue
		}
		for _, one := range waiting {
			at := *one.NextAttemptAt
			if one.LeaseUntil != nil && one.LeaseUntil.After(at) {
				at = *one.LeaseUntil
			}
			soonest(at)
		}
	}
	soonest(s.queue.first())
	if next.IsZero() { // what is due waits for a limit, or for a clock that is late
		next = now.Add(ticket.DefaultConfig().Sweep)
	}
	return next, rested, nil
}

// turns has the workers take the lanes that are due: both take the same one if
// there is but one. It reports whether there was any.
func (s *site) turns(ctx context.Context) (bool, error) {
	if len(s.workers) == 0 { // they are other processes
		return false, nil
	}
	lane, due := s.queue.next()
	if !due {
		return false, nil
	}
	var group sync.WaitGroup
	errs := make([]error, len(s.workers))
	for n, w := range s.workers {
		mine := lane
		if n > 0 {
			if other, more := s.queue.next(); more {
				mine = other
			}
		}
		group.Go(func() {
			mortal.Survive(func() { errs[n] = w.Tickets.Turn(job.TenantContext(ctx, mine.Tenant, "ticketing"), mine) })
		})
	}
	group.Wait()
	return true, errors.Join(errs...)
}

// mortally has one of the workers do something, who may not live to its end.
func (s *site) mortally(do func(*replica.Replica) error) (err error) {
	mortal.Survive(func() { err = do(s.workers[s.random.IntN(len(s.workers))]) })
	return err
}

// restless says what still waits.
func (s *site) restless() error {
	errs := []error{errors.New("the tickets never come to rest")}
	for _, t := range s.tenants {
		waiting, err := s.waiting(t)
		errs = append(errs, err)
		for _, one := range waiting[:min(len(waiting), 3)] {
			errs = append(errs, fmt.Errorf("%s %s is %s after %d attempts, due %s from now: %s",
				one.ID, one.GroupKey, one.Status, one.Attempts, one.NextAttemptAt.Sub(s.clock.Now()), one.LastError))
		}
	}
	return errors.Join(errs...)
}
