package ticket

import (
	"context"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// Retry makes a ticket due that waits, is blocked or was given up. One with
// nothing left to deliver is PRECONDITION_FAILED.
func (s *Service) Retry(ctx context.Context, id string) (t *ent.Ticket, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if t, err = s.locked(ctx, id); err != nil {
			return err
		}
		if t.NextAttemptAt == nil && t.Status != ticket.StatusBlocked && t.Status != ticket.StatusFailed {
			return fault.New(fault.PreconditionFailed, "nothing is left to deliver: the ticket is %s", t.Status)
		}
		if t, err = s.rouse(ctx, id); err != nil {
			return err
		}
		_, err = s.alarms.Clear(ctx, t.OrganizationID, alertDeliveryFailed, id)
		return err
	})
	return t, err
}

// Cancel gives a ticket up that the vendor does not have. One that it has, or
// may have, is PRECONDITION_FAILED.
func (s *Service) Cancel(ctx context.Context, id string) (t *ent.Ticket, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if t, err = s.locked(ctx, id); err != nil {
			return err
		}
		if t.ExternalID != "" {
			return fault.New(fault.PreconditionFailed, "the vendor has the ticket: resolve the alert to close it")
		}
		if t.Status == ticket.StatusCancelled {
			return fault.New(fault.PreconditionFailed, "the ticket is cancelled already")
		}
		if t.Status == ticket.StatusFailed {
			// Given up: whether the vendor has it is as known as it will be.
			err := s.client.TicketDelivery.Update().
				Where(ticketdelivery.TicketID(id), ticketdelivery.StateEQ(ticketdelivery.StateDead)).
				SetState(ticketdelivery.StateBlocked).Exec(ctx)
			if err != nil {
				return err
			}
		}
		cancelled, err := s.outbox.cancel(ctx, t, "cancelled by a technician")
		if err != nil {
			return err
		}
		if !cancelled {
			return fault.New(fault.PreconditionFailed, "the vendor may have the ticket: it is being looked for")
		}
		if _, err := s.alarms.Clear(ctx, t.OrganizationID, alertDeliveryFailed, id); err != nil {
			return err
		}
		t, err = s.client.Ticket.Fetch(ctx, id)
		return err
	})
	return t, err
}

// locked is a ticket that nobody else changes until the transaction ends.
func (s *Service) locked(ctx context.Context, id string) (*ent.Ticket, error) {
	t, err := s.client.Ticket.Query().Where(ticket.ID(id)).Modify(database.ForUpdate).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, fault.Missing(id)
	}
	return t, err
}
