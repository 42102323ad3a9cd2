package syncro

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Changed implements psa.Watcher. Syncro lists the newest ticket first; what
// is made or changed meanwhile moves others to later pages, never to earlier
// ones.
func (c *Client) Changed(ctx context.Context, since time.Time, cursor string) (psa.ChangedPage, error) {
	const op = "list changed tickets"
	page := 1
	if cursor != "" {
		var err error
		if page, err = strconv.Atoi(cursor); err != nil || page < 1 {
			return psa.ChangedPage{}, &psa.Error{Class: psa.Permanent, Op: op, Err: fmt.Errorf("cursor %q is not one of ours", cursor)}
		}
	}
	var out struct {
		Tickets *[]ticket `json:"tickets"`
		Meta    meta      `json:"meta"`
		failed
	}
	call := psa.Call{Op: op, Method: http.MethodGet, Path: "/tickets", Query: url.Values{
		"since_updated_at": {since.UTC().Format(time.RFC3339)}, "page": {strconv.Itoa(page)},
	}}
	if err := c.http.Do(ctx, call, &out); err != nil {
		return psa.ChangedPage{}, err
	}
	if out.Tickets == nil {
		return psa.ChangedPage{}, c.http.Meaningless(call, out.text(), errors.New("answer holds no list of tickets"))
	}
	var changed psa.ChangedPage
	for _, t := range *out.Tickets {
		if t.ID > 0 {
			changed.Tickets = append(changed.Tickets, c.remote(t))
		}
	}
	if page < out.Meta.Pages {
		changed.Next = strconv.Itoa(page + 1)
	}
	return changed, nil
}
