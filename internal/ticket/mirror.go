package ticket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/alert"
	"github.com/bailiwick/bailiwick/ent/predicate"
	"github.com/bailiwick/bailiwick/ent/systemlogevent"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketalert"
	"github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// closedEvent is what the system log calls a ticket that somebody closed at the
// vendor.
const closedEvent = "ticketClosedAtVendor"

// settleBatch bounds how many alerts one transaction resolves.
const settleBatch = 200

// errBusy reports that a delivery of the ticket is under way, so that what was
// read may be our own doing, or older than it.
var errBusy = errors.New("ticket: a delivery is under way")

// Sync reads a ticket at the vendor now and draws the conclusions. A ticket
// that the vendor does not have yet is PRECONDITION_FAILED; one that is being
// written to this moment is CONFLICT. It calls the vendor, and so is not to be
// called in a transaction.
func (s *Service) Sync(ctx context.Context, id string) (*ent.Ticket, error) {
	t, err := s.client.Ticket.Load(ctx, id)
	if err != nil {
		return nil, err
	}
	if t.ExternalID == "" {
		return nil, fault.New(fault.PreconditionFailed, "the vendor does not have the ticket yet")
	}
	// What follows from it is the vendor's doing, not the caller's.
	acting := job.TenantContext(ctx, job.Tenant{Provider: t.ProviderID, Organization: t.OrganizationID}, "ticketing")
	err = s.read(acting, id)
	switch {
	case errors.Is(err, errBusy):
		return nil, fault.New(fault.Conflict, "the ticket is being written to: try again in a moment")
	case err != nil:
		return nil, refused(err, "")
	}
	return s.client.Ticket.Fetch(ctx, id)
}

// read reads a ticket at the vendor, and reflects it. Its errors are the
// vendor's, or errBusy. The scope reaches the ticket's organization.
func (s *Service) read(ctx context.Context, id string) error {
	t, err := s.client.Ticket.Get(ctx, id)
	if err != nil {
		return err
	}
	i, err := s.client.TicketingIntegration.Get(ctx, t.IntegrationID)
	if err != nil {
		return err
	}
	before, err := s.written(ctx, t)
	if err != nil {
		return err
	}
	vendor, err := s.vendor(ctx, i)
	if err != nil {
		return err
	}
	calling, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	remote, err := vendor.Get(calling, t.ExternalID)
	gone := psa.ClassOf(err) == psa.Gone
	if err != nil && !gone {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		// In this order, as whoever changes an alert locks it before its tickets.
		open, err := s.openAlerts(ctx, id)
		if err != nil {
			return err
		}
		t, err := s.locked(ctx, id)
		if err != nil {
			return err
		}
		now, err := s.written(ctx, t)
		if err != nil {
			return err
		}
		if now != before || now.busy {
			return errBusy
		}
		if gone {
			return s.lost(ctx, t)
		}
		return s.reflect(ctx, i, t, now, remote, open)
	})
}

// writing is what is known of a ticket's state at the vendor by what we did,
// and whether we are at it.
type writing struct {
	trace     string
	busy      bool
	reopening bool // it is to be reopened: that it is closed is nobody's doing
}

// written tells whether anything was written between two moments: if so, what
// was read in between may be from before or after.
func (s *Service) written(ctx context.Context, t *ent.Ticket) (writing, error) {
	deliveries, err := s.client.TicketDelivery.Query().Where(ticketdelivery.TicketID(t.ID)).
		Order(ticketdelivery.BySequence()).All(ctx)
	if err != nil {
		return writing{}, err
	}
	trace := strings.Builder{}
	if t.MirroredAt != nil { // another reading may have drawn newer conclusions
		fmt.Fprintf(&trace, "%d;", t.MirroredAt.UnixMicro())
	}
	w := writing{}
	for _, d := range deliveries {
		moves := d.Action == ticketdelivery.ActionClose || d.Action == ticketdelivery.ActionReopen
		if d.State == ticketdelivery.StateAttempting || (moves && d.State == ticketdelivery.StateUncertain) {
			w.busy = true
		}
		if d.Action == ticketdelivery.ActionReopen && d.State != ticketdelivery.StateDone && d.State != ticketdelivery.StateCancelled {
			w.reopening = true
		}
		if moves || d.State == ticketdelivery.StateAttempting {
			fmt.Fprintf(&trace, "%d %s %d;", d.Sequence, d.State, d.Attempts)
		}
	}
	w.trace = trace.String()
	return w, nil
}

// reflect takes over what the vendor has, within a transaction that holds the
// ticket and its open alerts.
func (s *Service) reflect(ctx context.Context, i *ent.TicketingIntegration, t *ent.Ticket, w writing, r psa.Remote, open []*ent.Alert) error {
	living := t.Status != ticket.StatusClosed && t.Status != ticket.StatusCancelled
	update := t.Update().SetMirroredAt(s.now()).
		SetExternalStatus(kept(r.Status)).SetExternalAssignee(kept(r.AssigneeID))
	if t.ExternalNumber == "" {
		update.SetExternalNumber(psa.FitLine(r.Number, 16))
	}
	if t.ExternalURL == "" && len(r.URL) <= 1024 {
		update.SetExternalURL(r.URL)
	}
	if living && !r.Closed && !w.reopening && startedOn(t, r) {
		update.SetStarted(true)
	}
	switch {
	case r.Closed && living && !w.reopening:
		if err := update.Exec(ctx); err != nil {
			return err
		}
		return s.closedThere(ctx, i, t, cmp.Or(t.ExternalNumber, r.Number, r.ID), open)
	case !r.Closed && t.Status == ticket.StatusClosed:
		if err := s.reopenedThere(ctx, t, update); err != nil {
			return err
		}
	}
	return update.Exec(ctx)
}

// startedOn reports whether a technician has started work on a ticket: its
// status or whom it is assigned to is another than it was made with.
func startedOn(t *ent.Ticket, r psa.Remote) bool {
	return t.Started || t.InitialStatus != "" && (kept(r.Status) != t.InitialStatus || kept(r.AssigneeID) != t.InitialAssignee)
}

// closedThere ends a ticket that somebody closed at the vendor, and the alerts
// that it is about: to the technician the matter is settled.
func (s *Service) closedThere(ctx context.Context, i *ent.TicketingIntegration, t *ent.Ticket, number string, open []*ent.Alert) error {
	// Ended before its alerts are, the ticket is none that they have closed.
	if err := s.end(ctx, t, "", true); err != nil {
		return err
	}
	if _, err := s.alarms.Clear(ctx, t.OrganizationID, alertDeliveryFailed, t.ID); err != nil {
		return err
	}
	targets := []schema.LogTarget{{Type: "Ticket", ID: t.ID, Op: "UPDATE"}}
	for _, a := range open {
		targets = append(targets, schema.LogTarget{Type: "Alert", ID: a.ID, Op: "UPDATE"})
	}
	scope, err := tenancy.From(ctx)
	if err != nil {
		return err
	}
	err = s.log.Record(ctx, audit.Entry{
		EventType: closedEvent, Outcome: systemlogevent.OutcomeSuccess, Actor: scope.Principal(), Targets: targets,
	})
	if err != nil {
		return err
	}
	return s.settle(ctx, i, t, number, open)
}

// settle resolves alerts of a ticket that is closed at the vendor; what exceeds
// a batch is a job's.
func (s *Service) settle(ctx context.Context, i *ent.TicketingIntegration, t *ent.Ticket, number string, open []*ent.Alert) error {
	ids := make([]string, len(open))
	for n, a := range open {
		ids[n] = a.ID
	}
	remark := "Closed in " + productOf(i.Kind) + " as " + number
	if _, err := s.alarms.ResolveAll(ctx, ids, remark); err != nil {
		return err
	}
	if len(open) < settleBatch {
		return nil
	}
	return s.outbox.jobs.Enqueue(ctx, Settlement{Tenant: tenantOf(t), Ticket: t.ID}, job.EnqueueOptions{})
}

// Settle resolves the next batch of the alerts of a ticket that a technician
// has closed. The scope reaches the ticket's organization.
func (s *Service) Settle(ctx context.Context, id string) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		open, err := s.openAlerts(ctx, id)
		if err != nil {
			return err
		}
		t, err := s.client.Ticket.Get(ctx, id)
		if err != nil || !t.ClosedByTechnician {
			return err
		}
		i, err := s.client.TicketingIntegration.Get(ctx, t.IntegrationID)
		if err != nil {
			return err
		}
		return s.settle(ctx, i, t, cmp.Or(t.ExternalNumber, t.ExternalID), open)
	})
}

// reopenedThere puts a ticket back to life that somebody reopened at the
// vendor. Its alerts stay as they are: an alert is a condition and not a wish,
// and one that still holds is raised again. A ticket whose group has another
// by now stays closed.
func (s *Service) reopenedThere(ctx context.Context, t *ent.Ticket, update *ent.TicketUpdateOne) error {
	another, err := s.client.Ticket.Query().
		Where(ticket.IntegrationID(t.IntegrationID), ticket.GroupKey(t.GroupKey), ticket.IDNEQ(t.ID),
			ticket.StatusNotIn(ticket.StatusClosed, ticket.StatusCancelled)).
		Exist(ctx)
	if err != nil || another {
		return err
	}
	update.SetStatus(ticket.StatusCreated).ClearClosedAt().SetClosedByTechnician(false).ClearLastError()
	return nil
}

// lost ends a ticket that the vendor has no more. Its alerts go on: to delete
// a ticket settles nothing.
func (s *Service) lost(ctx context.Context, t *ent.Ticket) error {
	if t.Status == ticket.StatusClosed || t.Status == ticket.StatusCancelled {
		return t.Update().SetMirroredAt(s.now()).Exec(ctx)
	}
	return s.end(ctx, t, "the ticket no longer exists in the ticketing system", false)
}

// end closes a ticket on our side; nothing is delivered any more, and a worker
// that holds it loses it.
func (s *Service) end(ctx context.Context, t *ent.Ticket, problem string, technician bool) error {
	err := s.client.TicketDelivery.Update().
		Where(ticketdelivery.TicketID(t.ID), ticketdelivery.StateNotIn(ticketdelivery.StateDone, ticketdelivery.StateCancelled)).
		SetState(ticketdelivery.StateCancelled).Exec(ctx)
	if err != nil {
		return err
	}
	return let(t.Update().SetStatus(ticket.StatusClosed).SetClosedAt(s.now()).SetClosedByTechnician(technician).
		SetMirroredAt(s.now()).SetAttempts(0).SetLastError(problem).ClearNextAttemptAt()).Exec(ctx)
}

// openAlerts are a ticket's alerts that are not over, locked in the order of
// their ids; at most a batch.
func (s *Service) openAlerts(ctx context.Context, id string) ([]*ent.Alert, error) {
	return s.client.Alert.Query().
		Where(alert.ResolvedAtIsNil(), about(id)).
		Order(alert.ByID()).Limit(settleBatch).Modify(database.ForUpdate).All(ctx)
}

// about keeps the alerts that a ticket is about.
func about(id string) predicate.Alert {
	return func(q *sql.Selector) {
		first, linked := sql.Table(ticket.Table), sql.Table(ticketalert.Table)
		q.Where(sql.Or(
			sql.In(q.C(alert.FieldID), sql.Select(first.C(ticket.FieldAlertID)).From(first).Where(sql.EQ(first.C(ticket.FieldID), id))),
			sql.In(q.C(alert.FieldID), sql.Select(linked.C(ticketalert.FieldAlertID)).From(linked).Where(sql.EQ(linked.C(ticketalert.FieldTicketID), id))),
		))
	}
}

func tenantOf(t *ent.Ticket) job.Tenant {
	return job.Tenant{Provider: t.ProviderID, Organization: t.OrganizationID}
}

// productOf is what people call a ticketing system.
func productOf(kind ticketingintegration.Kind) string {
	switch kind {
	case ticketingintegration.KindAutotask:
		return "Autotask"
	case ticketingintegration.KindConnectWise:
		return "ConnectWise"
	default:
		return "Syncro"
	}
}
