package ticket

import (
	"context"
	"fmt"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketalert"
	"github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// reopen puts a closed ticket back to work, with a note that says why. One that
// is open in another status than a reopening gives it keeps that: somebody works
// on it. It can be repeated.
func (h *hold) reopen(ctx context.Context, d *ent.TicketDelivery) (more bool, err error) {
	var now psa.Remote
	reopened := false
	return h.write(ctx, d, func(ctx context.Context) error {
		if now, err = h.vendor.Get(ctx, h.ticket.ExternalID); err != nil {
			return err
		}
		if reopened = now.Closed; reopened {
			if err := h.vendor.Reopen(ctx, now.ID, h.ticket.InitialStatus); err != nil {
				return err
			}
			if now, err = h.vendor.Get(ctx, h.ticket.ExternalID); err != nil {
				return err
			}
		}
		_, err := psa.AddNoteOnce(ctx, h.vendor, h.ticket.ExternalID, h.noteOf(d, ""))
		return err
	}, func(u *ent.TicketUpdateOne) {
		u.SetStatus(ticket.StatusCreated).ClearClosedAt().SetClosedByTechnician(false)
		if reopened || h.ticket.InitialStatus == "" || kept(now.Status) == h.ticket.InitialStatus {
			u.SetStarted(false).SetInitialStatus(kept(now.Status)).SetInitialAssignee(kept(now.AssigneeID))
		} else {
			u.SetStarted(true)
		}
		seen(u, now)
	})
}

// replace makes another ticket in place of one that is gone at the vendor and
// was to be reopened. The organization is locked first, as for every new
// ticket of a group.
func (h *hold) replace(ctx context.Context) error {
	return h.db.InTx(ctx, func(ctx context.Context) error {
		if err := h.outbox.lockOrganization(ctx, h.ticket.OrganizationID); err != nil {
			return err
		}
		if err := h.vanished(ctx); err != nil {
			return err
		}
		open, err := h.client.TicketAlert.Query().
			Where(ticketalert.TicketID(h.ticket.ID), ticketalert.EndedAtIsNil()).
			WithAlert().Order(ticketalert.ByID()).All(ctx)
		if err != nil || len(open) == 0 {
			return err
		}
		first := open[0].Edges.Alert
		w, configured, err := h.outbox.wantOf(ctx, h.integration, h.ticket.OrganizationID, first.Type)
		if err != nil || !configured {
			return err
		}
		d := decision{ticket: h.ticket, group: h.ticket.GroupKey, storm: h.ticket.Storm}
		t, err := h.outbox.open(ctx, first, w, d)
		if err != nil {
			return fmt.Errorf("make a ticket in place of %s: %w", h.ticket.ID, err)
		}
		if len(open) == 1 {
			return nil
		}
		for _, link := range open[1:] {
			if err := h.outbox.link(ctx, t, link.Edges.Alert, false); err != nil {
				return err
			}
		}
		l, err := h.outbox.line(ctx, t)
		if err != nil {
			return err
		}
		return l.changed(ctx, first, w.rules)
	})
}

// reopening reports whether a ticket is to be reopened, within a commit.
func (h *hold) reopening(ctx context.Context) (bool, error) {
	return h.client.TicketDelivery.Query().
		Where(ticketdelivery.TicketID(h.ticket.ID), ticketdelivery.ActionEQ(ticketdelivery.ActionReopen), left()).Exist(ctx)
}
