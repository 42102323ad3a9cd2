package syncro

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

type comment struct {
	ID        int64     `json:"id"`
	Subject   string    `json:"subject"`
	Body      string    `json:"body"`
	Hidden    bool      `json:"hidden"`
	CreatedAt time.Time `json:"created_at"`
}

// newComment is what is sent. Without do_not_email Syncro mails the customer.
type newComment struct {
	Subject    string `json:"subject"`
	Body       string `json:"body"`
	Hidden     bool   `json:"hidden"`
	DoNotEmail bool   `json:"do_not_email"`
}

// AddNote implements psa.Noter.
func (c *Client) AddNote(ctx context.Context, ticketID string, n psa.Note) error {
	const op = "add note"
	path, err := ticketPath(op, ticketID)
	if err != nil {
		return err
	}
	if n.Marker == "" {
		return &psa.Error{Class: psa.Permanent, Op: op, Err: errors.New("note has no marker: it could not be found again")}
	}
	body := newComment{
		Subject:    cmp.Or(psa.FitLine(n.Title, maxSubject), "Update"),
		Body:       psa.FitWithTail(n.Body, n.Marker, maxBody),
		Hidden:     !n.Public,
		DoNotEmail: true,
	}
	var out struct {
		Comment comment `json:"comment"`
		failed
	}
	call := psa.Call{Op: op, Method: http.MethodPost, Path: path + "/comment", Body: body, Object: true}
	if err := c.http.Do(ctx, call, &out); err != nil {
		return err
	}
	if out.Comment.ID < 1 {
		return c.http.Meaningless(call, out.text(), errors.New("answer holds no comment"))
	}
	return nil
}

// ListNotes implements psa.Noter.
func (c *Client) ListNotes(ctx context.Context, ticketID string) ([]psa.RemoteNote, error) {
	const op = "list notes"
	path, err := ticketPath(op, ticketID)
	if err != nil {
		return nil, err
	}
	found := map[int64]comment{}
	err = c.pages(op, func(page int) (int, error) {
		var out struct {
			Comments *[]comment `json:"comments"`
			Meta     meta       `json:"meta"`
			failed
		}
		call := psa.Call{Op: op, Method: http.MethodGet, Path: path + "/comments", Query: url.Values{"page": {strconv.Itoa(page)}}, Object: true}
		if err := c.http.Do(ctx, call, &out); err != nil {
			return 0, err
		}
		if out.Comments == nil {
			return 0, c.http.Meaningless(call, out.text(), errors.New("answer holds no list of comments"))
		}
		for _, item := range *out.Comments {
			found[item.ID] = item
		}
		return out.Meta.Pages, nil
	})
	if err != nil {
		return nil, err
	}
	notes := make([]psa.RemoteNote, 0, len(found))
	for _, item := range found {
		notes = append(notes, psa.RemoteNote{
			ID: strconv.FormatInt(item.ID, 10), Title: item.Subject, Body: item.Body, Public: !item.Hidden, CreatedAt: item.CreatedAt,
		})
	}
	slices.SortFunc(notes, func(a, b psa.RemoteNote) int { return compareIDs(a.ID, b.ID) })
	return notes, nil
}
