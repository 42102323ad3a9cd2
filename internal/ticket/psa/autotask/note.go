package autotask

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Lengths of a note's fields, in UTF-16 units.
const (
	maxNoteTitle = 250
	maxNote      = 32000
)

// Numbers of Autotask's own values of a note, which the picklists confirm.
const (
	publishAll      = 1
	publishInternal = 2
	noteDetail      = 1
)

type note struct {
	ID        int64  `json:"id"`
	Title     string `json:"title"`
	Body      string `json:"description"`
	Publish   int    `json:"publish"`
	CreatedAt moment `json:"createDateTime"`
}

type newNote struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	NoteType    int    `json:"noteType"`
	Publish     int    `json:"publish"`
}

func internal(p pick) bool {
	return strings.Contains(strings.ToLower(p.Label), "internal")
}

// AddNote implements psa.Noter. Autotask mails nobody for a note made by its
// API, unless a workflow rule of the MSP does.
func (c *Client) AddNote(ctx context.Context, ticketID string, n psa.Note) error {
	const op = "add note"
	id, err := parseID(op, "ticket", ticketID, 1)
	if err != nil {
		return err
	}
	if n.Marker == "" {
		return &psa.Error{Class: psa.Permanent, Op: op, Err: errors.New("note has no marker: it could not be found again")}
	}
	body := newNote{Title: cmp.Or(psa.FitLine(n.Title, maxNoteTitle), "Update"), Description: psa.FitWithTail(n.Body, n.Marker, maxNote)}
	if body.NoteType, body.Publish, err = c.noteKind(ctx, op, n.Public); err != nil {
		return unsent(err)
	}
	call := psa.Call{Op: op, Method: http.MethodPost, Path: "/Tickets/" + strconv.FormatInt(id, 10) + "/Notes", Body: body, Object: true}
	if _, err = c.write(ctx, call); err != nil {
		return c.orGone(ctx, id, err)
	}
	return nil
}

// noteKind finds the values of a note for technicians, or for everyone. Without
// a value that is surely internal, a note for technicians is not sent.
func (c *Client) noteKind(ctx context.Context, op string, public bool) (kind, publish int, err error) {
	kinds, err := c.picks(ctx, op, "TicketNotes", "noteType")
	if err != nil {
		return 0, 0, err
	}
	publics, err := c.picks(ctx, op, "TicketNotes", "publish")
	if err != nil {
		return 0, 0, err
	}
	kind, ok := chosen(kinds, noteDetail, func(p pick) bool { return !p.System })
	if !ok {
		return 0, 0, &psa.Error{Class: psa.Permanent, Op: op, Err: errors.New("the account has no note type that can be used")}
	}
	if public {
		publish, ok = chosen(slices.DeleteFunc(slices.Clone(publics), internal), publishAll, func(p pick) bool { return p.Default })
	} else {
		// Co-managed notes are read by the customer's own technicians.
		theirs := func(p pick) bool { return !internal(p) || strings.Contains(strings.ToLower(p.Label), "co-managed") }
		publish, ok = chosen(slices.DeleteFunc(slices.Clone(publics), theirs), publishInternal, internal)
	}
	if !ok {
		return 0, 0, &psa.Error{Class: psa.Permanent, Op: op, Err: errors.New("the account has no such visibility of notes")}
	}
	return kind, publish, nil
}

// ListNotes implements psa.Noter.
func (c *Client) ListNotes(ctx context.Context, ticketID string) ([]psa.RemoteNote, error) {
	const op = "list notes"
	id, err := parseID(op, "ticket", ticketID, 1)
	if err != nil {
		return nil, err
	}
	publics, err := c.picks(ctx, op, "TicketNotes", "publish")
	if err != nil {
		return nil, err
	}
	found, err := all[note](ctx, c, op, "TicketNotes", search{
		IncludeFields: []string{"id", "title", "description", "publish", "createDateTime"}, Filter: []filter{equal("ticketID", id)},
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		// A query knows no absent ticket, only an empty list.
		if _, err := c.ticket(ctx, op, id); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(found, func(a, b note) int { return cmp.Compare(a.ID, b.ID) })
	notes := make([]psa.RemoteNote, 0, len(found))
	for _, n := range found {
		hidden := slices.ContainsFunc(publics, func(p pick) bool { return p.Value == strconv.Itoa(n.Publish) && internal(p) })
		notes = append(notes, psa.RemoteNote{
			ID: strconv.FormatInt(n.ID, 10), Title: n.Title, Body: n.Body, Public: !hidden, CreatedAt: time.Time(n.CreatedAt),
		})
	}
	return notes, nil
}
