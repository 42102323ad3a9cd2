package ticket

import (
	"context"
	"slices"
	"sync"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/predicate"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/internal/ticket/limit"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// turn is a lane at work.
type turn struct {
	*Service
	lane        Lane
	integration *ent.TicketingIntegration
	gate        *limit.Gate
	vendor      psa.Vendor // nil until the first ticket has opened it
	begun       time.Time
	served      int

	throttledUntil time.Time
	refused        bool // the credentials
}

// Turn takes an organization's due tickets at an integration to the vendor, one
// after the other, for as many and as long as a turn may have, and has the lane
// queue up again if there are more. Where the vendor's limits leave no call, or
// its credentials are refused, it leaves all of them as they are. The scope
// reaches the organization.
func (s *Service) Turn(ctx context.Context, l Lane) error {
	i, err := s.client.TicketingIntegration.Get(ctx, l.Integration)
	if ent.IsNotFound(err) || (err == nil && i.Status == ticketingintegration.StatusPaused) {
		return nil // who resumes it makes its tickets due, and the sweep finds them
	}
	if err != nil {
		return err
	}
	if !s.lanes.enter(l, s.config.Lanes) {
		return nil // those at work see what is due when they end
	}
	t := &turn{Service: s, lane: l, integration: i, gate: s.gate(i), begun: s.now()}
	err = func() error {
		defer s.lanes.leave(l) // also in a panic, which the queue survives
		return t.work(ctx)
	}()
	switch {
	case err != nil || t.refused:
		return err
	case !t.throttledUntil.IsZero():
		return t.again(ctx, t.throttledUntil)
	}
	return t.requeue(ctx)
}

// lanes counts the workers that each organization has at each integration, in
// this process. Jobs alone do not bound them: one that was put off may become
// due while another is at work.
type lanes struct {
	mu      sync.Mutex
	workers map[string]int
}

func (l *lanes) enter(lane Lane, most int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := lane.Organization + "|" + lane.Integration
	if l.workers[key] >= most {
		return false
	}
	if l.workers == nil {
		l.workers = map[string]int{}
	}
	l.workers[key]++
	return true
}

func (l *lanes) leave(lane Lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := lane.Organization + "|" + lane.Integration
	if l.workers[key]--; l.workers[key] == 0 {
		delete(l.workers, key)
	}
}

// work delivers until the turn is over, nothing is due, or the vendor takes no
// more calls.
func (t *turn) work(ctx context.Context) error {
	wait, err := t.gate.Wait(ctx)
	if err != nil {
		return err
	}
	if wait > 0 {
		t.throttledUntil = t.now().Add(wait)
	}
	for !t.over() {
		due, err := t.due(ctx)
		if err != nil {
			return err
		}
		if err := t.call(ctx, len(due)); err != nil {
			return err
		}
		served := t.served
		if err := t.serve(ctx, due); err != nil {
			return err
		}
		if t.served == served {
			return nil // others have the rest
		}
	}
	return nil
}

// over reports whether others are to have their turn.
func (t *turn) over() bool {
	return t.refused || !t.throttledUntil.IsZero() || t.served >= t.config.TurnTickets || t.now().Sub(t.begun) >= t.config.TurnTime
}

// ripe are the tickets that are due at a time and that nobody holds.
func ripe(now time.Time) predicate.Ticket {
	return ticket.And(ticket.NextAttemptAtLTE(now), free(now))
}

func free(now time.Time) predicate.Ticket {
	return ticket.Or(ticket.LeaseUntilIsNil(), ticket.LeaseUntilLTE(now))
}

// mine are the lane's tickets, with or without anything to deliver.
func (l Lane) mine() predicate.Ticket {
	return ticket.And(ticket.OrganizationID(l.Organization), ticket.IntegrationID(l.Integration))
}

// due are the lane's next tickets. Lanes that work side by side begin at
// different places, so that they seldom reach for the same ticket.
func (t *turn) due(ctx context.Context) ([]string, error) {
	ids, err := t.client.Ticket.Query().Where(t.lane.mine(), ripe(t.now())).
		Order(ticket.ByNextAttemptAt()).Limit(t.config.TurnTickets).IDs(ctx)
	if err != nil {
		return nil, err
	}
	first := (t.lane.Number - 1) % t.config.Lanes * len(ids) / t.config.Lanes
	return slices.Concat(ids[first:], ids[:first]), nil
}

// call has further lanes worked if so many tickets are due.
func (t *turn) call(ctx context.Context, due int) error {
	if t.lane.Number > 1 || t.served > 0 {
		return nil
	}
	for number := 2; number <= min(t.config.Lanes, due); number++ {
		another := t.lane
		another.Number = number
		if err := enqueue(ctx, t.outbox.jobs, another, t.now(), t.now()); err != nil {
			return err
		}
	}
	return nil
}

// serve delivers tickets until the turn is over.
func (t *turn) serve(ctx context.Context, ids []string) error {
	for _, id := range ids {
		if err := ctx.Err(); err != nil || t.over() {
			return err
		}
		h, err := t.claim(ctx, id)
		if err != nil {
			return err
		}
		if h == nil {
			continue
		}
		t.served++
		h.integration, h.gate, h.vendor = t.integration, t.gate, t.vendor
		if err := h.deliver(ctx); err != nil {
			return err
		}
		t.vendor, t.refused, t.throttledUntil = h.vendor, h.refused, h.throttledUntil
	}
	return nil
}

// requeue has the lane worked again when its next ticket is due.
func (t *turn) requeue(ctx context.Context) error {
	now := t.now()
	next, err := t.client.Ticket.Query().
		Where(t.lane.mine(), ticket.NextAttemptAtNotNil(), free(now)).
		Order(ticket.ByNextAttemptAt(sql.OrderAsc())).First(ctx)
	if ent.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if t.lane.Number > 1 && next.NextAttemptAt.After(now) {
		return nil // the first lane will call
	}
	return t.again(ctx, *next.NextAttemptAt)
}

// again has the lane worked at a time, behind those that wait.
func (t *turn) again(ctx context.Context, at time.Time) error {
	return enqueue(ctx, t.outbox.jobs, t.lane, at, t.now())
}
