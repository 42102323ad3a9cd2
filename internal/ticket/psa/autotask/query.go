package autotask

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// filter is one condition of a query.
type filter struct {
	Op    string `json:"op"`
	Field string `json:"field"`
	Value any    `json:"value,omitempty"`
}

func equal(field string, value any) filter { return filter{Op: "eq", Field: field, Value: value} }

// every is the condition that holds for all records: a query needs one.
var every = []filter{{Op: "exist", Field: "id"}}

// search is what a query asks for.
type search struct {
	MaxRecords    int      `json:"MaxRecords"`
	IncludeFields []string `json:"IncludeFields,omitempty"`
	Filter        []filter `json:"filter"`
}

// page reads one page of the records of an entity; cursor is "" for the first,
// and so is next at the end. It queries by GET: the same query by POST could
// not be told from a write when its answer goes missing.
func page[T any](ctx context.Context, c *Client, op, entity string, s search, cursor string) (items []T, next string, err error) {
	call := psa.Call{Op: op, Method: http.MethodGet, Path: "/" + entity + "/query"}
	if cursor == "" {
		s.MaxRecords = c.config.PageSize
		raw, err := json.Marshal(s)
		if err != nil {
			return nil, "", fmt.Errorf("encode query: %w", err)
		}
		call.Query = url.Values{"search": {string(raw)}}
	} else {
		call.Path += "/next"
		if call.Query, err = readCursor(cursor); err != nil {
			return nil, "", &psa.Error{Class: psa.Permanent, Op: op, Err: err}
		}
	}
	var out struct {
		Items *[]T `json:"items"`
		Page  struct {
			Next string `json:"nextPageUrl"`
		} `json:"pageDetails"`
		failed
	}
	if err := c.do(ctx, call, &out); err != nil {
		return nil, "", err
	}
	if out.Items == nil {
		return nil, "", c.discovery.Meaningless(call, out.text(), errors.New("answer holds no list"))
	}
	if out.Page.Next != "" {
		if next, err = c.cursor(out.Page.Next, entity); err != nil {
			return nil, "", c.discovery.Meaningless(call, out.text(), err)
		}
	}
	return *out.Items, next, nil
}

// cursor keeps of the address of the next page what may be believed: that it
// is the same list in the same zone, and its query. The host is the zone's,
// whatever the answer says, because the secret goes there.
func (c *Client) cursor(address, entity string) (string, error) {
	u, err := url.Parse(address)
	z := c.known.zone()
	if err != nil || z == nil || !strings.EqualFold(u.Host, z.root.Host) || u.Scheme != z.root.Scheme || u.User != nil ||
		!strings.EqualFold(u.Path, z.root.JoinPath(entity, "query", "next").Path) {
		return "", errors.New("the next page is not in the account's zone")
	}
	if _, err := url.ParseQuery(u.RawQuery); err != nil || u.RawQuery == "" || len(u.RawQuery) > maxCursor {
		return "", errors.New("the next page's address cannot be read")
	}
	return base64.RawURLEncoding.EncodeToString([]byte(u.RawQuery)), nil
}

// maxCursor bounds the query of a next page, in bytes. Autotask repeats the
// search in it.
const maxCursor = 8 << 10

func readCursor(cursor string) (url.Values, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil && len(raw) > 0 && len(raw) <= maxCursor {
		if query, err := url.ParseQuery(string(raw)); err == nil {
			return query, nil
		}
	}
	return nil, errors.New("cursor is not one of ours")
}

// all reads the whole list. Running into the limit of pages is an error: an
// unread page may hold what is looked for.
func all[T any](ctx context.Context, c *Client, op, entity string, s search) ([]T, error) {
	var items []T
	cursor := ""
	for range c.config.MaxPages {
		more, next, err := page[T](ctx, c, op, entity, s, cursor)
		if err != nil {
			return nil, err
		}
		items = append(items, more...)
		if cursor = next; cursor == "" {
			return items, nil
		}
	}
	return nil, &psa.Error{Class: psa.Uncertain, Op: op, Err: fmt.Errorf("list is longer than %d pages", c.config.MaxPages)}
}

// item reads one record by its id. Class Gone: there is none.
func item[T any](ctx context.Context, c *Client, op, entity, id string) (T, error) {
	var record T
	var out struct {
		Item json.RawMessage `json:"item"`
		failed
	}
	call := psa.Call{Op: op, Method: http.MethodGet, Path: "/" + entity + "/" + id, Object: true}
	if err := c.do(ctx, call, &out); err != nil {
		return record, err
	}
	switch string(out.Item) {
	case "":
		return record, c.discovery.Meaningless(call, out.text(), errors.New("answer holds no record"))
	case "null":
		return record, &psa.Error{Class: psa.Gone, Op: op, Vendor: out.text(), Status: http.StatusOK}
	}
	if err := json.Unmarshal(out.Item, &record); err != nil {
		return record, c.discovery.Meaningless(call, out.text(), fmt.Errorf("decode record: %w", err))
	}
	return record, nil
}

// write sends a call that answers with the id of what it wrote.
func (c *Client) write(ctx context.Context, call psa.Call) (int64, error) {
	var out struct {
		ItemID int64 `json:"itemId"`
		failed
	}
	if err := c.do(ctx, call, &out); err != nil {
		return 0, err
	}
	if out.ItemID < 1 {
		return 0, c.discovery.Meaningless(call, out.text(), errors.New("answer holds no id"))
	}
	return out.ItemID, nil
}
