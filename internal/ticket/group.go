package ticket

import (
	"context"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/alert"
	"github.com/bailiwick/bailiwick/ent/organization"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketalert"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/schema"
)

// stormGroup is the group of the ticket that a storm's alerts share.
const stormGroup = "storm"

// groupOf names what shares a ticket with an alert. An alert without the device
// or user that it would be grouped by is a group of its own condition.
func groupOf(a *ent.Alert, rules schema.TicketRules) string {
	switch *rules.Grouping {
	case GroupByDevice:
		if a.DeviceID != nil {
			return "device|" + *a.DeviceID
		}
	case GroupByUser:
		if a.UserID != nil {
			return "user|" + *a.UserID
		}
	case GroupByOrganization:
		return "organization"
	}
	return "alert|" + a.Type + "|" + a.DedupeKey
}

// decision is which ticket an alert goes to.
type decision struct {
	ticket *ent.Ticket // the group's last one; nil if it had none
	reopen bool        // it is over, and is put back to work
	fresh  bool        // another ticket is made
	group  string
	storm  bool
}

// epoch counts the ticket that is to be made.
func (d decision) epoch() int {
	if d.ticket == nil {
		return 1
	}
	return d.ticket.Epoch + 1
}

// decide finds the ticket that an alert goes to: the living one of its group;
// in a storm, the one that stands for the storm; the group's last, if that is
// over since not too long; or a new one. The organization's row is locked, so
// that nobody else makes one of the group meanwhile; with lock, the ticket is
// locked too.
func (o *Outbox) decide(ctx context.Context, a *ent.Alert, w want, lock bool) (decision, error) {
	d := decision{group: groupOf(a, w.rules)}
	var err error
	if d.ticket, err = o.latest(ctx, a.OrganizationID, w.integration.ID, d.group, lock); err != nil || living(d.ticket) {
		return d, err
	}
	parent, storm, err := o.storm(ctx, a.OrganizationID, w.integration, lock)
	if err != nil {
		return d, err
	}
	if storm {
		return decision{ticket: parent, fresh: !living(parent), group: stormGroup, storm: true}, nil
	}
	d.reopen = o.reopenable(d.ticket, *w.rules.ReopenDays)
	d.fresh = !d.reopen
	return d, nil
}

func living(t *ent.Ticket) bool {
	return t != nil && t.Status != ticket.StatusClosed && t.Status != ticket.StatusCancelled
}

// reopenable reports whether a ticket is over since few enough days.
func (o *Outbox) reopenable(t *ent.Ticket, days int) bool {
	return t != nil && t.Status == ticket.StatusClosed && t.ExternalID != "" && t.ClosedAt != nil &&
		days > 0 && !o.now().After(t.ClosedAt.AddDate(0, 0, days))
}

// latest is a group's last ticket; nil if it had none.
func (o *Outbox) latest(ctx context.Context, organization, integration, group string, lock bool) (*ent.Ticket, error) {
	q := o.client.Ticket.Query().
		Where(ticket.OrganizationID(organization), ticket.IntegrationID(integration), ticket.GroupKey(group)).
		Order(ticket.ByEpoch(sql.OrderDesc()))
	if lock {
		q.Modify(database.ForUpdate)
	}
	t, err := q.First(ctx)
	if ent.IsNotFound(err) {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	return t, err
}

// storm reports whether an organization's alerts come in a storm: as many as
// the integration's threshold have become tickets, or joined the storm's one,
// within its minutes. It answers the storm's last ticket with that. What it
// reads is bounded by the threshold.
func (o *Outbox) storm(ctx context.Context, organization string, i *ent.TicketingIntegration, lock bool) (parent *ent.Ticket, storm bool, err error) {
	if i.StormThreshold == 0 {
		return nil, false, nil
	}
	since := o.now().Add(-minutes(i.StormMinutes))
	opened, err := o.client.Ticket.Query().
		Where(ticket.OrganizationID(organization), ticket.IntegrationID(i.ID), ticket.CreatedAtGT(since)).
		Limit(i.StormThreshold).IDs(ctx)
	if err != nil {
		return nil, false, err
	}
	if parent, err = o.latest(ctx, organization, i.ID, stormGroup, lock); err != nil {
		return nil, false, err
	}
	missing := i.StormThreshold - len(opened)
	if missing <= 0 || !living(parent) {
		return parent, missing <= 0, nil
	}
	joined, err := o.client.TicketAlert.Query().Where(ticketalert.TicketID(parent.ID)).
		Order(ticketalert.ByID(sql.OrderDesc())).Offset(missing - 1).First(ctx)
	if ent.IsNotFound(err) {
		return parent, false, nil
	}
	return parent, err == nil && joined.CreatedAt.After(since), err
}

// flapping reports whether a condition has come and gone too often of late.
func (o *Outbox) flapping(ctx context.Context, a *ent.Alert, rules schema.TicketRules) (bool, error) {
	first := a.Incident - *rules.FlapCount + 1
	if *rules.FlapCount == 0 || first < 1 {
		return false, nil
	}
	return o.client.Alert.Query().
		Where(alert.OrganizationID(a.OrganizationID), alert.TypeEQ(a.Type), alert.DedupeKey(a.DedupeKey),
			alert.Incident(first), alert.FirstOccurredAtGT(o.now().Add(-minutes(*rules.FlapMinutes)))).
		Exist(ctx)
}

// settled is when an alert has lasted long enough to become a ticket; nil for
// at once.
func (o *Outbox) settled(a *ent.Alert, rules schema.TicketRules) *time.Time {
	at := a.FirstOccurredAt.Add(minutes(*rules.SettleMinutes))
	if !at.After(o.now()) {
		return nil
	}
	return &at
}

// lockOrganization makes the transaction the only one that opens alerts or
// makes tickets in an organization. Rows that refer to it are not held up. It
// is locked before any ticket.
func (o *Outbox) lockOrganization(ctx context.Context, id string) error {
	_, err := o.client.Organization.Query().Where(organization.ID(id)).Modify(database.ForNoKeyUpdate).Only(ctx)
	if ent.IsNotFound(err) {
		return fault.Missing(id)
	}
	return err
}
