package ticket

import (
	"context"
	"fmt"
	"strings"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticketalert"
	"github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/schema"
)

// maxLines is how many alerts one note names.
const maxLines = 20

// unwritten reports whether a delivery is a note whose text is written when it
// begins, from the alerts that no note names by then.
func unwritten(d *ent.TicketDelivery) bool {
	return d.Action == ticketdelivery.ActionNote && d.Content == (schema.TicketContent{}) && d.State == ticketdelivery.StatePending
}

// compile writes a note's text. The text and what it names are committed
// together, before the note is sent: whatever happens after, the text is not
// written again and no alert is named twice. It reports false if there is
// nothing to say any more.
func (h *hold) compile(ctx context.Context, d *ent.TicketDelivery) (written *ent.TicketDelivery, err error) {
	err = h.commit(ctx, func(ctx context.Context) error {
		written = nil
		pending := h.client.TicketAlert.Query().Where(ticketalert.TicketID(h.ticket.ID), ticketalert.NotedAtIsNil())
		total, err := pending.Clone().Count(ctx)
		if err != nil {
			return err
		}
		// The row decides, should the note be dropped this moment.
		update := h.client.TicketDelivery.Update().Where(ticketdelivery.ID(d.ID), ticketdelivery.StateEQ(ticketdelivery.StatePending))
		if total == 0 {
			return update.SetState(ticketdelivery.StateCancelled).Exec(ctx)
		}
		named, err := pending.Clone().WithAlert().Order(ticketalert.ByID()).Limit(maxLines).All(ctx)
		if err != nil {
			return err
		}
		content := tell(named, total)
		if h.ticket.Storm {
			open, err := h.client.TicketAlert.Query().Where(ticketalert.TicketID(h.ticket.ID), ticketalert.EndedAtIsNil()).Count(ctx)
			if err != nil {
				return err
			}
			content.Body += fmt.Sprintf("\n\n%d alerts of this storm are not over.", open)
		}
		changed, err := update.SetContent(content).Save(ctx)
		if err != nil || changed == 0 {
			return err
		}
		err = h.client.TicketAlert.Update().Where(ticketalert.TicketID(h.ticket.ID), ticketalert.NotedAtIsNil()).
			SetNotedAt(h.now()).Exec(ctx)
		if err != nil {
			return err
		}
		written, err = h.client.TicketDelivery.Get(ctx, d.ID)
		return err
	})
	return written, err
}

// tell is what a note says of alerts that have joined a ticket, or changed: the
// first of so many.
func tell(links []*ent.TicketAlert, total int) schema.TicketContent {
	var lines []string
	over := 0
	for _, l := range links {
		lines = append(lines, "- "+reported(l.Edges.Alert))
		if l.EndedAt != nil {
			over++
		}
	}
	if more := total - len(links); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	title := "Alerts have changed"
	switch over {
	case 0:
		title = "Further alerts"
	case total:
		title = "Alerts over"
	}
	return schema.TicketContent{Title: title, Body: strings.Join(lines, "\n")}
}
