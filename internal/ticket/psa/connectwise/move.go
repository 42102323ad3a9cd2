package connectwise

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// operation is one step of a PATCH. Whole objects are replaced: a path into
// one is answered with 200 and changes nothing.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// medium is what a ticket's severity and impact become if nobody has set them:
// ConnectWise refuses to update a ticket without.
const medium = "Medium"

// SetStatus implements psa.Mover.
func (c *Client) SetStatus(ctx context.Context, ticketID, statusID string) error {
	const op = "set ticket status"
	wanted, err := parseID(op, "status", statusID)
	if err != nil {
		return err
	}
	t, err := c.read(ctx, op, ticketID)
	if err != nil {
		return err
	}
	return c.move(ctx, op, t, wanted)
}

// Close implements psa.Mover. Without a status it takes a closed one of the
// ticket's board, and leaves a ticket that somebody has closed as it is.
// ConnectWise keeps no resolution text beside the notes.
func (c *Client) Close(ctx context.Context, ticketID string, closing psa.Closing) error {
	return c.moveTo(ctx, "close ticket", ticketID, closing.Status, true)
}

// Reopen implements psa.Mover. Without a status it takes the board's status of
// new tickets, and leaves a ticket that is open as it is.
func (c *Client) Reopen(ctx context.Context, ticketID, statusID string) error {
	return c.moveTo(ctx, "reopen ticket", ticketID, statusID, false)
}

func (c *Client) moveTo(ctx context.Context, op, ticketID, statusID string, closed bool) error {
	if statusID != "" {
		wanted, err := parseID(op, "status", statusID)
		if err != nil {
			return err
		}
		t, err := c.read(ctx, op, ticketID)
		if err != nil {
			return err
		}
		return c.move(ctx, op, t, wanted)
	}
	t, err := c.read(ctx, op, ticketID)
	if err != nil || t.Closed == closed {
		return err
	}
	all, err := c.statuses(ctx, op, t.Board.ID)
	if err != nil {
		return err
	}
	wanted, ok := preferred(all, closed)
	if !ok {
		what := "open"
		if closed {
			what = "closed"
		}
		return &psa.Error{Class: psa.Permanent, Op: op, Vendor: fmt.Sprintf("the board %s has no active %s status", strconv.Quote(t.Board.Name), what)}
	}
	return c.move(ctx, op, t, wanted.ID)
}

// preferred is a board's status for tickets that are closed, or reopened.
func preferred(all []status, closed bool) (status, bool) {
	fit := slices.DeleteFunc(slices.Clone(all), func(s status) bool { return s.ID < 1 || s.Inactive || s.Closed != closed })
	if len(fit) == 0 {
		return status{}, false
	}
	return slices.MinFunc(fit, func(a, b status) int {
		return cmp.Or(rank(a)-rank(b), cmp.Compare(a.Order, b.Order), cmp.Compare(a.ID, b.ID))
	}), true
}

// rank puts the board's default first. Names that begin with ">" are, by
// convention, those whose workflow mails the customer: they come last.
func rank(s status) int {
	switch {
	case s.Default:
		return 0
	case strings.HasPrefix(strings.TrimSpace(s.Name), ">"):
		return 3
	case strings.EqualFold(strings.TrimSpace(s.Name), "Closed"):
		return 1
	}
	return 2
}

// move replaces a ticket's status, and believes it once the answer shows it.
func (c *Client) move(ctx context.Context, op string, t ticket, wanted int64) error {
	if t.Status.ID == wanted {
		return nil
	}
	changes := []operation{{"replace", "status", chosen{wanted}}}
	if t.Severity == "" {
		changes = append(changes, operation{"replace", "severity", medium})
	}
	if t.Impact == "" {
		changes = append(changes, operation{"replace", "impact", medium})
	}
	moved, err := c.one(ctx, psa.Call{Op: op, Method: http.MethodPatch, Path: "/service/tickets/" + strconv.FormatInt(t.ID, 10), Body: changes, Object: true})
	if err != nil {
		return err
	}
	if moved.Status.ID != wanted {
		return &psa.Error{Class: psa.Permanent, Op: op, Vendor: fmt.Sprintf("the status is still %s: a workflow rule of the board may have changed it", strconv.Quote(moved.Status.Name))}
	}
	return nil
}
