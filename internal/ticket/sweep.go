package ticket

import (
	"context"
	"errors"
	"slices"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Sweep has every ticket delivered that is due and that nobody holds: what a
// lost job, or a worker that died, left behind. The context needs no scope.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.now()
	due, err := s.client.Ticket.Query().
		Where(ticket.NextAttemptAtLTE(now), ticket.Or(ticket.LeaseUntilIsNil(), ticket.LeaseUntilLTE(now))).
		Order(ticket.ByNextAttemptAt(), ticket.ByID()).Limit(s.config.SweepBatch).
		All(tenancy.System(ctx, "find the due tickets of every provider"))
	if err != nil {
		return err
	}
	for _, t := range due {
		args := Delivery{Tenant: job.Tenant{Provider: t.ProviderID, Organization: t.OrganizationID}, Ticket: t.ID}
		// The key keeps sweeps from piling up behind a slow vendor.
		if err := s.outbox.jobs.Enqueue(ctx, args, job.EnqueueOptions{UniqueKey: t.ID}); err != nil {
			return err
		}
	}
	return nil
}

// Scan looks for what slow requests made after every look-up. Among the tickets
// that were sent more than once of late it closes the duplicates; of those that
// were sent and are not known at the vendor it closes what was cancelled here,
// and takes up what was given up. The context needs no scope.
func (s *Service) Scan(ctx context.Context) error {
	since := s.now().Add(-s.config.ScanWindow)
	suspects, err := s.client.TicketDelivery.Query().
		Where(ticketdelivery.ActionEQ(ticketdelivery.ActionCreate), ticketdelivery.Or(
			ticketdelivery.And(ticketdelivery.AttemptsGTE(2), ticketdelivery.AttemptedAtGTE(since)),
			// What was given up was looked up in vain for MaxAge first.
			ticketdelivery.And(ticketdelivery.StateIn(ticketdelivery.StateDead, ticketdelivery.StateCancelled),
				ticketdelivery.AttemptedAtGTE(since.Add(-s.config.MaxAge))),
		)).
		WithTicket().All(tenancy.System(ctx, "find the tickets of every provider that may be doubled"))
	if err != nil {
		return err
	}
	var failures []error
	for _, d := range suspects {
		scope := tenancy.ForOrganizations(tenancy.ServicePrincipal("ticketing"), d.ProviderID, d.OrganizationID)
		if err := s.scan(tenancy.With(ctx, scope), d.Edges.Ticket); err != nil {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// scan closes every ticket of an incident but the one that is known. One that
// is none is what a lost request made.
func (s *Service) scan(ctx context.Context, t *ent.Ticket) error {
	if t == nil || t.ExternalCompanyID == "" {
		return nil
	}
	if t.ExternalID == "" && t.Status != ticket.StatusCancelled && t.Status != ticket.StatusFailed {
		return nil // its own look-ups find it
	}
	i, err := s.client.TicketingIntegration.Get(ctx, t.IntegrationID)
	if err != nil || i.Status == ticketingintegration.StatusPaused {
		return err
	}
	vendor, err := s.vendor(ctx, i)
	if err != nil {
		return err
	}
	h := &hold{Service: s, ticket: t, integration: i, vendor: vendor}
	calling, cancel := h.call(ctx)
	defer cancel()
	found, err := vendor.Find(calling, t.Marker, t.ExternalCompanyID, t.CreatedAt.Add(-searchMargin))
	if err != nil {
		return err
	}
	if t.ExternalID == "" {
		return h.stray(ctx, found)
	}
	kept := slices.IndexFunc(found, func(r psa.Remote) bool { return r.ID == t.ExternalID })
	if kept < 0 || len(found) == 1 {
		return nil
	}
	remote := found[kept]
	open := slices.DeleteFunc(found, func(r psa.Remote) bool { return r.Closed || r.ID == remote.ID })
	remark, err := h.closeOthers(ctx, remote, open)
	if err != nil || remark == "" {
		return err
	}
	return s.client.Ticket.UpdateOneID(t.ID).SetLastError(remark).Exec(ctx)
}

// stray deals with what the vendor has of a ticket that was thought not to be
// there: what was given up is wanted still, and looked up by a worker; what was
// cancelled is closed.
func (h *hold) stray(ctx context.Context, found []psa.Remote) error {
	if len(found) == 0 {
		return nil
	}
	if h.ticket.Status == ticket.StatusFailed {
		return h.db.InTx(ctx, func(ctx context.Context) error {
			if _, err := h.rouse(ctx, h.ticket.ID); err != nil {
				return err
			}
			_, err := h.alarms.Clear(ctx, h.ticket.OrganizationID, alertDeliveryFailed, h.ticket.ID)
			return err
		})
	}
	calling, cancel := h.call(ctx)
	defer cancel()
	for _, r := range found {
		if r.Closed {
			continue
		}
		note := psa.Note{
			Marker: psa.NoteMarker(h.ticket.Marker, "stray|"+r.ID), Title: "Not wanted any more",
			Body: "This ticket was cancelled before it was known to be here: an answer got lost when it was made.",
		}
		if err := h.closeWith(calling, r.ID, note); err != nil {
			return err
		}
	}
	return nil
}
