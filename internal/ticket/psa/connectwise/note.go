package connectwise

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

type note struct {
	ID         int64  `json:"id"`
	Text       string `json:"text"`
	Discussion bool   `json:"detailDescriptionFlag"`
	Internal   bool   `json:"internalAnalysisFlag"`
	Resolution bool   `json:"resolutionFlag"`
	Created    stamp  `json:"dateCreated"`
}

// newNote is what is sent. Without processNotifications, which is on unless it
// is sent, ConnectWise mails whoever follows the ticket.
type newNote struct {
	Text       string `json:"text"`
	Discussion bool   `json:"detailDescriptionFlag"`
	Internal   bool   `json:"internalAnalysisFlag"`
	Notify     bool   `json:"processNotifications"`
}

// AddNote implements psa.Noter. ConnectWise's notes have no title.
func (c *Client) AddNote(ctx context.Context, ticketID string, n psa.Note) error {
	const op = "add note"
	path, err := ticketPath(op, ticketID)
	if err != nil {
		return err
	}
	if n.Marker == "" {
		return &psa.Error{Class: psa.Permanent, Op: op, Err: errors.New("note has no marker: it could not be found again")}
	}
	var made note
	body := newNote{Text: psa.FitWithTail(n.Body, n.Marker, maxText), Discussion: n.Public, Internal: !n.Public}
	if err := c.do(ctx, psa.Call{Op: op, Method: http.MethodPost, Path: path + "/notes", Body: body, Object: true}, &made); err != nil {
		return err
	}
	if made.ID < 1 {
		return &psa.Error{Class: psa.Uncertain, Op: op, Err: errors.New("answer holds no note")}
	}
	return nil
}

// ListNotes implements psa.Noter. The ticket's first text is among them.
func (c *Client) ListNotes(ctx context.Context, ticketID string) ([]psa.RemoteNote, error) {
	const op = "list notes"
	path, err := ticketPath(op, ticketID)
	if err != nil {
		return nil, err
	}
	found, err := every[note](ctx, c, listing{op: op, path: path + "/notes", order: "id asc", object: true})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b note) int { return cmp.Compare(a.ID, b.ID) })
	found = slices.CompactFunc(found, func(a, b note) bool { return a.ID == b.ID })
	notes := make([]psa.RemoteNote, 0, len(found))
	for _, n := range found {
		notes = append(notes, psa.RemoteNote{
			ID: strconv.FormatInt(n.ID, 10), Body: n.Text, Public: !n.Internal || n.Discussion || n.Resolution, CreatedAt: n.Created.Time,
		})
	}
	return notes, nil
}
