package isolation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"entgo.io/ent/dialect/sql"
	entschema "entgo.io/ent/dialect/sql/schema"
	"entgo.io/ent/schema/field"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/tenancy"
)

// entity is one of ent's clients, and its table.
type entity struct {
	name  string // the field of ent.Client, such as Device
	table *entschema.Table
}

// of is the entity's own client.
func (e entity) of(client *ent.Client) reflect.Value {
	return reflect.ValueOf(client).Elem().FieldByName(e.name)
}

// entitiesOf finds every entity of the client, parents before children.
func entitiesOf(t testing.TB, client *ent.Client, tables map[string]*entschema.Table) []entity {
	t.Helper()
	var found []entity
	root := reflect.TypeOf(client).Elem()
	for i := range root.NumField() {
		f := root.Field(i)
		if !f.IsExported() || !reflect.ValueOf(client).Elem().Field(i).MethodByName("CreateBulk").IsValid() {
			continue
		}
		e := entity{name: f.Name}
		query := e.query(client)
		query.(guard.Predicator).WhereP(func(s *sql.Selector) { e.table = tables[s.TableName()] })
		if _, err := result(call(query, "IDs", tenancy.System(t.Context(), "find the table"))); err != nil {
			t.Fatal(err)
		}
		if e.table == nil {
			t.Fatalf("%s has no table", e.name)
		}
		found = append(found, e)
	}
	if len(found) != len(tables) {
		t.Fatalf("%d entities for %d tables", len(found), len(tables))
	}
	roots := func(e entity) int { return slices.Index([]string{"organizations", "providers"}, e.table.Name) }
	slices.SortStableFunc(found, func(a, b entity) int { return roots(b) - roots(a) })
	return sorted(t, found)
}

func sorted(t testing.TB, entities []entity) []entity {
	t.Helper()
	var order []entity
	placed := map[string]bool{}
	for len(order) < len(entities) {
		before := len(order)
		for _, e := range entities {
			ready := !slices.ContainsFunc(e.table.ForeignKeys, func(fk *entschema.ForeignKey) bool {
				return fk.RefTable != e.table && !placed[fk.RefTable.Name] && fk.RefTable.Name != e.table.Name
			})
			if ready && !placed[e.table.Name] {
				placed[e.table.Name] = true
				order = append(order, e)
			}
		}
		if len(order) == before {
			t.Fatal("the tables refer to each other in a circle")
		}
	}
	return order
}

func (e entity) query(client *ent.Client) any { return call(e.of(client), "Query")[0].Interface() }

// overrides are the values of columns that cannot be made up, each for a
// reason: nil leaves the column empty.
var overrides = map[string]any{
	"roles.key":         nil,                         // only built-in roles have one, of a fixed list
	"roles.permissions": []string{"mdm.view_device"}, // of the catalogue
}

// create prepares a row: what values does not give is made up from the
// columns, with a text that begins with the canary.
func (w *world) create(e entity, client *ent.Client, canary string, values map[string]any) (any, error) {
	builder := call(e.of(client), "Create")[0].Interface()
	edges := edgesOf(e.table)
	for _, column := range e.table.Columns {
		if slices.Contains([]string{"id", "created_at", "updated_at"}, column.Name) {
			continue
		}
		set, ok := setter(builder, column.Name)
		if !ok {
			return nil, fmt.Errorf("no setter for column %s", column.Name)
		}
		if given, ok := values[column.Name]; ok {
			set.Call([]reflect.Value{reflect.ValueOf(given).Convert(set.Type().In(0))})
			continue
		}
		if fixed, ok := overrides[e.table.Name+"."+column.Name]; ok {
			if fixed != nil {
				set.Call([]reflect.Value{reflect.ValueOf(fixed)})
			}
			continue
		}
		_, edge := edges[column.Name]
		if edge || column.Name == "organization_id" || column.Name == "provider_id" || !texts(column) && (column.Nullable || column.Default != nil) {
			continue
		}
		made, err := make1(set.Type().In(0), column, canary+"-"+column.Name)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", column.Name, err)
		}
		if made.CanInt() { // places in an order are unique
			w.serial++
			made = reflect.ValueOf(w.serial).Convert(made.Type())
		}
		set.Call([]reflect.Value{made})
	}
	return builder, nil
}

// texts reports whether a column can carry a canary.
func texts(c *entschema.Column) bool {
	return c.Type == field.TypeString || c.Type == field.TypeBytes || c.Type == field.TypeJSON
}

// setter is the builder's method that sets a column, whichever way the Go
// name spells its initials.
func setter(builder any, column string) (reflect.Value, bool) {
	want := "set" + strings.ReplaceAll(column, "_", "")
	v := reflect.ValueOf(builder)
	for i := range v.NumMethod() {
		m := v.Method(i)
		if strings.EqualFold(v.Type().Method(i).Name, want) && m.Type().NumIn() == 1 {
			return m, true
		}
	}
	return reflect.Value{}, false
}

// make1 makes a value of a type that satisfies the column.
func make1(typ reflect.Type, c *entschema.Column, text string) (reflect.Value, error) {
	if c.Type == field.TypeEnum {
		return reflect.ValueOf(c.Enums[0]).Convert(typ), nil
	}
	if c.Size > 0 && int64(len(text)) > c.Size {
		text = text[:c.Size]
	}
	return made(typ, text)
}

func made(typ reflect.Type, text string) (reflect.Value, error) {
	switch {
	case typ == reflect.TypeFor[time.Time]():
		return reflect.ValueOf(time.Now().UTC().Add(time.Hour).Truncate(time.Microsecond)), nil
	case typ == reflect.TypeFor[json.RawMessage]():
		return reflect.ValueOf(json.RawMessage(`{"text":"` + text + `"}`)), nil
	}
	v := reflect.New(typ).Elem()
	switch typ.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint8, reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1)
	case reflect.Slice:
		if typ.Elem().Kind() == reflect.Uint8 {
			return reflect.ValueOf([]byte(text)).Convert(typ), nil
		}
		element, err := made(typ.Elem(), text)
		if err != nil {
			return v, err
		}
		return reflect.Append(v, element), nil
	case reflect.Pointer:
		target, err := made(typ.Elem(), text)
		if err != nil {
			return v, err
		}
		v.Set(reflect.New(typ.Elem()))
		v.Elem().Set(target)
	case reflect.Struct:
		for i := range typ.NumField() {
			if !typ.Field(i).IsExported() {
				continue
			}
			part, err := made(typ.Field(i).Type, text)
			if err != nil {
				return v, err
			}
			v.Field(i).Set(part)
		}
	case reflect.Map:
		key, err := made(typ.Key(), text)
		if err != nil {
			return v, err
		}
		value, err := made(typ.Elem(), text)
		if err != nil {
			return v, err
		}
		v.Set(reflect.MakeMap(typ))
		v.SetMapIndex(key, value)
	default:
		return v, fmt.Errorf("no value of type %s can be made up", typ)
	}
	return v, nil
}

// call calls a method of ent's by its name.
func call(v any, method string, args ...any) []reflect.Value {
	target, ok := v.(reflect.Value)
	if !ok {
		target = reflect.ValueOf(v)
	}
	values := make([]reflect.Value, len(args))
	for i, a := range args {
		if values[i], ok = a.(reflect.Value); !ok {
			values[i] = reflect.ValueOf(a)
		}
	}
	return target.MethodByName(method).Call(values)
}

// result takes apart what such a method answers: a value, if any, and an error.
func result(out []reflect.Value) (any, error) {
	err, _ := out[len(out)-1].Interface().(error)
	if len(out) == 1 {
		return nil, err
	}
	return out[0].Interface(), err
}

// save saves what a builder built, and answers the id.
func save(ctx context.Context, builder any) (string, error) {
	saved, err := result(call(builder, "Save", ctx))
	if err != nil {
		return "", err
	}
	id, ok := reflect.ValueOf(saved).Elem().FieldByName("ID").Interface().(string)
	if !ok {
		return "", errors.New("the id is no text")
	}
	return id, nil
}

// text is a result as a caller would come to see it.
func text(v any) string {
	content, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%+v", v)
	}
	return string(content) + fmt.Sprintf("%+v", v)
}
