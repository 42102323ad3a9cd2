package ticket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/internal/ticket/limit"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/schema"
)

// settleTimeout bounds writing down what a call has come to. It runs even when
// the caller's context has ended: what is known must not be forgotten.
const settleTimeout = 20 * time.Second

// errLeaseLost reports that another worker holds the ticket by now.
var errLeaseLost = errors.New("ticket: the lease was lost")

// Deliver takes a ticket's waiting deliveries to the vendor, in order, until
// none is left or one has to wait. It does nothing for a ticket that is not due
// or that another worker holds. What fails at the vendor is written down and
// due again; an error means that it could not be. The scope reaches the
// ticket's organization.
func (s *Service) Deliver(ctx context.Context, id string) error {
	h, err := s.claim(ctx, id)
	if err != nil || h == nil {
		return err
	}
	if h.integration, err = s.client.TicketingIntegration.Get(ctx, h.ticket.IntegrationID); err != nil {
		return err
	}
	h.gate = s.gate(h.integration)
	if h.integration.Status == ticketingintegration.StatusPaused {
		return h.putOff(ctx, h.now().Add(h.config.RecheckHeld))
	}
	wait, err := h.gate.Wait(ctx)
	if err != nil {
		return err
	}
	if wait > 0 {
		return h.putOff(ctx, h.now().Add(wait))
	}
	return h.deliver(ctx)
}

// hold is a ticket that this worker holds.
type hold struct {
	*Service
	lease       string
	ticket      *ent.Ticket
	integration *ent.TicketingIntegration
	gate        *limit.Gate
	vendor      psa.Vendor // nil until it is opened

	// What the vendor said that concerns other tickets too.
	throttledUntil time.Time
	refused        bool       // the credentials
	alert          *ent.Alert // the ticket's first
	want           want       // of that alert's type
	configured     bool
}

// claim takes the lease of a due ticket; nil if there is nothing to claim.
func (s *Service) claim(ctx context.Context, id string) (*hold, error) {
	now := s.now()
	h := &hold{Service: s, lease: uuid.NewString()}
	claimed, err := s.client.Ticket.Update().Where(ticket.ID(id), ripe(now)).
		SetLease(h.lease).SetLeaseUntil(now.Add(s.config.Lease)).Save(ctx)
	if err != nil || claimed == 0 {
		return nil, err
	}
	h.ticket, err = s.client.Ticket.Get(ctx, id)
	return h, err
}

// deliver takes the deliveries of a claimed ticket to the vendor.
func (h *hold) deliver(ctx context.Context) error {
	err := h.run(ctx)
	if errors.Is(err, errLeaseLost) {
		h.logger.WarnContext(ctx, "another worker took over a ticket", "ticket", h.ticket.ID)
		return nil
	}
	if err != nil || h.vendor == nil {
		return err
	}
	calling, cancel := h.call(ctx)
	defer cancel()
	if err := h.gate.Measure(calling, h.vendor); err != nil {
		h.logger.InfoContext(ctx, "measure an account's use", "integration", h.integration.ID, "error", err)
	}
	return nil
}

func (h *hold) run(ctx context.Context) error {
	if h.vendor == nil {
		vendor, err := h.Service.vendor(ctx, h.integration)
		if err != nil {
			h.logger.WarnContext(ctx, "open an integration", "integration", h.integration.ID, "error", err)
			return h.block(ctx, nil, "the integration cannot be opened: "+words(err), h.config.RecheckHeld)
		}
		h.vendor = vendor
	}
	var err error
	if h.alert, err = h.client.Alert.Get(ctx, h.ticket.AlertID); err != nil {
		return err
	}
	if h.want, h.configured, err = h.outbox.wantOf(ctx, h.integration, h.alert.OrganizationID, h.alert.Type); err != nil {
		return err
	}
	for {
		d, err := h.next(ctx)
		if err != nil || d == nil {
			return err
		}
		var more bool
		switch d.Action {
		case ticketdelivery.ActionCreate:
			more, err = h.create(ctx, d)
		case ticketdelivery.ActionNote:
			more, err = h.note(ctx, d)
		case ticketdelivery.ActionClose:
			more, err = h.close(ctx, d)
		case ticketdelivery.ActionReopen:
			more, err = h.reopen(ctx, d)
		default:
			return fmt.Errorf("ticket: no delivery is called %q", d.Action)
		}
		if err != nil || !more {
			return err
		}
	}
}

// commit changes the ticket and its deliveries in one transaction, if the
// lease still holds. The ticket's row is locked first, and the lease renewed.
func (h *hold) commit(ctx context.Context, change func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	return h.db.InTx(ctx, func(ctx context.Context) error {
		held, err := h.client.Ticket.Update().Where(ticket.ID(h.ticket.ID), ticket.Lease(h.lease)).
			SetLeaseUntil(h.now().Add(h.config.Lease)).Save(ctx)
		if err != nil {
			return err
		}
		if held == 0 {
			return errLeaseLost
		}
		return change(ctx)
	})
}

// update begins a change of the ticket's row.
func (h *hold) update() *ent.TicketUpdateOne { return h.client.Ticket.UpdateOneID(h.ticket.ID) }

// let gives the lease back with a change of the ticket's row; nil is no change.
func let(u *ent.TicketUpdateOne) *ent.TicketUpdateOne { return u.ClearLease().ClearLeaseUntil() }

// next is the delivery whose turn it is. Without one, or before its time, the
// ticket is let go.
func (h *hold) next(ctx context.Context) (d *ent.TicketDelivery, err error) {
	err = h.commit(ctx, func(ctx context.Context) error {
		d, err = h.client.TicketDelivery.Query().Where(ticketdelivery.TicketID(h.ticket.ID), left()).
			Order(ticketdelivery.BySequence()).First(ctx)
		if err != nil && !ent.IsNotFound(err) {
			return err
		}
		if d == nil || d.State == ticketdelivery.StateBlocked || d.State == ticketdelivery.StateDead {
			d = nil
			return let(h.update().ClearNextAttemptAt()).Exec(ctx)
		}
		if h.ticket, err = h.client.Ticket.Get(ctx, h.ticket.ID); err != nil || d.State != ticketdelivery.StatePending {
			return err
		}
		return h.early(ctx, &d)
	})
	return d, err
}

// early lets the ticket go if its next delivery is to be done later, within a
// commit: what opens or reopens it is held by maintenance, too.
func (h *hold) early(ctx context.Context, d **ent.TicketDelivery) error {
	now, update, window := h.now(), h.update(), ""
	at := now
	if due := (*d).NotBefore; due != nil && due.After(now) {
		at = *due
	}
	if (*d).Action == ticketdelivery.ActionCreate || (*d).Action == ticketdelivery.ActionReopen {
		var err error
		if at, window, err = h.outbox.maintained(ctx, h.ticket.OrganizationID, at); err != nil {
			return err
		}
	}
	if !at.After(now) {
		return nil
	}
	if window != "" {
		update.SetLastError("held by the maintenance " + psa.FitLine(window, 100) + " until " + stamp(at))
	}
	*d = nil
	return h.wait(ctx, at, update)
}

// begin commits that a call is about to be made, for a draft with what it
// says. It reports false if the delivery is not wanted any more.
func (h *hold) begin(ctx context.Context, d *ent.TicketDelivery, draft psa.Draft) (begun bool, err error) {
	err = h.commit(ctx, func(ctx context.Context) error {
		update := h.client.TicketDelivery.Update().
			Where(ticketdelivery.ID(d.ID), ticketdelivery.StateEQ(d.State)).
			SetState(ticketdelivery.StateAttempting).SetAttemptedAt(h.now()).AddAttempts(1)
		if draft.CompanyID != "" {
			update.SetContent(schema.TicketContent{Title: draft.Title, Body: draft.Body})
		}
		changed, err := update.Save(ctx)
		if err != nil {
			return err
		}
		begun = changed == 1
		if !begun || draft.CompanyID == "" {
			return nil
		}
		h.ticket.ExternalCompanyID = draft.CompanyID
		return h.update().SetExternalCompanyID(draft.CompanyID).SetStatus(ticket.StatusPending).Exec(ctx)
	})
	return begun, err
}

// putOff lets the ticket go until a time, without counting an attempt.
func (h *hold) putOff(ctx context.Context, until time.Time) error {
	return h.commit(ctx, func(ctx context.Context) error { return h.wait(ctx, until, h.update()) })
}

// wait lets the ticket go until a time, within a commit. Its lane comes back
// then.
func (h *hold) wait(ctx context.Context, until time.Time, u *ent.TicketUpdateOne) error {
	until = until.UTC().Truncate(time.Microsecond) // as the databases keep it
	return let(u.SetNextAttemptAt(until)).Exec(ctx)
}

// call bounds a step at the vendor.
func (h *hold) call(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, h.config.CallTimeout)
}
