package check

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
)

// Compatible reports what a client of the released API would miss in the new
// one: a type, field, argument or value that is gone without having been
// released as deprecated, and one that takes more or answers less.
func Compatible(released, next *ast.Schema) []Finding {
	r := report{}
	for _, old := range released.Types {
		def := next.Types[old.Name]
		switch {
		case skipped(old):
		case def == nil:
			r.add(old.Name, "is gone: deprecate what leads to it first")
		case def.Kind != old.Kind:
			r.add(old.Name, fmt.Sprintf("was %s, and is %s", old.Kind, def.Kind))
		default:
			r.definition(old, def)
		}
	}
	return r.sorted()
}

func (r *report) definition(old, def *ast.Definition) {
	for _, v := range old.EnumValues {
		if def.EnumValues.ForName(v.Name) == nil && v.Directives.ForName("deprecated") == nil {
			r.add(old.Name+"."+v.Name, "is gone without having been released as deprecated")
		}
	}
	for _, name := range old.Interfaces {
		if !contains(def.Interfaces, name) {
			r.add(old.Name, "is no "+name+" any more")
		}
	}
	for _, name := range old.Types {
		if !contains(def.Types, name) {
			r.add(old.Name, "is never "+name+" any more")
		}
	}
	for _, of := range old.Fields {
		where := old.Name + "." + of.Name
		f := def.Fields.ForName(of.Name)
		switch {
		case f == nil && of.Directives.ForName("deprecated") == nil:
			r.add(where, "is gone without having been released as deprecated")
		case f == nil:
		case old.Kind == ast.InputObject:
			r.input(where, of.Type, f.Type, of.DefaultValue, f.DefaultValue)
		default:
			if !answers(of.Type, f.Type) {
				r.add(where, fmt.Sprintf("answered %s, and answers %s", of.Type, f.Type))
			}
			r.arguments(where, of.Arguments, f.Arguments)
		}
	}
	if old.Kind == ast.InputObject {
		for _, f := range def.Fields {
			if old.Fields.ForName(f.Name) == nil && f.Type.NonNull && f.DefaultValue == nil {
				r.add(def.Name+"."+f.Name, "is new and required: make it optional, or give it a default")
			}
		}
	}
}

func (r *report) arguments(where string, released, next ast.ArgumentDefinitionList) {
	for _, oa := range released {
		at := fmt.Sprintf("%s(%s)", where, oa.Name)
		a := next.ForName(oa.Name)
		switch {
		case a == nil && oa.Directives.ForName("deprecated") == nil:
			r.add(at, "is gone without having been released as deprecated")
		case a != nil:
			r.input(at, oa.Type, a.Type, oa.DefaultValue, a.DefaultValue)
		}
	}
	for _, a := range next {
		if released.ForName(a.Name) == nil && a.Type.NonNull && a.DefaultValue == nil {
			r.add(fmt.Sprintf("%s(%s)", where, a.Name), "is new and required: make it optional, or give it a default")
		}
	}
}

func (r *report) input(where string, old, typ *ast.Type, oldDefault, value *ast.Value) {
	if !answers(typ, old) && (value == nil || !answers(&ast.Type{NamedType: typ.NamedType, Elem: typ.Elem}, old)) {
		r.add(where, fmt.Sprintf("took %s, and takes %s", old, typ))
	}
	if oldDefault != nil && (value == nil || oldDefault.String() != value.String()) {
		r.add(where, "has another default than it was released with")
	}
}

// answers reports whether whoever expects old can live with typ.
func answers(old, typ *ast.Type) bool {
	if old.NonNull && !typ.NonNull || (old.Elem == nil) != (typ.Elem == nil) {
		return false
	}
	if old.Elem != nil {
		return answers(old.Elem, typ.Elem)
	}
	return old.NamedType == typ.NamedType
}

func contains(list []string, name string) bool {
	for _, n := range list {
		if n == name {
			return true
		}
	}
	return false
}
