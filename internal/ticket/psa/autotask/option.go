package autotask

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// The names of Autotask's options.
const (
	OptionStatus   = "status"
	OptionPriority = "priority"
	OptionQueue    = "queue"
	OptionSource   = "source"
	OptionResource = "resource"
	OptionRole     = "role" // its values' parent is the resource that has the role
)

// field is a field of an entity, as Autotask describes it.
type field struct {
	Name   string `json:"name"`
	Parent string `json:"picklistParentValueField"`
	Values []pick `json:"picklistValues"`
}

// pick is a value of a picklist.
type pick struct {
	Value   string `json:"value"`
	Label   string `json:"label"`
	Default bool   `json:"isDefaultValue"`
	Parent  string `json:"parentValue"`
	Active  bool   `json:"isActive"`
	System  bool   `json:"isSystem"`
}

// fieldsAge is how long picklists are believed. [Client.Options] reads them
// anew, and so makes a change known at once.
const fieldsAge = time.Hour

// readFields reads an entity's fields from the vendor, and remembers them.
func (c *Client) readFields(ctx context.Context, op, entity string) ([]field, error) {
	var out struct {
		Fields []field `json:"fields"`
		failed
	}
	call := psa.Call{Op: op, Method: http.MethodGet, Path: "/" + entity + "/entityInformation/fields"}
	if err := c.do(ctx, call, &out); err != nil {
		return nil, err
	}
	if len(out.Fields) == 0 {
		return nil, c.discovery.Meaningless(call, out.text(), errors.New("answer holds no fields"))
	}
	c.known.setFields(entity, fieldList{fields: out.Fields, read: c.config.Clock()})
	return out.Fields, nil
}

// picks returns the values of a picklist, from memory if they are fresh there.
func (c *Client) picks(ctx context.Context, op, entity, name string) ([]pick, error) {
	have := c.known.fieldsOf(entity)
	if have.fields == nil || c.config.Clock().Sub(have.read) > fieldsAge {
		fields, err := c.readFields(ctx, op, entity)
		if err != nil {
			return nil, err
		}
		have.fields = fields
	}
	return picklist(op, have.fields, entity, name)
}

func picklist(op string, fields []field, entity, name string) ([]pick, error) {
	i := slices.IndexFunc(fields, func(f field) bool { return strings.EqualFold(f.Name, name) })
	if i < 0 || len(fields[i].Values) == 0 {
		return nil, &psa.Error{Class: psa.Uncertain, Op: op, Err: fmt.Errorf("%s have no picklist %s", entity, name)}
	}
	return fields[i].Values, nil
}

// chosen finds an active value: the one that Autotask's own values are numbered
// by, else the label that it is known by in English.
func chosen(values []pick, number int, known func(pick) bool) (int, bool) {
	for _, fits := range []func(pick) bool{func(p pick) bool { return p.Value == strconv.Itoa(number) }, known} {
		for _, p := range values {
			if n, err := strconv.Atoi(p.Value); err == nil && p.Active && fits(p) {
				return n, true
			}
		}
	}
	return 0, false
}

func labelled(label string) func(pick) bool {
	return func(p pick) bool { return strings.EqualFold(strings.TrimSpace(p.Label), label) }
}

// Options implements psa.Options with four calls.
func (c *Client) Options(ctx context.Context) ([]psa.Option, error) {
	const op = "read ticket options"
	fields, err := c.readFields(ctx, op, "Tickets")
	if err != nil {
		return nil, err
	}
	var options []psa.Option
	for _, o := range []struct{ name, field string }{
		{OptionStatus, "status"}, {OptionPriority, "priority"}, {OptionQueue, "queueID"}, {OptionSource, "source"},
	} {
		values, err := picklist(op, fields, "Tickets", o.field)
		if err != nil {
			return nil, err
		}
		option := psa.Option{Name: o.name}
		for _, v := range values {
			if v.Value != "" {
				option.Values = append(option.Values, psa.OptionValue{Value: v.Value, Label: cmp.Or(v.Label, v.Value), Active: v.Active, Parent: v.Parent})
			}
		}
		options = append(options, option)
	}
	people, err := c.assignees(ctx, op)
	if err != nil {
		return nil, err
	}
	return append(options, people...), nil
}

// assignees lists the technicians, and the roles in which each works at the
// service desk.
func (c *Client) assignees(ctx context.Context, op string) ([]psa.Option, error) {
	type resource struct {
		ID     int64  `json:"id"`
		First  string `json:"firstName"`
		Last   string `json:"lastName"`
		Active flag   `json:"isActive"`
	}
	type role struct {
		ID     int64  `json:"id"`
		Name   string `json:"name"`
		Active flag   `json:"isActive"`
	}
	type pair struct {
		Resource int64 `json:"resourceID"`
		Role     int64 `json:"roleID"`
		Active   flag  `json:"isActive"`
	}
	resources, err := all[resource](ctx, c, op, "Resources", search{Filter: every, IncludeFields: []string{"id", "firstName", "lastName", "isActive"}})
	if err != nil {
		return nil, err
	}
	roles, err := all[role](ctx, c, op, "Roles", search{Filter: every, IncludeFields: []string{"id", "name", "isActive"}})
	if err != nil {
		return nil, err
	}
	pairs, err := all[pair](ctx, c, op, "ResourceServiceDeskRoles", search{Filter: every, IncludeFields: []string{"id", "resourceID", "roleID", "isActive"}})
	if err != nil {
		return nil, err
	}
	who, as := psa.Option{Name: OptionResource}, psa.Option{Name: OptionRole}
	for _, r := range resources {
		id := strconv.FormatInt(r.ID, 10)
		who.Values = append(who.Values, psa.OptionValue{Value: id, Label: cmp.Or(strings.TrimSpace(r.First+" "+r.Last), id), Active: bool(r.Active)})
	}
	named := map[int64]role{}
	for _, r := range roles {
		named[r.ID] = r
	}
	for _, p := range pairs {
		id, r := strconv.FormatInt(p.Role, 10), named[p.Role]
		as.Values = append(as.Values, psa.OptionValue{
			Value: id, Label: cmp.Or(r.Name, id), Active: bool(p.Active) && bool(r.Active), Parent: strconv.FormatInt(p.Resource, 10),
		})
	}
	return []psa.Option{who, as}, nil
}
