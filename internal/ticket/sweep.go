package ticket

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Sweep has every lane worked that has due tickets which nobody holds: what a
// lost job, or a worker that died, left behind. Each lane counts as one, however
// many tickets it has. The context needs no scope.
func (s *Service) Sweep(ctx context.Context) error {
	closed := map[string]bool{} // by limit
	for after := (standing{}); ; {
		page, err := s.standing(ctx, after)
		if err != nil {
			return err
		}
		if err := s.enqueueOpen(ctx, page, closed); err != nil {
			return err
		}
		if len(page) < s.config.SweepBatch {
			return nil
		}
		after = page[len(page)-1]
	}
}

// standing is an organization with due tickets at an integration.
type standing struct {
	Provider     string `sql:"provider_id"`
	Organization string `sql:"organization_id"`
	Integration  string `sql:"integration_id"`
}

// standing lists a page of those, in order.
func (s *Service) standing(ctx context.Context, after standing) (page []standing, err error) {
	err = s.client.Ticket.Query().
		Where(ripe(s.now()), ticket.HasIntegrationWith(ticketingintegration.StatusEQ(ticketingintegration.StatusActive)),
			ticket.Or(ticket.OrganizationIDGT(after.Organization),
				ticket.And(ticket.OrganizationID(after.Organization), ticket.IntegrationIDGT(after.Integration)))).
		Order(ticket.ByOrganizationID(), ticket.ByIntegrationID()).Limit(s.config.SweepBatch).
		GroupBy(ticket.FieldOrganizationID, ticket.FieldIntegrationID, ticket.FieldProviderID).
		Scan(tenancy.System(ctx, "find the due tickets of every provider"), &page)
	return page, err
}

// enqueueOpen has lanes worked whose limits leave calls.
func (s *Service) enqueueOpen(ctx context.Context, lanes []standing, closed map[string]bool) error {
	ids := map[string]bool{}
	for _, l := range lanes {
		ids[l.Integration] = true
	}
	integrations, err := s.client.TicketingIntegration.Query().
		Where(ticketingintegration.IDIn(slices.Collect(maps.Keys(ids))...)).
		All(tenancy.System(ctx, "find the integrations that due tickets go to"))
	if err != nil {
		return err
	}
	open := map[string]bool{}
	for _, i := range integrations {
		gate := s.gate(i)
		if _, known := closed[gate.Key()]; !known {
			if closed[gate.Key()], err = gate.Closed(ctx); err != nil {
				return err
			}
		}
		open[i.ID] = !closed[gate.Key()]
	}
	for _, l := range lanes {
		if !open[l.Integration] {
			continue
		}
		lane := Lane{Tenant: job.Tenant{Provider: l.Provider, Organization: l.Organization}, Integration: l.Integration, Number: 1}
		if err := enqueue(ctx, s.outbox.jobs, lane, s.now(), s.now()); err != nil {
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
