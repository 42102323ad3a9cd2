package ticket

import (
	"context"
	"fmt"
	"slices"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/predicate"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/schema"
)

// line is a ticket that the transaction has locked, or made, with what is left
// to do for it, in order.
type line struct {
	*Outbox
	ticket *ent.Ticket
	left   []*ent.TicketDelivery
	idle   bool // the ticket waits for a time that was set, and not after a failure
}

// left keeps the deliveries that still are to be done. A note that was given up
// is left out: what follows it goes on.
func left() predicate.TicketDelivery {
	return ticketdelivery.And(
		ticketdelivery.StateNotIn(ticketdelivery.StateDone, ticketdelivery.StateCancelled),
		ticketdelivery.Or(ticketdelivery.ActionNEQ(ticketdelivery.ActionNote), ticketdelivery.StateNEQ(ticketdelivery.StateDead)),
	)
}

// line reads what is left to do for a locked ticket.
func (o *Outbox) line(ctx context.Context, t *ent.Ticket) (*line, error) {
	l := &line{Outbox: o, ticket: t}
	var err error
	l.left, err = o.client.TicketDelivery.Query().Where(ticketdelivery.TicketID(t.ID), left()).
		Order(ticketdelivery.BySequence()).All(ctx)
	if err != nil {
		return nil, err
	}
	if len(l.left) > 0 && t.NextAttemptAt != nil {
		head := l.left[0]
		l.idle = head.State == ticketdelivery.StatePending && head.NotBefore != nil && head.NotBefore.Equal(*t.NextAttemptAt)
	}
	return l, nil
}

// has finds a delivery of an action that is left.
func (l *line) has(action ticketdelivery.Action) *ent.TicketDelivery {
	for _, d := range l.left {
		if d.Action == action {
			return d
		}
	}
	return nil
}

// add appends a delivery. A blocked or failed ticket keeps its state: the
// delivery waits in line.
func (l *line) add(ctx context.Context, action ticketdelivery.Action, content schema.TicketContent, notBefore *time.Time) error {
	last, err := l.client.TicketDelivery.Query().Where(ticketdelivery.TicketID(l.ticket.ID)).
		Order(ticketdelivery.BySequence(sql.OrderDesc())).First(ctx)
	if err != nil && !ent.IsNotFound(err) {
		return err
	}
	sequence := 1
	if last != nil {
		sequence = last.Sequence + 1
	}
	marker := l.ticket.Marker
	if action != ticketdelivery.ActionCreate {
		marker = psa.NoteMarker(marker, fmt.Sprintf("%s|%d", action, sequence))
	}
	d, err := l.client.TicketDelivery.Create().
		SetOrganizationID(l.ticket.OrganizationID).SetTicketID(l.ticket.ID).SetSequence(sequence).
		SetAction(action).SetMarker(marker).SetContent(content).SetNillableNotBefore(notBefore).
		SetCreatedAt(l.now()).Save(ctx)
	if err != nil {
		return err
	}
	l.left = append(l.left, d)
	return nil
}

// drop cancels deliveries that are left. The ticket is locked, so that no
// worker begins one meanwhile; what is under way is not to be dropped.
func (l *line) drop(ctx context.Context, which func(*ent.TicketDelivery) bool) (int, error) {
	var ids []string
	for _, d := range l.left {
		if which(d) {
			ids = append(ids, d.ID)
		}
	}
	if ids == nil {
		return 0, nil
	}
	l.left = slices.DeleteFunc(l.left, which)
	return l.client.TicketDelivery.Update().Where(ticketdelivery.IDIn(ids...)).
		SetState(ticketdelivery.StateCancelled).Save(ctx)
}

// hasten lifts the time that notes wait for.
func (l *line) hasten(ctx context.Context) error {
	for _, d := range l.left {
		if d.Action != ticketdelivery.ActionNote || d.NotBefore == nil {
			continue
		}
		if err := d.Update().ClearNotBefore().Exec(ctx); err != nil {
			return err
		}
		d.NotBefore = nil
	}
	return nil
}

// plan sets when the ticket is due, once its line has changed. A ticket that
// waits after a failure is not hastened.
func (l *line) plan(ctx context.Context) error {
	t := l.ticket
	if t.Status == ticket.StatusBlocked || t.Status == ticket.StatusFailed {
		return nil
	}
	if len(l.left) == 0 {
		if t.NextAttemptAt == nil {
			return nil
		}
		return l.client.Ticket.UpdateOneID(t.ID).ClearNextAttemptAt().Exec(ctx)
	}
	at, err := l.when(ctx, t.OrganizationID, l.left[0].Action, l.left[0].NotBefore)
	if err != nil || t.NextAttemptAt != nil && (!l.idle || at.Equal(*t.NextAttemptAt)) {
		return err
	}
	if err := l.client.Ticket.UpdateOneID(t.ID).SetNextAttemptAt(at).Exec(ctx); err != nil {
		return err
	}
	t.NextAttemptAt = &at
	return l.kick(ctx, t, at)
}

// when is the time of a delivery that is to be done at a time at the earliest;
// nil is now. What opens or reopens a ticket waits for the end of maintenance.
func (o *Outbox) when(ctx context.Context, organization string, action ticketdelivery.Action, notBefore *time.Time) (time.Time, error) {
	at := o.now()
	if notBefore != nil && notBefore.After(at) {
		at = *notBefore
	}
	if action != ticketdelivery.ActionCreate && action != ticketdelivery.ActionReopen {
		return at, nil
	}
	at, _, err := o.maintained(ctx, organization, at)
	return at, err
}
