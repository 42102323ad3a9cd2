package ticket

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/tenancy"
)

// readQueue keeps reading at the vendors out of the way of deliveries.
const readQueue = "ticket-read"

// readAttempts is how often a ticket is tried to be read before that is left
// to the next poll, some minutes later.
const readAttempts = 8

// Reading is the job that reads a ticket at the vendor because it seems to have
// changed.
type Reading struct {
	job.Tenant
	Ticket string `json:"ticket"`
}

// Kind implements job.Args.
func (Reading) Kind() string { return "ticket.read" }

// Settlement is the job that resolves the rest of the many alerts of a ticket
// that a technician has closed.
type Settlement struct {
	job.Tenant
	Ticket string `json:"ticket"`
}

// Kind implements job.Args.
func (Settlement) Kind() string { return "ticket.settle" }

// Read works a [Reading]. What is bad for trying again is an error.
func (s *Service) Read(ctx context.Context, r Reading) error {
	ctx = job.TenantContext(ctx, r.Tenant, "ticketing")
	t, err := s.client.Ticket.Query().Where(ticket.ID(r.Ticket)).WithIntegration().Only(ctx)
	if ent.IsNotFound(err) {
		return nil // deleted with its organization or integration
	}
	if err != nil {
		return err
	}
	i := t.Edges.Integration
	if t.ExternalID == "" || i == nil || i.Status == ticketingintegration.StatusPaused {
		return nil
	}
	err = s.read(ctx, t.ID)
	if err == nil || errors.Is(err, errBusy) || ent.IsNotFound(err) {
		return ignoreMissing(err)
	}
	return s.unread(ctx, i, t, err)
}

func ignoreMissing(err error) error {
	if ent.IsNotFound(err) {
		return nil
	}
	return err
}

// unread is what follows from a failure to read at the vendor: when to try
// again, as an error of the job, or nil for later or never. T is a ticket of the
// integration.
func (s *Service) unread(ctx context.Context, i *ent.TicketingIntegration, t *ent.Ticket, cause error) error {
	e, ok := errors.AsType[*psa.Error](cause)
	if !ok {
		return cause
	}
	switch e.Class {
	case psa.Throttled:
		return job.Snooze(cmp.Or(e.RetryAfter, s.config.ThrottlePause))
	case psa.Auth:
		return s.db.InTx(ctx, func(ctx context.Context) error { return s.pause(ctx, i, t.OrganizationID, cause) })
	case psa.Permanent:
		s.logger.WarnContext(ctx, "the ticketing system does not let us read", "integration", i.ID, "error", cause)
		// It would be the first to be tried again, before all others.
		return s.client.Ticket.Update().Where(ticket.ID(t.ID)).SetMirroredAt(s.now()).Exec(ctx)
	}
	return cause
}

// Reconcile has every living ticket read that has not been for long, whatever
// the vendor says has changed: clocks and filters may lie. The context needs no
// scope.
func (s *Service) Reconcile(ctx context.Context) error {
	before := s.now().Add(-s.config.TwoWay.ReadAfter)
	stale, err := s.client.Ticket.Query().
		Where(ticket.ExternalIDNEQ(""), ticket.StatusNotIn(ticket.StatusClosed, ticket.StatusCancelled),
			ticket.Or(ticket.MirroredAtLTE(before), ticket.And(ticket.MirroredAtIsNil(), ticket.CreatedAtLTE(before))),
			ticket.HasIntegrationWith(ticketingintegration.StatusEQ(ticketingintegration.StatusActive))).
		Order(ticket.ByMirroredAt(), ticket.ByID()).Limit(s.config.TwoWay.ReadBatch).
		All(tenancy.System(ctx, "find the tickets of every provider that have not been read for long"))
	if err != nil {
		return err
	}
	for n, t := range stale {
		// Spread over the time until the next, which leaves deliveries their calls.
		at := s.now().Add(s.config.TwoWay.Reconcile * time.Duration(n) / time.Duration(2*len(stale)))
		if err := s.enqueueRead(ctx, t, at); err != nil {
			return err
		}
	}
	return nil
}

// enqueueRead has a ticket read, once for all who ask before that is begun.
func (s *Service) enqueueRead(ctx context.Context, t *ent.Ticket, at time.Time) error {
	return s.outbox.jobs.Enqueue(ctx, Reading{Tenant: tenantOf(t), Ticket: t.ID}, job.EnqueueOptions{UniqueKey: t.ID, At: at, Priority: 2})
}
