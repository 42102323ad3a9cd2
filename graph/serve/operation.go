package serve

import (
	"context"
	"encoding/json"
	"math"
	"strings"

	"github.com/99designs/gqlgen/complexity"
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// operationCheck judges a valid operation with its variables before anything
// is resolved: are the variables exactly of their types, is every page within
// bounds, and what does it all cost?
type operationCheck struct {
	limits        Limits
	introspection bool
	schema        graphql.ExecutableSchema
}

func (operationCheck) ExtensionName() string                   { return "Operation" }
func (operationCheck) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext refuses the operation, or lets it run.
func (c operationCheck) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	op.DisableIntrospection = !c.introspection
	if err := checkVariables(c.schema.Schema(), op); err != nil {
		return refusal(err)
	}
	pages := pageCheck{limits: c.limits, variables: op.Variables, seen: map[string]bool{}}
	if err := pages.selections(op.Operation.SelectionSet); err != nil {
		return err
	}
	cost := complexity.Calculate(ctx, priced{c.schema, c.limits}, op.Operation, op.Variables)
	if cost > c.limits.Cost {
		return refusal(&limitError{"cost", c.limits.Cost, cost})
	}
	return nil
}

// priced is the schema with this package's price list.
type priced struct {
	graphql.ExecutableSchema
	limits Limits
}

// Complexity prices what lists: a connection by its page, a list by the number
// of ids it is asked for. Anything else costs what the schema says.
func (p priced) Complexity(ctx context.Context, typeName, fieldName string, child int, args map[string]any) (int, bool) {
	if def := p.Schema().Types[typeName]; def != nil {
		if field := def.Fields.ForName(fieldName); field != nil {
			if isConnection(field) {
				return price(pageSize(args, p.limits), child), true
			}
			if ids, ok := args["ids"].([]any); ok && field.Type.Elem != nil {
				return price(len(ids), child), true
			}
		}
	}
	return p.ExecutableSchema.Complexity(ctx, typeName, fieldName, child, args)
}

func price(n, child int) int {
	if child > 0 && n > (math.MaxInt32-1)/child {
		return math.MaxInt32
	}
	return 1 + n*child
}

func isConnection(f *ast.FieldDefinition) bool {
	return f.Type.Elem == nil && strings.HasSuffix(f.Type.Name(), "Connection") &&
		(f.Arguments.ForName("first") != nil || f.Arguments.ForName("last") != nil)
}

// pageSize is the number of rows that the arguments ask for, which the page
// check has found to be in bounds.
func pageSize(args map[string]any, limits Limits) int {
	for _, name := range []string{"first", "last"} {
		if n, ok := integer(args[name]); ok {
			return int(min(max(n, 0), int64(limits.MaxPage)))
		}
	}
	return limits.Page
}

func integer(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	case float64:
		return int64(n), n == math.Trunc(n)
	case json.Number:
		i, err := n.Int64()
		return i, err == nil
	}
	return 0, false
}

// pageCheck holds the arguments of every connection against the limits.
type pageCheck struct {
	limits    Limits
	variables map[string]any
	seen      map[string]bool // fragments
}

func (c pageCheck) selections(set ast.SelectionSet) *gqlerror.Error {
	for _, selection := range set {
		var err *gqlerror.Error
		switch s := selection.(type) {
		case *ast.Field:
			if err = c.field(s); err == nil {
				err = c.selections(s.SelectionSet)
			}
		case *ast.InlineFragment:
			err = c.selections(s.SelectionSet)
		case *ast.FragmentSpread:
			if !c.seen[s.Name] {
				c.seen[s.Name] = true
				err = c.selections(s.Definition.SelectionSet)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c pageCheck) field(f *ast.Field) *gqlerror.Error {
	name := f.ObjectDefinition.Name + "." + f.Name
	refuse := func(argument, format string, args ...any) *gqlerror.Error {
		err := refusal(fault.Invalid(argument, name+": "+format, args...))
		err.Locations = []gqlerror.Location{{Line: f.Position.Line, Column: f.Position.Column}}
		return err
	}
	if isConnection(f.Definition) {
		args := f.ArgumentMap(c.variables)
		if args["first"] != nil && args["last"] != nil {
			return refuse("last", "give first or last, not both")
		}
		for _, argument := range []string{"first", "last"} {
			if args[argument] == nil {
				continue
			}
			if n, ok := integer(args[argument]); !ok || n < 0 || n > int64(c.limits.MaxPage) {
				return refuse(argument, "%s must be from 0 to %d", argument, c.limits.MaxPage)
			}
		}
		return nil
	}
	if f.Definition.Type.Elem != nil && f.Definition.Arguments.ForName("ids") != nil {
		if ids, _ := f.ArgumentMap(c.variables)["ids"].([]any); len(ids) > c.limits.MaxPage {
			return refuse("ids", "at most %d ids", c.limits.MaxPage)
		}
	}
	return nil
}
