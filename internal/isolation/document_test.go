package isolation_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// selectionDepth is how many objects deep a generated document reads; the
// edges and nodes of a connection do not count.
const selectionDepth = 3

// selection selects every field of a type, down to a depth.
func selection(s *ast.Schema, def *ast.Definition, depth int, alias string) string {
	var b strings.Builder
	b.WriteString("{ __typename")
	for _, f := range def.Fields {
		if strings.HasPrefix(f.Name, "__") {
			continue
		}
		part := fieldOf(s, f, depth)
		if part == "" {
			continue
		}
		b.WriteString(" ")
		if alias != "" {
			fmt.Fprintf(&b, "%s_%s: ", alias, f.Name)
		}
		b.WriteString(part)
	}
	if def.IsAbstractType() {
		for _, possible := range s.GetPossibleTypes(def) {
			// Aliased, for two types may have fields of one name that do not merge.
			fmt.Fprintf(&b, " ... on %s %s", possible.Name, selection(s, possible, depth, possible.Name))
		}
	}
	return b.String() + " }"
}

func fieldOf(s *ast.Schema, f *ast.FieldDefinition, depth int) string {
	def := s.Types[f.Type.Name()]
	text := f.Name + literals(s, f)
	if def.IsLeafType() {
		return text
	}
	next := depth
	if !strings.HasSuffix(def.Name, "Connection") && !strings.HasSuffix(def.Name, "Edge") {
		next--
	}
	if next < 0 {
		return ""
	}
	inner := selection(s, def, next, "")
	if inner == "{ __typename }" {
		return ""
	}
	return text + " " + inner
}

// literals are the arguments of a nested field: two entries of a list, and
// whatever is required.
func literals(s *ast.Schema, f *ast.FieldDefinition) string {
	var parts []string
	for _, a := range f.Arguments {
		switch {
		case a.Name == "first":
			parts = append(parts, "first: 2")
		case a.Type.NonNull && a.DefaultValue == nil:
			parts = append(parts, a.Name+": "+literal(s, a.Type))
		}
	}
	if parts == nil {
		return ""
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func literal(s *ast.Schema, typ *ast.Type) string {
	switch def := s.Types[typ.Name()]; {
	case def.Kind == ast.Enum:
		return def.EnumValues[0].Name
	case def.Name == "Int" || def.Name == "Float":
		return "1"
	case def.Name == "Boolean":
		return "true"
	default:
		return `"alert.view_alert"`
	}
}

// slot is one place in a root field's arguments that takes an id.
type slot struct {
	path string // such as input.userId
	name string // such as userId
	list bool
}

// slotsOf finds every place for an id, also in inputs within inputs.
func slotsOf(s *ast.Schema, f *ast.FieldDefinition) []slot {
	var slots []slot
	var visit func(path, name string, typ *ast.Type, depth int)
	visit = func(path, name string, typ *ast.Type, depth int) {
		def := s.Types[typ.Name()]
		switch {
		case def.Name == "ID":
			slots = append(slots, slot{path, name, typ.Elem != nil})
		case def.Kind == ast.InputObject && depth > 0:
			for _, inner := range def.Fields {
				visit(path+"."+inner.Name, inner.Name, inner.Type, depth-1)
			}
		}
	}
	for _, a := range f.Arguments {
		visit(a.Name, a.Name, a.Type, 4)
	}
	return slots
}

// fill makes a root field's arguments: every argument and every field of
// every input has a value, ids as given for their path.
type fill struct {
	schema *ast.Schema
	ids    map[string]string // by path
	text   string
	bare   bool // only what is required, and ids
}

func (g fill) arguments(f *ast.FieldDefinition) map[string]any {
	values := map[string]any{}
	for _, a := range f.Arguments {
		switch {
		case slices.Contains([]string{"after", "before", "last"}, a.Name):
		case a.Name == "first":
			values[a.Name] = 25
		default:
			if v, ok := g.value(a.Name, a.Type, a.DefaultValue != nil); ok {
				values[a.Name] = v
			}
		}
	}
	return values
}

func (g fill) value(path string, typ *ast.Type, optional bool) (any, bool) {
	optional = optional || !typ.NonNull
	if typ.Elem != nil {
		v, ok := g.value(path, typ.Elem, optional)
		return []any{v}, ok
	}
	def := g.schema.Types[typ.Name()]
	if def.Name == "ID" {
		id, ok := g.ids[path]
		return id, ok && id != ""
	}
	if def.Kind == ast.InputObject {
		values := map[string]any{}
		for _, f := range def.Fields {
			if v, ok := g.value(path+"."+f.Name, f.Type, f.DefaultValue != nil); ok {
				values[f.Name] = v
			}
			if def.Directives.ForName("oneOf") != nil {
				break // only the first
			}
		}
		return values, !optional || len(values) > 0
	}
	if g.bare && optional {
		return nil, false
	}
	switch {
	case def.Kind == ast.Enum:
		return def.EnumValues[0].Name, true
	case def.Name == "Int":
		return 1, true
	case def.Name == "Float":
		return 1.5, true
	case def.Name == "Boolean":
		return true, true
	case def.Name == "Time":
		return "2030-01-01T00:00:00Z", true
	case strings.HasSuffix(path, "ermissions"), strings.HasSuffix(path, "permission"):
		return "mdm.view_device", true
	case strings.HasSuffix(strings.ToLower(path), "email"):
		return g.text + "@probe.example", true
	case strings.HasSuffix(path, ".type"), strings.HasSuffix(path, "alertType"):
		return "CUSTOM", true
	default:
		return g.text, true
	}
}

// document is an operation of one root field with its arguments as variables.
func document(s *ast.Schema, kind string, f *ast.FieldDefinition, depth int) string {
	var declared, passed []string
	for _, a := range f.Arguments {
		declared = append(declared, fmt.Sprintf("$%s: %s", a.Name, a.Type))
		passed = append(passed, fmt.Sprintf("%s: $%s", a.Name, a.Name))
	}
	head, call := kind, f.Name
	if declared != nil {
		head += "(" + strings.Join(declared, ", ") + ")"
		call += "(" + strings.Join(passed, ", ") + ")"
	}
	if def := s.Types[f.Type.Name()]; !def.IsLeafType() {
		call += " " + selection(s, def, depth, "")
	}
	return head + " { " + call + " }"
}
