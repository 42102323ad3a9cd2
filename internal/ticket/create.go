package ticket

import (
	"context"
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/ent/ticketingalertconfiguration"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// searchMargin widens the search for a ticket in time: the vendor's clock and
// ours differ.
const searchMargin = time.Hour

// create makes the ticket, or finds the one that was made. It reports whether
// the next delivery can follow.
func (h *hold) create(ctx context.Context, d *ent.TicketDelivery) (more bool, err error) {
	switch d.State {
	case ticketdelivery.StateAttempting:
		// Whoever attempted it did not live to see the answer.
		return true, h.doubt(ctx, d, "the call was interrupted")
	case ticketdelivery.StateUncertain:
		return h.lookUp(ctx, d)
	}
	draft, obstacle, err := h.draft(ctx, d)
	if err != nil {
		return false, err
	}
	if obstacle != "" {
		return false, h.block(ctx, nil, obstacle, h.config.RecheckHeld)
	}
	begun, err := h.begin(ctx, d, draft.CompanyID)
	if err != nil || !begun {
		return true, err
	}
	calling, cancel := h.call(ctx)
	defer cancel()
	made, err := h.vendor.Create(calling, draft)
	if err == nil {
		return true, h.made(ctx, d, made, "")
	}
	if psa.ClassOf(err) == psa.Uncertain {
		h.blame(ctx, d, err)
		return true, h.doubt(ctx, d, words(err))
	}
	return false, h.failed(ctx, d, err)
}

// draft is the ticket to be made, as the configuration is now; or what stands
// in its way.
func (h *hold) draft(ctx context.Context, d *ent.TicketDelivery) (draft psa.Draft, obstacle string, err error) {
	company, err := h.company(ctx)
	if err != nil || company == "" {
		return psa.Draft{}, "no company is mapped to the organization: the ticket is held until one is", err
	}
	a, err := h.client.Alert.Get(ctx, h.ticket.AlertID)
	if err != nil {
		return psa.Draft{}, "", err
	}
	configured, err := applying(ctx, h.client, h.ticket.OrganizationID, a.Type, ticketingalertconfiguration.IntegrationID(h.integration.ID))
	if err != nil {
		return psa.Draft{}, "", err
	}
	if len(configured) == 0 {
		return psa.Draft{}, "the alert's type is not configured for the integration", nil
	}
	driver, err := h.drivers.For(psa.Kind(h.integration.Kind))
	if err != nil {
		return psa.Draft{}, words(err), nil
	}
	settings, err := driver.Settings(configured[0].Settings)
	if err != nil {
		return psa.Draft{}, words(err), nil
	}
	draft = psa.Draft{
		Marker: d.Marker, CompanyID: company, Title: d.Content.Title, Body: d.Content.Body, Settings: settings,
	}
	if h.ticket.DueAt != nil {
		draft.Due = *h.ticket.DueAt
	}
	return draft, "", nil
}

// company is the vendor's company that the ticket is for; "" if it has to wait
// for one.
func (h *hold) company(ctx context.Context) (string, error) {
	return h.companyOf(ctx, h.integration, h.ticket.OrganizationID)
}

// made records the ticket that the vendor has.
func (h *hold) made(ctx context.Context, d *ent.TicketDelivery, r psa.Remote, remark string) error {
	return h.commit(ctx, func(ctx context.Context) error {
		if err := h.delivered(ctx, d); err != nil {
			return err
		}
		return h.update().SetStatus(ticket.StatusCreated).
			SetExternalID(r.ID).SetExternalNumber(r.Number).SetAttempts(0).SetLastError(remark).Exec(ctx)
	})
}

// delivered records that the vendor has what a delivery says, within a commit.
func (h *hold) delivered(ctx context.Context, d *ent.TicketDelivery) error {
	return h.client.TicketDelivery.UpdateOneID(d.ID).
		SetState(ticketdelivery.StateDone).SetDeliveredAt(h.now()).ClearLastError().Exec(ctx)
}

// doubt records that a ticket may or may not have been made.
func (h *hold) doubt(ctx context.Context, d *ent.TicketDelivery, why string) error {
	return h.commit(ctx, func(ctx context.Context) error {
		err := h.client.TicketDelivery.UpdateOneID(d.ID).
			SetState(ticketdelivery.StateUncertain).SetLookups(0).SetLastError(why).Exec(ctx)
		if err != nil {
			return err
		}
		return h.update().SetLastError(why).Exec(ctx)
	})
}

// lookUp searches for a ticket in doubt. Found, it is taken; absent, it is
// searched for again after a pause, since indexes lag; and still absent after
// the last pause, it is to be sent again.
func (h *hold) lookUp(ctx context.Context, d *ent.TicketDelivery) (more bool, err error) {
	company := h.ticket.ExternalCompanyID
	if company == "" {
		if company, err = h.company(ctx); err != nil {
			return false, err
		}
	}
	if company == "" {
		return false, h.block(ctx, nil, "no company is mapped to the organization: the ticket cannot be looked for", h.config.RecheckHeld)
	}
	calling, cancel := h.call(ctx)
	defer cancel()
	found, err := h.vendor.Find(calling, d.Marker, company, h.ticket.CreatedAt.Add(-searchMargin))
	if err != nil {
		return false, h.failed(ctx, d, err)
	}
	if len(found) > 0 {
		remark, err := h.closeOthers(ctx, found[0], found[1:])
		if err != nil {
			return false, h.failed(ctx, d, err)
		}
		return true, h.made(ctx, d, found[0], remark)
	}
	err = h.commit(ctx, func(ctx context.Context) error {
		update := h.client.TicketDelivery.UpdateOneID(d.ID).AddLookups(1)
		if d.Lookups >= len(h.config.LookupPauses) {
			more = true
			return update.SetState(ticketdelivery.StatePending).Exec(ctx)
		}
		if err := update.Exec(ctx); err != nil {
			return err
		}
		return h.wait(ctx, h.now().Add(h.config.LookupPauses[d.Lookups]), h.update())
	})
	return more, err
}

// closeOthers closes all tickets of an incident but one, each with a note that
// says why. It can be repeated.
func (h *hold) closeOthers(ctx context.Context, kept psa.Remote, others []psa.Remote) (remark string, err error) {
	if len(others) == 0 {
		return "", nil
	}
	calling, cancel := h.call(ctx)
	defer cancel()
	for _, r := range others {
		if r.Closed {
			continue
		}
		note := psa.Note{
			Marker: psa.NoteMarker(h.ticket.Marker, "duplicate|"+r.ID), Title: "Duplicate",
			Body: "This ticket is a duplicate of " + kept.Number + ": an answer got lost when it was made.",
		}
		if _, err := psa.AddNoteOnce(calling, h.vendor, r.ID, note); err != nil && psa.ClassOf(err) != psa.Gone {
			return "", err
		}
		if err := h.vendor.Close(calling, r.ID, psa.Closing{Resolution: note.Body}); err != nil && psa.ClassOf(err) != psa.Gone {
			return "", err
		}
	}
	h.logger.WarnContext(ctx, "closed duplicates of a ticket", "ticket", h.ticket.ID, "kept", kept.ID, "closed", len(others))
	return fmt.Sprintf("the vendor had %d tickets for this alert: all but %s are closed as duplicates", len(others)+1, kept.Number), nil
}
