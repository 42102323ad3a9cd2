package ticket

import (
	"context"
	"slices"
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
	t := &turn{Service: s, lane: l, integration: i, gate: s.gate(i), begun: s.now()}
	wait, err := t.gate.Wait(ctx)
	if err != nil {
		return err
	}
	if wait > 0 {
		return t.again(ctx, s.now().Add(wait))
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
		if goesOn, err := t.serve(ctx, due); err != nil || !goesOn {
			return err
		}
		if t.served == served {
			break // others have the rest
		}
	}
	return t.requeue(ctx)
}

// over reports whether others are to have their turn.
func (t *turn) over() bool {
	return t.served >= t.config.TurnTickets || t.now().Sub(t.begun) >= t.config.TurnTime
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

// serve delivers tickets until the turn is over, and reports whether the lane
// can go on: not where the vendor takes no more calls.
func (t *turn) serve(ctx context.Context, ids []string) (goesOn bool, err error) {
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if t.over() {
			return true, nil
		}
		h, err := t.claim(ctx, id)
		if err != nil {
			return false, err
		}
		if h == nil {
			continue
		}
		t.served++
		h.integration, h.gate, h.vendor = t.integration, t.gate, t.vendor
		if err := h.deliver(ctx); err != nil {
			return false, err
		}
		t.vendor = h.vendor
		switch {
		case h.refused:
			return false, nil
		case !h.throttledUntil.IsZero():
			return false, t.again(ctx, h.throttledUntil)
		}
	}
	return true, nil
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
