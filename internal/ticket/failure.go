package ticket

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// failed records that a call came to nothing, and what follows from that.
func (h *hold) failed(ctx context.Context, d *ent.TicketDelivery, cause error) error {
	class := psa.ClassOf(cause)
	h.logger.InfoContext(ctx, "ticket delivery failed", "ticket", h.ticket.ID, "action", d.Action, "class", class, "error", cause)
	h.blame(ctx, d, cause)
	state := h.after(d, class)
	switch class {
	case psa.Throttled:
		wait, err := h.throttled(ctx, cause)
		if err != nil {
			return err
		}
		h.throttledUntil = h.now().Add(wait)
		return h.postpone(ctx, d, state, cause, h.throttledUntil, 0)
	case psa.Auth:
		h.refused = true
		return h.commit(ctx, func(ctx context.Context) error {
			if err := h.mark(ctx, d, state, cause); err != nil {
				return err
			}
			if err := h.pause(ctx, h.integration, h.ticket.OrganizationID, cause); err != nil {
				return err
			}
			return h.wait(ctx, h.now().Add(h.config.RecheckHeld), h.update().SetLastError(words(cause)))
		})
	case psa.Permanent, psa.Gone:
		if state != ticketdelivery.StateUncertain {
			return h.block(ctx, d, words(cause), 0)
		}
	}
	attempts := h.ticket.Attempts + 1
	if attempts >= h.config.MaxAttempts && h.now().Sub(d.CreatedAt) >= h.config.MaxAge {
		return h.giveUp(ctx, d, cause, attempts)
	}
	return h.postpone(ctx, d, state, cause, h.now().Add(h.pauseAfter(attempts, d, state)), attempts)
}

// throttled is for how long no call of the account is wanted, or left.
func (h *hold) throttled(ctx context.Context, cause error) (time.Duration, error) {
	if e, ok := errors.AsType[*psa.Error](cause); ok && e.RetryAfter > 0 {
		return e.RetryAfter, nil
	}
	wait, err := h.gate.Wait(context.WithoutCancel(ctx))
	return cmp.Or(wait, h.config.ThrottlePause), err
}

// blame lists what the vendor refused or failed at for a delivery.
func (h *hold) blame(ctx context.Context, d *ent.TicketDelivery, cause error) {
	h.mistake(ctx, mistake{
		integration: h.integration, organization: h.ticket.OrganizationID, ticket: h.ticket.ID,
		operation: strings.ToLower(string(d.Action)), cause: cause,
	})
}

// after is the state in which a failed call leaves its delivery.
func (h *hold) after(d *ent.TicketDelivery, class psa.Class) ticketdelivery.State {
	switch {
	case d.Action == ticketdelivery.ActionCreate && d.State == ticketdelivery.StateUncertain:
		return ticketdelivery.StateUncertain // the look-up failed: nothing new is known
	case class == psa.Uncertain:
		return ticketdelivery.StateUncertain
	default:
		return ticketdelivery.StatePending
	}
}

// pauseAfter is how long to wait after so many failures, in a row.
func (h *hold) pauseAfter(attempts int, d *ent.TicketDelivery, state ticketdelivery.State) time.Duration {
	pause := min(h.config.Backoff<<min(attempts-1, 20), h.config.MaxBackoff)
	pause = time.Duration(float64(pause) * (0.8 + 0.4*rand.Float64())) //nolint:gosec // spreads load, hides nothing
	if state == ticketdelivery.StateUncertain && d.Action != ticketdelivery.ActionCreate {
		// A note that was written may not be listed at once.
		pause = max(pause, h.config.LookupPauses[0])
	}
	return pause
}

// postpone has a delivery tried again at a time. Zero attempts leave the count.
func (h *hold) postpone(ctx context.Context, d *ent.TicketDelivery, state ticketdelivery.State, cause error, until time.Time, attempts int) error {
	return h.commit(ctx, func(ctx context.Context) error {
		if err := h.mark(ctx, d, state, cause); err != nil {
			return err
		}
		update := h.update().SetLastError(words(cause))
		if attempts > 0 {
			update.SetAttempts(attempts)
		}
		return h.wait(ctx, until, update)
	})
}

// mark records a delivery's state and what went wrong, within a commit.
func (h *hold) mark(ctx context.Context, d *ent.TicketDelivery, state ticketdelivery.State, cause error) error {
	update := h.client.TicketDelivery.UpdateOneID(d.ID).SetState(state).SetLastError(words(cause))
	e, ok := errors.AsType[*psa.Error](cause)
	if ok && e.Class == psa.Throttled && e.Status == 0 && d.Action == ticketdelivery.ActionCreate && d.State == ticketdelivery.StatePending {
		update.AddAttempts(-1) // we did not let it go: the vendor cannot have it twice
	}
	return update.Exec(ctx)
}

// block leaves a ticket alone until somebody changes what stands in its way;
// with a recheck, also until then. A delivery that the vendor refused is
// blocked with it.
func (h *hold) block(ctx context.Context, d *ent.TicketDelivery, obstacle string, recheck time.Duration) error {
	return h.commit(ctx, func(ctx context.Context) error {
		if d != nil {
			err := h.client.TicketDelivery.UpdateOneID(d.ID).
				SetState(ticketdelivery.StateBlocked).SetLastError(obstacle).Exec(ctx)
			if err != nil {
				return err
			}
		}
		update := h.update().SetStatus(ticket.StatusBlocked).SetLastError(obstacle)
		if recheck == 0 {
			return let(update.ClearNextAttemptAt()).Exec(ctx)
		}
		return let(update.SetNextAttemptAt(h.now().Add(recheck))).Exec(ctx)
	})
}

// giveUp ends the attempts at a ticket, and tells the technicians.
func (h *hold) giveUp(ctx context.Context, d *ent.TicketDelivery, cause error, attempts int) error {
	return h.commit(ctx, func(ctx context.Context) error {
		if err := h.mark(ctx, d, ticketdelivery.StateDead, cause); err != nil {
			return err
		}
		err := let(h.update().SetStatus(ticket.StatusFailed).SetAttempts(attempts).
			SetLastError(words(cause)).ClearNextAttemptAt()).Exec(ctx)
		if err != nil {
			return err
		}
		return h.alarms.Alarm(ctx, h.ticket.OrganizationID, alertDeliveryFailed, h.ticket.ID,
			"A ticket could not be delivered",
			"The ticket "+h.ticket.ID+" for the alert "+h.ticket.AlertID+" was given up. The ticketing system said last: "+words(cause))
	})
}
