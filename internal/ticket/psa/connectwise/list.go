package connectwise

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// listing is what to list.
type listing struct {
	op         string
	path       string
	conditions string
	order      string // "id asc"; pages shift without one
	fields     string // empty for all
	object     bool   // the path names an object
	children   string // conditions on what a record holds several of
}

// maxQuery is how long a query may be before it is sent as a search: of the
// 2,000 characters that a URL may have, the rest is for address and path.
const maxQuery = 1600

// page reads one page; it is the last if it holds less than perPage.
func page[T any](ctx context.Context, c *Client, l listing, number int) ([]T, error) {
	var out []T
	call := psa.Call{
		Op: l.op, Method: http.MethodGet, Path: l.path, Object: l.object,
		Query: query("page", strconv.Itoa(number), "pageSize", strconv.Itoa(perPage), "orderBy", l.order, "fields", l.fields, "conditions", l.conditions, "childConditions", l.children),
	}
	if len(call.Query.Encode()) > maxQuery {
		call.Method, call.Path = http.MethodPost, l.path+"/search"
		body := map[string]string{"conditions": l.conditions, "orderBy": l.order}
		if l.children != "" {
			body["childConditions"] = l.children
		}
		call.Body = body
		for name := range body {
			call.Query.Del(name)
		}
	}
	if err := c.do(ctx, call, &out); err != nil {
		return nil, err
	}
	if out == nil {
		return nil, &psa.Error{Class: psa.Uncertain, Op: l.op, Err: errors.New("answer holds no list")}
	}
	return out, nil
}

// every reads all pages. Running into the limit is an error: an unread page
// may hold what is looked for.
func every[T any](ctx context.Context, c *Client, l listing) ([]T, error) {
	all := []T{}
	for number := 1; number <= c.config.MaxPages; number++ {
		items, err := page[T](ctx, c, l, number)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
		if len(items) < perPage {
			return all, nil
		}
	}
	return nil, &psa.Error{Class: psa.Uncertain, Op: l.op, Err: fmt.Errorf("list is longer than %d pages", c.config.MaxPages)}
}

// query builds parameters from names and values; empty values are left out.
func query(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	return values
}

// unquotable are the characters that could end a string in a condition.
// ConnectWise documents no way to escape them, so they are never sent.
const unquotable = `"\`

// equal is the condition that a field has a value; false if it cannot be asked.
func equal(field, value string) (string, bool) {
	if value == "" || strings.ContainsAny(value, unquotable) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' }) {
		return "", false
	}
	return field + `="` + value + `"`, true
}

// containing is the condition that a field contains the parts of a text
// between characters that cannot be asked for. It may match more than the text.
func containing(field, text string) []string {
	var conditions []string
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || strings.ContainsRune(unquotable, r) }) {
		if strings.TrimSpace(part) != "" {
			conditions = append(conditions, field+` contains "`+part+`"`)
		}
	}
	return conditions
}
