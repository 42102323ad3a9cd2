package connectwise

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Changed implements psa.Watcher. The pages go by id: ordered by the time of
// the change, a ticket that changes again meanwhile would move to the end, and
// the one behind it onto a page that has been read.
func (c *Client) Changed(ctx context.Context, since time.Time, cursor string) (psa.ChangedPage, error) {
	const op = "list changed tickets"
	number := 1
	if cursor != "" {
		var err error
		if number, err = strconv.Atoi(cursor); err != nil || number < 1 {
			return psa.ChangedPage{}, &psa.Error{Class: psa.Permanent, Op: op, Err: fmt.Errorf("cursor %q is not one of ours", cursor)}
		}
	}
	found, err := page[ticket](ctx, c, listing{
		op: op, path: "/service/tickets", order: "id asc",
		conditions: "lastUpdated>=[" + since.UTC().Format("2006-01-02T15:04:05Z") + "]",
	}, number)
	if err != nil {
		return psa.ChangedPage{}, err
	}
	var changed psa.ChangedPage
	for _, t := range found {
		if t.ID > 0 {
			changed.Tickets = append(changed.Tickets, c.remote(t))
		}
	}
	if len(found) == perPage {
		changed.Next = strconv.Itoa(number + 1)
	}
	return changed, nil
}
