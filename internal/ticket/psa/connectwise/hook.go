package connectwise

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

var _ psa.Hooker = (*Client)(nil)

// everything is the object id of a callback about all records of an owner.
const everything = 1

// maxCallbackName is how long a callback's description may be, in characters.
const maxCallbackName = 100

// entry is a callback as ConnectWise keeps it.
type entry struct {
	ID             int64  `json:"id,omitempty"`
	Description    string `json:"description"`
	URL            string `json:"url"`
	ObjectID       int64  `json:"objectId"`
	Type           string `json:"type"`
	Level          string `json:"level"`
	SelfSuppressed bool   `json:"isSelfSuppressedFlag"`
	Inactive       *bool  `json:"inactiveFlag,omitempty"`
}

// Subscribe implements psa.Hooker: calls about every ticket, but not about what
// the API member itself does.
func (c *Client) Subscribe(ctx context.Context, r psa.HookRequest) (string, error) {
	const op = "make callback"
	named, ok := equal("description", r.Name)
	if !ok || len(r.Name) > maxCallbackName || r.URL == "" {
		return "", &psa.Error{Class: psa.Permanent, Op: op, Err: errors.New("a callback takes a name and an address")}
	}
	left, err := every[entry](ctx, c, listing{op: op, path: "/system/callbacks", order: "id asc", conditions: named})
	if err != nil {
		return "", err
	}
	for _, e := range left {
		if e.Description != r.Name {
			continue
		}
		if err := c.Unsubscribe(ctx, strconv.FormatInt(e.ID, 10)); err != nil {
			return "", err
		}
	}
	call := psa.Call{Op: op, Method: http.MethodPost, Path: "/system/callbacks", Body: entry{
		Description: r.Name, URL: r.URL, ObjectID: everything, Type: "ticket", Level: "owner", SelfSuppressed: true,
	}}
	var made entry
	if err := c.do(ctx, call, &made); err != nil {
		return "", err
	}
	if made.ID < 1 {
		return "", &psa.Error{Class: psa.Uncertain, Op: op, Err: errors.New("answer holds no id")}
	}
	return strconv.FormatInt(made.ID, 10), nil
}

// Unsubscribe implements psa.Hooker.
func (c *Client) Unsubscribe(ctx context.Context, id string) error {
	const op = "delete callback"
	number, err := parseID(op, "callback", id)
	if err != nil {
		return err
	}
	call := psa.Call{Op: op, Method: http.MethodDelete, Path: "/system/callbacks/" + strconv.FormatInt(number, 10), Object: true}
	if err := c.do(ctx, call, nil); psa.ClassOf(err) != psa.Gone {
		return err
	}
	return nil
}

// Subscribed implements psa.Hooker.
func (c *Client) Subscribed(ctx context.Context, id string) (bool, error) {
	const op = "read callback"
	number, err := parseID(op, "callback", id)
	if err != nil {
		return false, err
	}
	var found entry
	call := psa.Call{Op: op, Method: http.MethodGet, Path: "/system/callbacks/" + strconv.FormatInt(number, 10), Object: true}
	err = c.do(ctx, call, &found)
	if psa.ClassOf(err) == psa.Gone {
		return false, nil
	}
	return found.ID == number && (found.Inactive == nil || !*found.Inactive), err
}

// Event implements psa.Hooker. ConnectWise signs with a key of its own, so the
// secret is of no use.
func (c *Client) Event(ctx context.Context, _ string, header http.Header, body []byte) (psa.Event, error) {
	callback, err := c.Callback(ctx, body, header.Get(SignatureHeader))
	if err != nil {
		return psa.Event{}, err
	}
	event := psa.Event{ID: callback.MessageID}
	if event.ID == "" {
		sum := sha256.Sum256(body)
		event.ID = hex.EncodeToString(sum[:])
	}
	if callback.Type == "ticket" {
		event.TicketID = callback.ID
	}
	// A deleted ticket was last updated at any time before.
	if callback.Action != "deleted" && callback.Entity != nil {
		var about ticket
		if err := json.Unmarshal(callback.Entity, &about); err == nil {
			event.At = about.Info.Updated.Time
		}
	}
	return event, nil
}
