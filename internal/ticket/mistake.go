package ticket

import (
	"context"
	"errors"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/predicate"
	"github.com/bailiwick/bailiwick/ent/ticketingerror"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/tenancy"
)

// keepErrors is how long an error is kept after it happened last, and
// pruneErrors how often the older ones are looked for.
const (
	keepErrors  = 90 * 24 * time.Hour
	pruneErrors = 6 * time.Hour
)

// mistake is what a vendor refused, or failed at.
type mistake struct {
	integration  *ent.TicketingIntegration
	organization string // in which it happened; empty for none in particular
	ticket       string // that it was about; empty for none
	operation    string // what was asked of the vendor: create, verify, options
	cause        error
}

// mistake lists what a vendor refused or failed at, in a transaction of its
// own: what comes of it is the caller's. One like it that is listed is counted.
// What is no vendor's doing is not listed, such as a call that our own limits
// held back. That it could not be listed is logged, and no error: the mistake
// itself matters more.
func (s *Service) mistake(ctx context.Context, m mistake) {
	e, ok := errors.AsType[*psa.Error](m.cause)
	ours := ok && e.Status == 0 && e.Vendor == "" && (e.Class == psa.Permanent || e.Class == psa.Throttled)
	if !ok || ours || errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	ctx, cancel := context.WithTimeout(guard.WithoutTrail(context.WithoutCancel(ctx)), settleTimeout)
	defer cancel()
	if err := s.db.InTx(ctx, func(ctx context.Context) error { return s.list(ctx, m, e) }); err != nil {
		s.logger.WarnContext(ctx, "list a vendor's error", "integration", m.integration.ID, "operation", m.operation, "error", err)
	}
}

func (s *Service) list(ctx context.Context, m mistake, e *psa.Error) error {
	kind, message, now := errorType(e.Class), words(e), s.now()
	if kind != ticketingerror.ErrorTypeConfiguration && kind != ticketingerror.ErrorTypeGone {
		m.ticket = "" // it is not the ticket's fault: a queue of them is one error
	}
	alike := []predicate.TicketingError{
		ticketingerror.IntegrationID(m.integration.ID), ticketingerror.Operation(m.operation),
		ticketingerror.ErrorTypeEQ(kind), ticketingerror.Message(message),
	}
	create := s.client.TicketingError.Create().
		SetIntegrationID(m.integration.ID).SetOperation(m.operation).SetErrorType(kind).SetMessage(message).
		SetAdvice(advice(psa.Kind(m.integration.Kind), e.Class, m.operation)).SetLastOccurredAt(now)
	if m.organization == "" {
		alike = append(alike, ticketingerror.OrganizationIDIsNil())
	} else {
		alike, create = append(alike, ticketingerror.OrganizationID(m.organization)), create.SetOrganizationID(m.organization)
	}
	if m.ticket == "" {
		alike = append(alike, ticketingerror.TicketIDIsNil())
	} else {
		alike, create = append(alike, ticketingerror.TicketID(m.ticket)), create.SetTicketID(m.ticket)
	}
	count := func() (bool, error) {
		n, err := s.client.TicketingError.Update().Where(alike...).AddOccurrenceCount(1).SetLastOccurredAt(now).Save(ctx)
		return n > 0, err
	}
	if counted, err := count(); err != nil || counted {
		return err
	}
	// Two replicas must not list the same error both.
	locked, err := s.client.TicketingIntegration.Query().Where(ticketingintegration.ID(m.integration.ID)).Modify(database.ForUpdate).All(ctx)
	if err != nil || len(locked) == 0 { // deleted meanwhile
		return err
	}
	if counted, err := count(); err != nil || counted {
		return err
	}
	return create.Exec(ctx)
}

func errorType(c psa.Class) ticketingerror.ErrorType {
	switch c {
	case psa.Auth:
		return ticketingerror.ErrorTypeCredentials
	case psa.Throttled:
		return ticketingerror.ErrorTypeThrottled
	case psa.Gone:
		return ticketingerror.ErrorTypeGone
	case psa.Permanent:
		return ticketingerror.ErrorTypeConfiguration
	default:
		return ticketingerror.ErrorTypeUnreachable
	}
}

// Prune deletes the errors that have not happened for 90 days. The context
// needs no scope.
func (s *Service) Prune(ctx context.Context) error {
	_, err := s.client.TicketingError.Delete().Where(ticketingerror.LastOccurredAtLT(s.now().Add(-keepErrors))).
		Exec(tenancy.System(ctx, "forget the old ticketing errors of every provider"))
	return err
}
