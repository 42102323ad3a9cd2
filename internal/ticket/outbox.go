package ticket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/ent/ticketingalertconfiguration"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/schema"
)

// Outbox writes down what alerts want of the service desk, in the transaction
// that changes the alert. The alert's row is locked by it, so that the events
// of one alert come one after another. It is the Ticketer of package alert.
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

// Opened wants a ticket in every integration that is configured for the
// alert's type.
func (o *Outbox) Opened(ctx context.Context, a *ent.Alert) error {
	configured, err := applying(ctx, o.client, a.OrganizationID, a.Type,
		ticketingalertconfiguration.HasIntegrationWith(ticketingintegration.AutomaticTicketing(true)))
	configured = slices.DeleteFunc(configured, func(c *ent.TicketingAlertConfiguration) bool { return !c.ShouldCreateTickets })
	if err != nil || len(configured) == 0 {
		return err
	}
	content, err := o.describe(ctx, a)
	if err != nil {
		return err
	}
	for _, c := range configured {
		if err := o.want(ctx, a, c, content); err != nil {
			return err
		}
	}
	return nil
}

func (o *Outbox) want(ctx context.Context, a *ent.Alert, c *ent.TicketingAlertConfiguration, content schema.TicketContent) error {
	marker := psa.Marker(a.OrganizationID, c.IntegrationID, a.Type+"|"+a.DedupeKey, a.Incident)
	create := o.client.Ticket.Create().
		SetOrganizationID(a.OrganizationID).SetIntegrationID(c.IntegrationID).SetAlertID(a.ID).SetMarker(marker).
		SetGroupKey(fmt.Sprintf("alert|%s|%s|%d", a.Type, a.DedupeKey, a.Incident)).
		SetNextAttemptAt(o.now())
	if c.DueDays != nil {
		create.SetDueAt(a.FirstOccurredAt.AddDate(0, 0, *c.DueDays))
	}
	t, err := create.Save(ctx)
	if err != nil {
		return fmt.Errorf("want a ticket for alert %s: %w", a.ID, err)
	}
	return o.add(ctx, t, ticketdelivery.ActionCreate, marker, content)
}

// Worsened wants a note on the tickets of an alert whose severity rose.
func (o *Outbox) Worsened(ctx context.Context, a *ent.Alert) error {
	tickets, err := o.living(ctx, a)
	if err != nil {
		return err
	}
	content := schema.TicketContent{
		Title: "More severe",
		Body:  fmt.Sprintf("The severity is now %s. The condition has occurred %d times, last at %s.", a.Severity, a.OccurrenceCount, stamp(a.LastOccurredAt)),
	}
	for _, t := range tickets {
		marker := psa.NoteMarker(t.Marker, "severity|"+string(a.Severity))
		if err := o.add(ctx, t, ticketdelivery.ActionNote, marker, content); err != nil {
			return err
		}
	}
	return nil
}

// Ended has the tickets of an alert closed. One that the vendor certainly does
// not have is cancelled, and nothing is sent.
func (o *Outbox) Ended(ctx context.Context, a *ent.Alert, by string) error {
	tickets, err := o.living(ctx, a)
	if err != nil {
		return err
	}
	content := schema.TicketContent{Title: "Resolved", Body: fmt.Sprintf("The alert was resolved by %s at %s.", by, stamp(o.now()))}
	if a.Remark != "" {
		content.Body += "\n\n" + a.Remark
	}
	for _, t := range tickets {
		unsent, err := o.cancel(ctx, t, "the alert was resolved before the ticket was sent")
		if err != nil {
			return err
		}
		if unsent {
			continue
		}
		if err := o.add(ctx, t, ticketdelivery.ActionClose, psa.NoteMarker(t.Marker, "close"), content); err != nil {
			return err
		}
	}
	return nil
}

// living are an alert's tickets that are not over, each locked so that no
// worker concludes that nothing is left to do.
func (o *Outbox) living(ctx context.Context, a *ent.Alert) ([]*ent.Ticket, error) {
	return o.client.Ticket.Query().
		Where(ticket.AlertID(a.ID), ticket.StatusNotIn(ticket.StatusClosed, ticket.StatusCancelled)).
		Order(ticket.ByID()).Modify(forUpdate).All(ctx)
}

func forUpdate(q *sql.Selector) {
	if q.Dialect() == dialect.Postgres {
		q.ForUpdate()
	}
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

// add appends a delivery to a locked or new ticket. A blocked or failed ticket
// keeps its state: the delivery waits in line.
func (o *Outbox) add(ctx context.Context, t *ent.Ticket, action ticketdelivery.Action, marker string, content schema.TicketContent) error {
	last, err := o.client.TicketDelivery.Query().Where(ticketdelivery.TicketID(t.ID)).
		Order(ticketdelivery.BySequence(sql.OrderDesc())).First(ctx)
	if err != nil && !ent.IsNotFound(err) {
		return err
	}
	sequence := 1
	if last != nil {
		sequence = last.Sequence + 1
	}
	err = o.client.TicketDelivery.Create().
		SetOrganizationID(t.OrganizationID).SetTicketID(t.ID).SetSequence(sequence).
		SetAction(action).SetMarker(marker).SetContent(content).Exec(ctx)
	if err != nil {
		return err
	}
	if t.Status != ticket.StatusPending && t.Status != ticket.StatusCreated {
		return nil
	}
	// A ticket that waits for its next attempt is not hastened by a note.
	if t.NextAttemptAt == nil {
		now := o.now()
		if err := o.client.Ticket.UpdateOneID(t.ID).SetNextAttemptAt(now).Exec(ctx); err != nil {
			return err
		}
		t.NextAttemptAt = &now
	}
	return o.kick(ctx, t, *t.NextAttemptAt)
}

// describe is what a new ticket says.
func (o *Outbox) describe(ctx context.Context, a *ent.Alert) (schema.TicketContent, error) {
	organization, err := a.QueryOrganization().Only(ctx)
	if err != nil {
		return schema.TicketContent{}, err
	}
	var body strings.Builder
	if a.Description != "" {
		body.WriteString(a.Description + "\n\n")
	}
	for _, line := range []struct{ name, value string }{
		{"Organization", organization.Name}, {"About", a.SourceName}, {"Severity", string(a.Severity)}, {"Type", a.Type}, {"First occurred", stamp(a.FirstOccurredAt)},
		{"Reference", a.Reference}, {"Alert", a.ID},
	} {
		if line.value != "" {
			body.WriteString(line.name + ": " + line.value + "\n")
		}
	}
	return schema.TicketContent{Title: a.Title, Body: strings.TrimSpace(body.String())}, nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
