// Package check holds the API to its rules: who may use a field is said, what
// it means is said, lists come in pages, filters are served by an index, and
// nothing that was released goes away unannounced. A rule that a program can
// hold is not left to a reviewer.
package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// Finding is one breach of a rule.
type Finding struct {
	Where string // a type, Type.field, Type.field(argument) or Enum.VALUE
	What  string // the breach, and what to do instead
}

func (f Finding) String() string { return f.Where + ": " + f.What }

// self is the permission of everyone who is signed in.
const self = "SELF"

// AccessRules are what [Access] cannot read from the SDL.
type AccessRules struct {
	// Permissions are those that roles can hold.
	Permissions map[string]bool
	// Public lists the mutations that need no credential, each with how it is
	// audited: the gate, which audits the others, lets them pass.
	Public map[string]string
	// Untransacted lists the mutations that run outside of a transaction, each
	// with what it calls.
	Untransacted map[string]string
}

// Access reports the root fields that do not say who may use them, the edges
// between objects that take no permission of their own, and permissions that
// do not exist. A mutation that requires a permission is audited by the gate;
// any other must be listed.
func Access(s *ast.Schema, rules AccessRules) []Finding {
	r := report{}
	seen := map[string]bool{}
	each(s, func(def *ast.Definition, f *ast.FieldDefinition) {
		where := def.Name + "." + f.Name
		requires, public := f.Directives.ForName("requires"), f.Directives.ForName("public")
		root := isRoot(s, def)
		switch {
		case requires != nil && public != nil:
			r.add(where, "is both public and not: keep one of @requires and @public")
		case root && requires == nil && public == nil:
			r.add(where, "nobody is said to be let in: give it @requires, or @public with a reason")
		case !root && public != nil:
			r.add(where, "only root fields are public")
		case !root && requires == nil && isNode(s, def) && isNode(s, target(s, f)):
			r.add(where, "leads to another object: give it @requires with the permission to read that")
		}
		if requires != nil {
			if p := argument(requires, "permission"); p != self && !rules.Permissions[p] {
				r.add(where, fmt.Sprintf("there is no permission %q", p))
			}
		}
		if public != nil && strings.TrimSpace(argument(public, "reason")) == "" {
			r.add(where, "is public for no reason")
		}
		if def != s.Mutation {
			return
		}
		seen[f.Name] = true
		if requires == nil && rules.Public[f.Name] == "" {
			r.add(where, "passes the gate that audits: require a permission, or list who audits it")
		}
		loose := requires != nil && argument(requires, "transaction") == "false"
		if loose && rules.Untransacted[f.Name] == "" {
			r.add(where, "runs outside of a transaction: list what it calls, or take transaction: false away")
		}
		if requires != nil && loose && argument(requires, "shared") == "true" {
			r.add(where, "is to share a transaction, and runs in none")
		}
		if !loose && rules.Untransacted[f.Name] != "" {
			r.add(where, "is listed as outside of a transaction, and is not")
		}
		if requires != nil && rules.Public[f.Name] != "" {
			r.add(where, "is listed as public, and is not")
		}
	})
	for _, listed := range []map[string]string{rules.Public, rules.Untransacted} {
		for name := range listed {
			if !seen[name] {
				r.add("Mutation."+name, "is listed, and does not exist")
			}
		}
	}
	return r.sorted()
}

// Descriptions reports every type, field, argument, enum value and directive
// that is not described.
func Descriptions(s *ast.Schema, builtin ...string) []Finding {
	r := report{}
	need := func(where, text string) {
		if strings.TrimSpace(text) == "" {
			r.add(where, "is not described")
		}
	}
	for _, def := range s.Types {
		if skipped(def) {
			continue
		}
		need(def.Name, def.Description)
		for _, v := range def.EnumValues {
			need(def.Name+"."+v.Name, v.Description)
		}
		for _, f := range def.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			need(def.Name+"."+f.Name, f.Description)
			for _, a := range f.Arguments {
				need(def.Name+"."+f.Name+"("+a.Name+")", a.Description)
			}
		}
	}
	for _, d := range s.Directives {
		if d.Position == nil || d.Position.Src.BuiltIn || slices.Contains(builtin, d.Name) {
			continue
		}
		need("@"+d.Name, d.Description)
		for _, a := range d.Arguments {
			need("@"+d.Name+"("+a.Name+")", a.Description)
		}
	}
	return r.sorted()
}

// Lists reports the fields that answer a list which is not a connection,
// unless they are listed with the reason why it is short, and the connections
// that cannot be paged, filtered or ordered in the way of the others.
func Lists(s *ast.Schema, short map[string]string) []Finding {
	r := report{}
	used := map[string]bool{}
	each(s, func(def *ast.Definition, f *ast.FieldDefinition) {
		where := def.Name + "." + f.Name
		if f.Type.Elem != nil && (!isConnection(def) || f.Name != "edges") {
			used[where] = true
			if short[where] == "" {
				r.add(where, "answers a list: make it a connection, or list why it is short")
			}
		}
		if entity, ok := strings.CutSuffix(f.Type.Name(), "Connection"); ok && isConnection(s.Types[f.Type.Name()]) {
			want := []string{"after", "first", "before", "last"}
			for suffix, name := range map[string]string{"Filter": "filter", "Order": "orderBy"} {
				if s.Types[entity+suffix] != nil {
					want = append(want, name)
				}
			}
			for _, name := range want {
				if f.Arguments.ForName(name) == nil {
					r.add(where, "is a connection without the argument "+name+": give it @page")
				}
			}
		}
	})
	for where := range short {
		if !used[where] {
			r.add(where, "is listed as a short list, and is none")
		}
	}
	return r.sorted()
}

func each(s *ast.Schema, visit func(*ast.Definition, *ast.FieldDefinition)) {
	for _, def := range s.Types {
		if def.Kind != ast.Object && def.Kind != ast.Interface || skipped(def) {
			continue
		}
		for _, f := range def.Fields {
			if !strings.HasPrefix(f.Name, "__") {
				visit(def, f)
			}
		}
	}
}

func skipped(def *ast.Definition) bool { return def.BuiltIn || strings.HasPrefix(def.Name, "__") }

func isRoot(s *ast.Schema, def *ast.Definition) bool {
	return def == s.Query || def == s.Mutation || def == s.Subscription
}

func isNode(s *ast.Schema, def *ast.Definition) bool {
	return def != nil && s.Types["Node"] != nil && def.Kind == ast.Object && slices.Contains(def.Interfaces, "Node")
}

// target is the type of object that a field leads to, also through a
// connection.
func target(s *ast.Schema, f *ast.FieldDefinition) *ast.Definition {
	name := f.Type.Name()
	if def := s.Types[name]; isConnection(def) {
		name = strings.TrimSuffix(name, "Connection")
	}
	return s.Types[name]
}

func isConnection(def *ast.Definition) bool {
	return def != nil && strings.HasSuffix(def.Name, "Connection") && def.Fields.ForName("edges") != nil
}

func argument(d *ast.Directive, name string) string {
	if a := d.Arguments.ForName(name); a != nil {
		return a.Value.Raw
	}
	return ""
}

type report struct{ findings []Finding }

func (r *report) add(where, what string) { r.findings = append(r.findings, Finding{where, what}) }

func (r *report) sorted() []Finding {
	slices.SortFunc(r.findings, func(a, b Finding) int { return strings.Compare(a.String(), b.String()) })
	return r.findings
}
