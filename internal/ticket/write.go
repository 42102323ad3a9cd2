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
	if unwritten(d) {
		if d, err = h.compile(ctx, d); err != nil || d == nil {
			return true, err
		}
	}
	return h.write(ctx, d, func(ctx context.Context) error {
		_, err := psa.AddNoteOnce(ctx, h.vendor, h.ticket.ExternalID, h.noteOf(d, ""))
		return err
	}, func(u *ent.TicketUpdateOne) { u.SetStatus(ticket.StatusCreated) })
}

// leftOpen ends the note of a ticket that is not closed though its alerts are
// over.
const leftOpen = "\n\nThe ticket is left open, for work on it has begun."

// close closes the ticket, with a note that says why. A ticket that is closed
// at the vendor already is left as it is, and so is, but for the note, one that
// a technician works on, unless the rules say otherwise.
func (h *hold) close(ctx context.Context, d *ent.TicketDelivery) (more bool, err error) {
	var now psa.Remote
	closed, started := false, false
	return h.write(ctx, d, func(ctx context.Context) error {
		if now, err = h.vendor.Get(ctx, h.ticket.ExternalID); err != nil {
			return err
		}
		if closed = now.Closed; closed {
			return nil
		}
		started = startedOn(h.ticket, now)
		keep := *h.want.rules.Recovery == RecoveryNote || started && *h.want.rules.Recovery == RecoveryCloseUnlessStarted
		remark := ""
		if keep && started {
			remark = leftOpen
		}
		if _, err := psa.AddNoteOnce(ctx, h.vendor, h.ticket.ExternalID, h.noteOf(d, remark)); err != nil || keep {
			return err
		}
		closed = true
		return h.vendor.Close(ctx, h.ticket.ExternalID, psa.Closing{Resolution: d.Content.Body})
	}, func(u *ent.TicketUpdateOne) {
		seen(u, now)
		if closed {
			u.SetStatus(ticket.StatusClosed).SetClosedAt(h.now())
		} else {
			u.SetStatus(ticket.StatusCreated).SetStarted(started)
		}
	})
}

// seen keeps how the vendor has the ticket.
func seen(u *ent.TicketUpdateOne, r psa.Remote) {
	u.SetExternalStatus(kept(r.Status)).SetExternalAssignee(kept(r.AssigneeID))
}

// maxKept is how much is kept of a vendor's status or id, in bytes.
const maxKept = 128

// kept is a vendor's status or id as it is kept: whole, unless it is longer
// than any that is known.
func kept(value string) string {
	if len(value) <= maxKept {
		return value
	}
	return psa.FitLine(value, maxKept/4)
}

// noteOf is a delivery's text as a note, with a remark at its end.
func (h *hold) noteOf(d *ent.TicketDelivery, remark string) psa.Note {
	return psa.Note{Marker: d.Marker, Title: d.Content.Title, Body: d.Content.Body + remark, Public: *h.want.rules.PublicNotes}
}

// write does something to a ticket that the vendor has, and that can be
// repeated; then it notes what has become of the ticket.
func (h *hold) write(
	ctx context.Context, d *ent.TicketDelivery, do func(context.Context) error, become func(*ent.TicketUpdateOne),
) (more bool, err error) {
	begun, err := h.begin(ctx, d, psa.Draft{})
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
			update := h.update().SetAttempts(0).ClearLastError()
			become(update)
			again, err := h.reopening(ctx)
			if err != nil {
				return err
			}
			if again { // the group's ticket lives on
				update.SetStatus(ticket.StatusPending)
			}
			return update.Exec(ctx)
		})
	case psa.Gone:
		again, err := h.reopening(ctx)
		if err != nil {
			return false, err
		}
		if again {
			return false, h.replace(ctx)
		}
		return false, h.vanished(ctx)
	case psa.Permanent:
		if d.Action == ticketdelivery.ActionNote {
			return true, h.skip(ctx, d, err)
		}
		return false, h.failed(ctx, d, err)
	default:
		return false, h.failed(ctx, d, err)
	}
}

// skip gives a note up that the vendor refuses for good: what follows it, such
// as the closing, does not wait for it.
func (h *hold) skip(ctx context.Context, d *ent.TicketDelivery, cause error) error {
	h.logger.WarnContext(ctx, "ticket note refused", "ticket", h.ticket.ID, "error", cause)
	return h.commit(ctx, func(ctx context.Context) error {
		if err := h.mark(ctx, d, ticketdelivery.StateDead, cause); err != nil {
			return err
		}
		return h.update().SetLastError("a note was refused: " + words(cause)).Exec(ctx)
	})
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
		return let(h.update().SetStatus(ticket.StatusClosed).SetClosedAt(h.now()).ClearNextAttemptAt().
			SetLastError("the ticket no longer exists in the ticketing system")).Exec(ctx)
	})
}
