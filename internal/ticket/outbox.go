package ticket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketalert"
	"github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/schema"
)

// batchPause is how long notes are collected where alerts come thick and fast:
// in a storm, and about a condition that flaps.
const batchPause = time.Minute

// Outbox writes down what alerts want of the service desk, in the transaction
// that changes the alert. It is the Ticketer of package alert.
//
// Locks are taken in one order: the alert's row or, for an alert that opens,
// the organization's; then tickets. So the events of one alert come one after
// another, one transaction at a time makes tickets in an organization, and the
// unique index on living groups is never run into.
type Outbox struct {
	client *ent.Client
	jobs   Enqueuer
	clock  func() time.Time
}

// NewOutbox returns an outbox, or what is missing.
func NewOutbox(db *database.DB, jobs Enqueuer, clock func() time.Time) (*Outbox, error) {
	if db == nil || jobs == nil || clock == nil {
		return nil, errors.New("ticket: an outbox needs a database, an enqueuer and a clock")
	}
	return &Outbox{client: db.Client(), jobs: jobs, clock: clock}, nil
}

func (o *Outbox) now() time.Time { return o.clock().UTC().Truncate(time.Microsecond) }

// Opened takes alerts of one type in one organization to tickets in every
// integration that is configured for it. The organization's row is locked.
func (o *Outbox) Opened(ctx context.Context, alerts ...*ent.Alert) error {
	if len(alerts) == 0 {
		return nil
	}
	wants, err := o.wants(ctx, alerts[0].OrganizationID, alerts[0].Type)
	if err != nil {
		return err
	}
	for _, a := range alerts {
		if err := o.opened(ctx, a, wants); err != nil {
			return err
		}
	}
	return nil
}

func (o *Outbox) opened(ctx context.Context, a *ent.Alert, wants []want) error {
	for _, w := range wants {
		if !w.automatic() {
			continue
		}
		d, err := o.decide(ctx, a, w, true)
		if err != nil {
			return err
		}
		switch {
		case d.fresh:
			_, err = o.open(ctx, a, w, d)
		case d.reopen:
			err = o.reopen(ctx, a, w, d.ticket)
		default:
			err = o.join(ctx, a, w, d.ticket)
		}
		if err != nil {
			return fmt.Errorf("take alert %s to a ticket: %w", a.ID, err)
		}
	}
	return nil
}

// open makes a group's next ticket. What it says is written when it is sent.
func (o *Outbox) open(ctx context.Context, a *ent.Alert, w want, d decision) (*ent.Ticket, error) {
	settled := o.settled(a, w.rules)
	at, err := o.when(ctx, a.OrganizationID, ticketdelivery.ActionCreate, settled)
	if err != nil {
		return nil, err
	}
	create := o.client.Ticket.Create().
		SetOrganizationID(a.OrganizationID).SetIntegrationID(w.integration.ID).SetAlertID(a.ID).
		SetGroupKey(d.group).SetEpoch(d.epoch()).SetStorm(d.storm).
		SetMarker(psa.Marker(a.OrganizationID, w.integration.ID, d.group, d.epoch())).
		SetNextAttemptAt(at).SetCreatedAt(o.now())
	if w.configuration.DueDays != nil {
		create.SetDueAt(a.FirstOccurredAt.AddDate(0, 0, *w.configuration.DueDays))
	}
	t, err := create.Save(ctx)
	if err != nil {
		return nil, err
	}
	if err := o.link(ctx, t, a, true); err != nil {
		return nil, err
	}
	l := &line{Outbox: o, ticket: t}
	if err := l.add(ctx, ticketdelivery.ActionCreate, schema.TicketContent{}, settled); err != nil {
		return nil, err
	}
	return t, o.kick(ctx, t, at)
}

// link says that a ticket is about an alert, which its text or a note names
// already, or else the next note is to.
func (o *Outbox) link(ctx context.Context, t *ent.Ticket, a *ent.Alert, noted bool) error {
	create := o.client.TicketAlert.Create().
		SetOrganizationID(t.OrganizationID).SetTicketID(t.ID).SetAlertID(a.ID).SetCreatedAt(o.now())
	if noted {
		create.SetNotedAt(o.now())
	}
	return create.Exec(ctx)
}

// reopen puts a ticket that is over back to work.
func (o *Outbox) reopen(ctx context.Context, a *ent.Alert, w want, t *ent.Ticket) error {
	t, err := t.Update().SetStatus(ticket.StatusPending).SetAttempts(0).ClearLastError().ClearNextAttemptAt().Save(ctx)
	if err != nil {
		return err
	}
	if err := o.link(ctx, t, a, true); err != nil {
		return err
	}
	l, err := o.line(ctx, t)
	if err != nil {
		return err
	}
	if _, err := l.drop(ctx, func(d *ent.TicketDelivery) bool { return d.State != ticketdelivery.StateAttempting }); err != nil {
		return err
	}
	if err := l.add(ctx, ticketdelivery.ActionReopen, recurred(a), o.settled(a, w.rules)); err != nil {
		return err
	}
	return l.plan(ctx)
}

func recurred(a *ent.Alert) schema.TicketContent {
	return schema.TicketContent{Title: "Occurred again", Body: reported(a)}
}

// join adds an alert to a living ticket. If the ticket was about to be closed,
// it is not; if it is being closed this moment, it is reopened after that.
func (o *Outbox) join(ctx context.Context, a *ent.Alert, w want, t *ent.Ticket) error {
	l, err := o.line(ctx, t)
	if err != nil {
		return err
	}
	if err := l.keepOpen(ctx); err != nil {
		return err
	}
	if l.has(ticketdelivery.ActionClose) != nil && l.has(ticketdelivery.ActionReopen) == nil {
		if err := o.link(ctx, t, a, true); err != nil {
			return err
		}
		if err := l.add(ctx, ticketdelivery.ActionReopen, recurred(a), nil); err != nil {
			return err
		}
		return l.plan(ctx)
	}
	if err := o.link(ctx, t, a, false); err != nil {
		return err
	}
	return l.changed(ctx, a, w.rules)
}

// keepOpen drops what would close the ticket, unless it is under way.
func (l *line) keepOpen(ctx context.Context) error {
	stuck := l.ticket.Status == ticket.StatusBlocked || l.ticket.Status == ticket.StatusFailed
	dropped, err := l.drop(ctx, func(d *ent.TicketDelivery) bool {
		return d.Action == ticketdelivery.ActionClose &&
			(d.State == ticketdelivery.StatePending || d.State == ticketdelivery.StateBlocked || d.State == ticketdelivery.StateDead)
	})
	if err != nil || dropped == 0 || !stuck || l.ticket.ExternalID == "" {
		return err
	}
	l.ticket, err = l.ticket.Update().SetStatus(ticket.StatusCreated).ClearLastError().SetAttempts(0).Save(ctx)
	return err
}

// changed has a note say what has become of the alerts that no note names yet:
// at once, or with others a little later where they come thick and fast.
func (l *line) changed(ctx context.Context, a *ent.Alert, rules schema.TicketRules) error {
	for _, d := range l.left {
		if unwritten(d) {
			return l.plan(ctx)
		}
	}
	batch := l.ticket.Storm
	if !batch {
		var err error
		if batch, err = l.flapping(ctx, a, rules); err != nil {
			return err
		}
	}
	var notBefore *time.Time
	if batch {
		notBefore = new(l.now().Add(batchPause))
	}
	if err := l.add(ctx, ticketdelivery.ActionNote, schema.TicketContent{}, notBefore); err != nil {
		return err
	}
	return l.plan(ctx)
}

// Worsened wants a note on the tickets of an alert whose severity rose.
func (o *Outbox) Worsened(ctx context.Context, a *ent.Alert) error {
	return o.each(ctx, a, func(l *line) error {
		if l.ticket.Storm {
			return l.renote(ctx, a)
		}
		content := schema.TicketContent{
			Title: "More severe",
			Body: fmt.Sprintf("The severity of %q is now %s. The condition has occurred %d times, last at %s.",
				a.Title, a.Severity, a.OccurrenceCount, stamp(a.LastOccurredAt)),
		}
		if err := l.add(ctx, ticketdelivery.ActionNote, content, nil); err != nil {
			return err
		}
		return l.plan(ctx)
	})
}

// renote has the next note name an alert again.
func (l *line) renote(ctx context.Context, a *ent.Alert) error {
	err := l.client.TicketAlert.Update().Where(ticketalert.TicketID(l.ticket.ID), ticketalert.AlertID(a.ID)).ClearNotedAt().Exec(ctx)
	if err != nil {
		return err
	}
	rules, err := l.rules(ctx, a)
	if err != nil {
		return err
	}
	return l.changed(ctx, a, rules)
}

// rules are those of the ticket's integration for an alert.
func (l *line) rules(ctx context.Context, a *ent.Alert) (schema.TicketRules, error) {
	i, err := l.client.TicketingIntegration.Get(ctx, l.ticket.IntegrationID)
	if err != nil {
		return schema.TicketRules{}, err
	}
	w, _, err := l.wantOf(ctx, i, a.OrganizationID, a.Type)
	return w.rules, err
}

// Ended takes an alert off its tickets. One whose alerts are all over is closed;
// one that the vendor certainly does not have is cancelled, and nothing is sent.
func (o *Outbox) Ended(ctx context.Context, a *ent.Alert, by string) error {
	err := o.each(ctx, a, func(l *line) error {
		err := o.client.TicketAlert.Update().Where(ticketalert.TicketID(l.ticket.ID), ticketalert.AlertID(a.ID)).
			SetEndedAt(o.now()).Exec(ctx)
		if err != nil {
			return err
		}
		others, err := o.client.TicketAlert.Query().
			Where(ticketalert.TicketID(l.ticket.ID), ticketalert.EndedAtIsNil()).Exist(ctx)
		if err != nil {
			return err
		}
		if others {
			return l.renote(ctx, a)
		}
		return l.over(ctx, a, by)
	})
	if err != nil {
		return err
	}
	return o.client.TicketAlert.Update().Where(ticketalert.AlertID(a.ID), ticketalert.EndedAtIsNil()).SetEndedAt(o.now()).Exec(ctx)
}

// over ends a ticket whose alerts are all over.
func (l *line) over(ctx context.Context, a *ent.Alert, by string) error {
	if unsent, err := l.cancel(ctx, l.ticket, "the alert was resolved before the ticket was sent"); err != nil || unsent {
		return err
	}
	if asleep, err := l.unreopen(ctx); err != nil || asleep {
		return err
	}
	rules, err := l.rules(ctx, a)
	if err != nil {
		return err
	}
	content := schema.TicketContent{Title: "Resolved", Body: fmt.Sprintf("The alert was resolved by %s at %s.", by, stamp(l.now()))}
	if a.Remark != "" {
		content.Body += "\n\n" + a.Remark
	}
	action := ticketdelivery.ActionClose
	if *rules.Recovery == RecoveryNote {
		action = ticketdelivery.ActionNote
	}
	flaps, err := l.flapping(ctx, a, rules)
	if err != nil {
		return err
	}
	var notBefore *time.Time
	if flaps && action == ticketdelivery.ActionClose {
		notBefore = new(l.now().Add(minutes(*rules.FlapMinutes)))
	} else if err := l.hasten(ctx); err != nil {
		return err
	}
	if err := l.add(ctx, action, content, notBefore); err != nil {
		return err
	}
	return l.plan(ctx)
}

// unreopen leaves a ticket closed whose reopening was never tried. It reports
// false if there is none such, or more to do: as long as the ticket is open at
// the vendor, whoever works on it is told of what came and went.
func (l *line) unreopen(ctx context.Context) (bool, error) {
	reopening := l.has(ticketdelivery.ActionReopen)
	if reopening == nil || reopening.Attempts > 0 {
		return false, nil
	}
	closed := l.ticket.ClosedAt != nil
	lone := l.left[len(l.left)-1] == reopening
	if !closed && (l.has(ticketdelivery.ActionClose) == nil || !lone) {
		return false, nil
	}
	_, err := l.drop(ctx, func(d *ent.TicketDelivery) bool { return d.Sequence >= reopening.Sequence })
	if err != nil || !closed { // it is being closed this moment
		return err == nil, err
	}
	return true, l.client.Ticket.UpdateOneID(l.ticket.ID).SetStatus(ticket.StatusClosed).ClearNextAttemptAt().Exec(ctx)
}

// each does something with every living ticket of an alert, locked, in the
// order in which they are locked everywhere.
func (o *Outbox) each(ctx context.Context, a *ent.Alert, do func(*line) error) error {
	links, err := o.client.TicketAlert.Query().Where(ticketalert.AlertID(a.ID)).All(ctx)
	if err != nil || len(links) == 0 {
		return err
	}
	ids := make([]string, len(links))
	for i, link := range links {
		ids[i] = link.TicketID
	}
	tickets, err := o.client.Ticket.Query().
		Where(ticket.IDIn(ids...), ticket.StatusNotIn(ticket.StatusClosed, ticket.StatusCancelled)).
		Order(ticket.ByIntegrationID(), ticket.ByID()).Modify(database.ForUpdate).All(ctx)
	if err != nil {
		return err
	}
	for _, t := range tickets {
		l, err := o.line(ctx, t)
		if err != nil {
			return err
		}
		if err := do(l); err != nil {
			return err
		}
	}
	return nil
}

// cancel gives a ticket up that the vendor certainly does not have: it was not
// sent, or was refused. It reports false if the vendor has it, or may.
func (o *Outbox) cancel(ctx context.Context, t *ent.Ticket, reason string) (bool, error) {
	// The row decides, should a worker begin to send it this moment.
	unsent, err := o.client.TicketDelivery.Update().
		Where(ticketdelivery.TicketID(t.ID), ticketdelivery.ActionEQ(ticketdelivery.ActionCreate),
			ticketdelivery.StateIn(ticketdelivery.StatePending, ticketdelivery.StateBlocked)).
		SetState(ticketdelivery.StateCancelled).Save(ctx)
	if err != nil || unsent == 0 {
		return false, err
	}
	err = o.client.TicketDelivery.Update().
		Where(ticketdelivery.TicketID(t.ID), ticketdelivery.StateNEQ(ticketdelivery.StateDone)).
		SetState(ticketdelivery.StateCancelled).Exec(ctx)
	if err != nil {
		return false, err
	}
	return true, o.client.Ticket.UpdateOneID(t.ID).
		SetStatus(ticket.StatusCancelled).SetLastError(reason).ClearNextAttemptAt().Exec(ctx)
}
