package ticket

import (
	"context"
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/schema"
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
	begun, err := h.begin(ctx, d, draft)
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

// draft is the ticket to be made, as the alert and the configuration are now;
// or what stands in its way.
func (h *hold) draft(ctx context.Context, d *ent.TicketDelivery) (draft psa.Draft, obstacle string, err error) {
	company, _, err := h.companyOf(ctx, h.integration, h.ticket.OrganizationID)
	if err != nil || company == "" {
		return psa.Draft{}, "no company is mapped to the organization: the ticket is held until one is", err
	}
	if !h.configured {
		return psa.Draft{}, "the alert's type is not configured for the integration", nil
	}
	driver, err := h.drivers.For(psa.Kind(h.integration.Kind))
	if err != nil {
		return psa.Draft{}, words(err), nil
	}
	settings, err := driver.Settings(h.want.configuration.Settings)
	if err != nil {
		return psa.Draft{}, words(err), nil
	}
	text, err := h.text(ctx, h.alert, h.want, h.ticket.Storm)
	if err != nil {
		return psa.Draft{}, "", err
	}
	draft = psa.Draft{
		Marker: d.Marker, CompanyID: company, Title: text.Title, Body: text.Body,
		Public: *h.want.rules.PublicNotes, Settings: settings,
	}
	if h.ticket.DueAt != nil {
		draft.Due = *h.ticket.DueAt
	}
	return draft, "", nil
}

// text is what the ticket of an alert says.
func (s *Service) text(ctx context.Context, a *ent.Alert, w want, storm bool) (schema.TicketContent, error) {
	values, err := s.values(ctx, a)
	if err != nil {
		return schema.TicketContent{}, err
	}
	text := write(w.rules, psa.Kind(w.integration.Kind), values)
	if !storm {
		return text, nil
	}
	title, body := lengths(psa.Kind(w.integration.Kind))
	return schema.TicketContent{
		Title: psa.FitLine("Many alerts at once in "+values["organization.name"], title),
		Body: psa.Fit(fmt.Sprintf("%d tickets were opened within %d minutes. What follows is collected in the notes of this one. It began with:\n\n%s\n\n%s",
			w.integration.StormThreshold, w.integration.StormMinutes, text.Title, text.Body), body),
	}, nil
}

// made records the ticket that the vendor has.
func (h *hold) made(ctx context.Context, d *ent.TicketDelivery, r psa.Remote, remark string) error {
	return h.commit(ctx, func(ctx context.Context) error {
		if err := h.delivered(ctx, d); err != nil {
			return err
		}
		update := h.update().SetStatus(ticket.StatusCreated).
			SetExternalID(r.ID).SetExternalNumber(r.Number).SetExternalURL(r.URL).SetAttempts(0).SetLastError(remark).
			SetInitialAssignee(kept(r.AssigneeID))
		if !r.Closed {
			update.SetInitialStatus(kept(r.Status))
		}
		seen(update, r)
		return update.Exec(ctx)
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
		if company, _, err = h.companyOf(ctx, h.integration, h.ticket.OrganizationID); err != nil {
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
		if err := h.closeWith(calling, r.ID, note); err != nil {
			return "", err
		}
	}
	h.logger.WarnContext(ctx, "closed duplicates of a ticket", "ticket", h.ticket.ID, "kept", kept.ID, "closed", len(others))
	return fmt.Sprintf("the vendor had %d tickets for this alert: all but %s are closed as duplicates", len(others)+1, kept.Number), nil
}

// closeWith closes a ticket that is not wanted, with a note that says why. One
// that is gone will do.
func (h *hold) closeWith(ctx context.Context, id string, note psa.Note) error {
	if _, err := psa.AddNoteOnce(ctx, h.vendor, id, note); err != nil && psa.ClassOf(err) != psa.Gone {
		return err
	}
	if err := h.vendor.Close(ctx, id, psa.Closing{Resolution: note.Body}); err != nil && psa.ClassOf(err) != psa.Gone {
		return err
	}
	return nil
}
