package check

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"entgo.io/ent/dialect/sql/schema"

	"github.com/bailiwick/bailiwick/graph"
	"github.com/bailiwick/bailiwick/internal/guard"
)

// Filter is a filter type and the entity whose connections it narrows.
type Filter struct {
	Type   reflect.Type // such as model.DeviceFilter
	Entity string       // such as Device
}

// FiltersOf finds the filters that resolvers take, by the methods of the
// interface of all resolvers.
func FiltersOf(resolvers reflect.Type) []Filter {
	var found []Filter
	for i := range resolvers.NumMethod() {
		of := resolvers.Method(i).Type.Out(0)
		for j := range of.NumMethod() {
			method := of.Method(j).Type
			if method.NumOut() == 0 || method.Out(0).Kind() != reflect.Pointer {
				continue
			}
			entity, ok := strings.CutSuffix(method.Out(0).Elem().Name(), "Connection")
			if !ok {
				continue
			}
			for k := range method.NumIn() {
				in := method.In(k)
				if in.Kind() != reflect.Pointer || !strings.HasSuffix(in.Elem().Name(), "Filter") {
					continue
				}
				if f := (Filter{in.Elem(), entity}); !slices.Contains(found, f) {
					found = append(found, f)
				}
			}
		}
	}
	return found
}

// Filters reports the fields of filters whose column does not exist, or that
// no index serves: one that begins with the column, after the columns of the
// tenant, or that holds only the rows in question.
func Filters(filters []Filter, tables []*schema.Table) []Finding {
	r := report{}
	find := func(name string) *schema.Table {
		if i := slices.IndexFunc(tables, func(t *schema.Table) bool { return t.Name == name }); i >= 0 {
			return tables[i]
		}
		return nil
	}
	for _, f := range filters {
		table := find(plural(f.Entity))
		if table == nil {
			r.add(f.Type.Name(), fmt.Sprintf("there is no table %s", plural(f.Entity)))
			continue
		}
		for _, c := range graph.Clauses(f.Type) {
			where, of := f.Type.Name()+"."+c.Field, table
			if c.Through != "" {
				r.column(where, table, c.Through, "")
				if of = find(c.Table); of == nil {
					r.add(where, fmt.Sprintf("there is no table %s", c.Table))
					continue
				}
			}
			for _, column := range c.Columns {
				r.column(where, of, column, c.Op)
			}
		}
	}
	return r.sorted()
}

// column reports a column that is not there, or that no index serves.
func (r *report) column(where string, of *schema.Table, column, op string) {
	if _, ok := of.Column(column); !ok {
		r.add(where, fmt.Sprintf("%s has no column %s", of.Name, column))
	} else if !served(of, column, op) {
		r.add(where, fmt.Sprintf("no index of %s serves %s: add one that begins with the tenant and it", of.Name, column))
	}
}

func served(t *schema.Table, column, op string) bool {
	return slices.ContainsFunc(t.Indexes, func(i *schema.Index) bool {
		only := ""
		if i.Annotation != nil {
			only = i.Annotation.Where
		}
		if op == "null" && strings.HasPrefix(only, column+" ") {
			return true
		}
		whole := only == "" ||
			op != "null" && only == column+" IS NOT NULL" || // nothing else compares with NULL
			only == column // of a boolean that few rows have: the others are too many for an index to be of use
		return whole && leads(i, column)
	})
}

// leads reports whether a column is an index's first, the tenant's aside.
func leads(i *schema.Index, column string) bool {
	for _, c := range i.Columns {
		if c.Name == column {
			return true
		}
		if c.Name != guard.OrganizationColumn && c.Name != guard.ProviderColumn {
			return false
		}
	}
	return false
}

// plural is the table's name of an entity: AlertType → alert_types.
func plural(entity string) string {
	var b strings.Builder
	for i, r := range entity {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	name := strings.ToLower(b.String())
	if stem, ok := strings.CutSuffix(name, "y"); ok && !strings.HasSuffix(stem, "e") {
		return stem + "ies"
	}
	return name + "s"
}
