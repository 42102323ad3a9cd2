package autotask

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

var _ psa.Hooker = (*Client)(nil)

// Bounds of a webhook, in characters.
const (
	maxHookName   = 50
	maxHookSecret = 64
	maxHookURL    = 500
)

// hook is a webhook as Autotask describes it.
type hook struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Active flag   `json:"isActive"`
	Owner  int64  `json:"ownerResourceID"`
}

// newHook is what Subscribe sends. Changes are called about when a field
// changes that is subscribed to.
type newHook struct {
	Name            string `json:"name"`
	URL             string `json:"webhookUrl"`
	DeactivationURL string `json:"deactivationUrl"`
	Secret          string `json:"secretKey"`
	Active          bool   `json:"isActive"`
	OnCreate        bool   `json:"isSubscribedToCreateEvents"`
	OnUpdate        bool   `json:"isSubscribedToUpdateEvents"`
	OnDelete        bool   `json:"isSubscribedToDeleteEvents"`
}

// Subscribe implements psa.Hooker: calls about a ticket's status and assignee,
// and its deletion, but not about what the API user itself does. A webhook that
// could not be completed is deleted again.
func (c *Client) Subscribe(ctx context.Context, r psa.HookRequest) (string, error) {
	const op = "make webhook"
	if r.Name == "" || len(r.Name) > maxHookName || r.Secret == "" || len(r.Secret) > maxHookSecret ||
		r.URL == "" || len(r.URL) > maxHookURL || r.DeactivationURL == "" || len(r.DeactivationURL) > maxHookURL {
		return "", &psa.Error{Class: psa.Permanent, Op: op, Err: errors.New("a webhook takes a name, a secret and two addresses, none of them too long")}
	}
	status, assignee, err := c.hookFields(ctx, op)
	if err != nil {
		return "", err
	}
	if err := c.removeHooks(ctx, op, r.Name); err != nil {
		return "", err
	}
	id, err := c.write(ctx, psa.Call{Op: op, Method: http.MethodPost, Path: "/TicketWebhooks", Body: newHook{
		Name: r.Name, URL: r.URL, DeactivationURL: r.DeactivationURL, Secret: r.Secret, Active: true, OnUpdate: true, OnDelete: true,
	}})
	if err != nil {
		return "", err
	}
	made := strconv.FormatInt(id, 10)
	if err := c.completeHook(ctx, op, id, status, assignee); err != nil {
		return "", errors.Join(err, c.Unsubscribe(context.WithoutCancel(ctx), made))
	}
	return made, nil
}

// hookFields are Autotask's numbers of the fields whose changes we want to hear
// of. Without the assignee's, 0, we hear of that later.
func (c *Client) hookFields(ctx context.Context, op string) (status, assignee int64, err error) {
	fields, err := c.readFields(ctx, op, "TicketWebhookFields")
	if err != nil {
		return 0, 0, err
	}
	values, err := picklist(op, fields, "TicketWebhookFields", "fieldID")
	if err != nil {
		return 0, 0, err
	}
	for _, v := range values {
		number, err := strconv.ParseInt(v.Value, 10, 64)
		if err != nil {
			continue
		}
		switch strings.ToLower(strings.ReplaceAll(v.Label, " ", "")) {
		case "status":
			status = number
		case "assignedresource", "assignedresourceid":
			assignee = number
		}
	}
	if status == 0 {
		return 0, 0, &psa.Error{Class: psa.Permanent, Op: op, Err: errors.New("the account's webhooks know no field for the status")}
	}
	return status, assignee, nil
}

func (c *Client) completeHook(ctx context.Context, op string, id, status, assignee int64) error {
	at := "/TicketWebhooks/" + strconv.FormatInt(id, 10)
	for _, field := range []int64{status, assignee} {
		if field == 0 {
			continue
		}
		body := map[string]any{"webhookID": id, "fieldID": field, "isSubscribedField": true, "isDisplayAlwaysField": false}
		if _, err := c.write(ctx, psa.Call{Op: op, Method: http.MethodPost, Path: at + "/Fields", Body: body}); err != nil {
			return err
		}
	}
	made, err := item[hook](ctx, c, op, "TicketWebhooks", strconv.FormatInt(id, 10))
	if err != nil {
		return err
	}
	if made.Owner == 0 {
		return nil // nothing says who we are: we recognize our own changes anyway
	}
	body := map[string]any{"webhookID": id, "resourceID": made.Owner}
	_, err = c.write(ctx, psa.Call{Op: op, Method: http.MethodPost, Path: at + "/ExcludedResources", Body: body})
	return err
}

// removeHooks deletes the webhooks of a name.
func (c *Client) removeHooks(ctx context.Context, op, name string) error {
	found, err := all[hook](ctx, c, op, "TicketWebhooks", search{
		IncludeFields: []string{"id", "name"}, Filter: []filter{equal("name", name)},
	})
	if err != nil {
		return err
	}
	for _, h := range found {
		if !strings.EqualFold(h.Name, name) {
			continue
		}
		if err := c.Unsubscribe(ctx, strconv.FormatInt(h.ID, 10)); err != nil {
			return err
		}
	}
	return nil
}

// Unsubscribe implements psa.Hooker.
func (c *Client) Unsubscribe(ctx context.Context, id string) error {
	const op = "delete webhook"
	number, err := parseID(op, "webhook", id, 1)
	if err != nil {
		return err
	}
	id = strconv.FormatInt(number, 10)
	_, err = c.write(ctx, psa.Call{Op: op, Method: http.MethodDelete, Path: "/TicketWebhooks/" + id, Object: true})
	if class := psa.ClassOf(err); class != psa.Permanent && class != psa.Gone {
		return err
	}
	// Autotask refuses to delete what is not there in words of no fixed form.
	if _, why := item[hook](ctx, c, op, "TicketWebhooks", id); psa.ClassOf(why) != psa.Gone {
		return err
	}
	return nil
}

// Subscribed implements psa.Hooker.
func (c *Client) Subscribed(ctx context.Context, id string) (bool, error) {
	const op = "read webhook"
	number, err := parseID(op, "webhook", id, 1)
	if err != nil {
		return false, err
	}
	found, err := item[hook](ctx, c, op, "TicketWebhooks", strconv.FormatInt(number, 10))
	if psa.ClassOf(err) == psa.Gone {
		return false, nil
	}
	return bool(found.Active), err
}

var errForged = errors.New("the call is not signed with the webhook's secret")

// Event implements psa.Hooker, and asks nobody.
func (c *Client) Event(_ context.Context, secret string, header http.Header, body []byte) (psa.Event, error) {
	if !Verify(secret, header.Get(SignatureHeader), body) {
		return psa.Event{}, errForged
	}
	e, err := ParseEvent(body)
	if err != nil {
		return psa.Event{}, err
	}
	event := psa.Event{ID: e.Webhook + "|" + strconv.FormatInt(e.Sequence, 10), At: e.At}
	if e.Entity == TicketEntity {
		event.TicketID = e.ID
	}
	return event, nil
}
