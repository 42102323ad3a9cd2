package serve

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// checkVariables refuses what the executor would coerce although the
// specification forbids it: a number for a String, a string for an Int, an Int
// beyond 32 bits, an enum value in the wrong case, none or several of an input
// that is one of its fields; and what no database keeps. Custom scalars judge
// themselves otherwise.
func checkVariables(schema *ast.Schema, op *graphql.OperationContext) error {
	for _, v := range op.Operation.VariableDefinitions {
		value, given := op.Variables[v.Variable]
		if !given {
			continue
		}
		if err := checkValue(schema, v.Type, value, v.Variable); err != nil {
			return err
		}
	}
	return nil
}

func checkValue(schema *ast.Schema, t *ast.Type, value any, path string) error {
	if value == nil {
		return nil
	}
	if t.Elem != nil {
		list := reflect.ValueOf(value)
		if list.Kind() != reflect.Slice {
			return checkValue(schema, t.Elem, value, path)
		}
		for i := range list.Len() { // []any, or a slice the executor made of a single value
			if err := checkValue(schema, t.Elem, list.Index(i).Interface(), path+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
		return nil
	}
	def := schema.Types[t.NamedType]
	switch def.Kind {
	case ast.InputObject:
		fields, ok := value.(map[string]any)
		if !ok {
			return notA(path, def.Name, value)
		}
		if def.Directives.ForName("oneOf") != nil && !single(fields) {
			return fault.Invalid(path, "exactly one of the fields of %s", def.Name)
		}
		for _, field := range def.Fields {
			if err := checkValue(schema, field.Type, fields[field.Name], path+"."+field.Name); err != nil {
				return err
			}
		}
	case ast.Enum:
		if name, ok := value.(string); !ok || def.EnumValues.ForName(name) == nil {
			return notA(path, def.Name, value)
		}
	case ast.Scalar:
		if !scalarAccepts(def.Name, value) {
			return notA(path, def.Name, value)
		}
		if text, ok := value.(string); ok {
			return storable(path, text)
		}
	}
	return nil
}

// storable refuses a text that a database cannot keep: PostgreSQL takes every
// character of Unicode but one.
func storable(path, text string) error {
	if strings.ContainsRune(text, 0) {
		return fault.Invalid(path, "the character U+0000 is not accepted")
	}
	return nil
}

// storableLiteral is storable for what stands in a document.
func storableLiteral(path string, v *ast.Value) error {
	if v == nil {
		return nil
	}
	for _, child := range v.Children {
		below := path
		if child.Name != "" {
			below += "." + child.Name
		}
		if err := storableLiteral(below, child.Value); err != nil {
			return err
		}
	}
	return storable(path, v.Raw)
}

// single reports whether exactly one field is given, and is not null.
func single(fields map[string]any) bool {
	for _, value := range fields {
		return len(fields) == 1 && value != nil
	}
	return false
}

func scalarAccepts(scalar string, value any) bool {
	switch scalar {
	case "Int":
		n, ok := integer(value)
		return ok && n >= math.MinInt32 && n <= math.MaxInt32
	case "Float":
		switch v := value.(type) {
		case json.Number:
			_, err := v.Float64()
			return err == nil
		case float64, int64, int:
			return true
		}
		return false
	case "String":
		_, ok := value.(string)
		return ok
	case "Boolean":
		_, ok := value.(bool)
		return ok
	case "ID":
		if _, ok := value.(string); ok {
			return true
		}
		_, ok := integer(value)
		return ok
	}
	return true
}

func notA(path, name string, value any) error {
	shown := "this value"
	switch v := value.(type) {
	case string:
		shown = strconv.Quote(clip(v))
	case json.Number, int64, float64, bool:
		shown = clip(fmt.Sprint(v))
	}
	return fault.Invalid(path, "%s is not a valid %s", shown, name)
}

// clip keeps an echo of input short.
func clip(s string) string {
	if len(s) <= 40 {
		return s
	}
	return strings.ToValidUTF8(s[:40], "") + "…"
}
