package ticket

import (
	"context"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// note adds a note to the ticket. The ticket's notes are read first, whatever
// happened before: so it can be repeated.
func (h *hold) note(ctx context.Context, d *ent.TicketDelivery) (more bool, err error) {
	return h.write(ctx, d, ticket.StatusCreated, func(ctx context.Context) error {
		_, err := psa.AddNoteOnce(ctx, h.vendor, h.ticket.ExternalID, noteOf(d))
		return err
	})
}

// close closes the ticket, with a note that says why. A ticket that is closed
// at the vendor already is left as it is.
func (h *hold) close(ctx context.Context, d *ent.TicketDelivery) (more bool, err error) {
	return h.write(ctx, d, ticket.StatusClosed, func(ctx context.Context) error {
		now, err := h.vendor.Get(ctx, h.ticket.ExternalID)
		if err != nil || now.Closed {
			return err
		}
		if _, err := psa.AddNoteOnce(ctx, h.vendor, h.ticket.ExternalID, noteOf(d)); err != nil {
			return err
		}
		return h.vendor.Close(ctx, h.ticket.ExternalID, psa.Closing{Resolution: d.Content.Body})
	})
}

func noteOf(d *ent.TicketDelivery) psa.Note {
	return psa.Note{Marker: d.Marker, Title: d.Content.Title, Body: d.Content.Body}
}

// write does something to a ticket that the vendor has, and that can be
// repeated.
func (h *hold) write(ctx context.Context, d *ent.TicketDelivery, then ticket.Status, do func(context.Context) error) (more bool, err error) {
	begun, err := h.begin(ctx, d, "")
	if err != nil || !begun {
		return true, err
	}
	calling, cancel := h.call(ctx)
	defer cancel()
	switch err := do(calling); psa.ClassOf(err) {
	case "":
		return true, h.commit(ctx, func(ctx context.Context) error {
			if err := h.delivered(ctx, d); err != nil {
				return err
			}
			return h.update().SetStatus(then).SetAttempts(0).ClearLastError().Exec(ctx)
		})
	case psa.Gone:
		return false, h.vanished(ctx)
	default:
		return false, h.failed(ctx, d, err)
	}
}

// vanished records that the ticket is gone at the vendor: nothing can be
// written there any more, and making it anew would undo what a person did.
func (h *hold) vanished(ctx context.Context) error {
	return h.commit(ctx, func(ctx context.Context) error {
		err := h.client.TicketDelivery.Update().
			Where(ticketdelivery.TicketID(h.ticket.ID), ticketdelivery.StateNEQ(ticketdelivery.StateDone)).
			SetState(ticketdelivery.StateCancelled).Exec(ctx)
		if err != nil {
			return err
		}
		return let(h.update().SetStatus(ticket.StatusClosed).ClearNextAttemptAt().
			SetLastError("the ticket no longer exists in the ticketing system")).Exec(ctx)
	})
}
