package autotask

import (
	"context"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Changed implements psa.Watcher. Autotask lists by id.
func (c *Client) Changed(ctx context.Context, since time.Time, cursor string) (psa.ChangedPage, error) {
	const op = "list changed tickets"
	statuses, err := c.picks(ctx, op, "Tickets", "status")
	if err != nil {
		return psa.ChangedPage{}, err
	}
	found, next, err := page[ticket](ctx, c, op, "Tickets", search{
		IncludeFields: ticketFields,
		Filter:        []filter{{Op: "gte", Field: "lastActivityDate", Value: since.UTC().Format(time.RFC3339)}},
	}, cursor)
	if err != nil {
		return psa.ChangedPage{}, err
	}
	changed := psa.ChangedPage{Next: next}
	for _, t := range found {
		if t.ID > 0 {
			changed.Tickets = append(changed.Tickets, c.remote(t, statuses))
		}
	}
	return changed, nil
}
