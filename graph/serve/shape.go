package serve

import (
	"context"
	"math"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// introspectionDepth bounds what is below __schema and __type: the query that
// clients send is 15 deep. The validator bounds its lists by a rule of its own.
const introspectionDepth = 20

// repeats bounds how often one response path may be selected: the validator
// compares every two of them. Components that each bring their own fragment
// repeat an id tens of times, nobody a hundred.
const repeats = 100

// shapeCheck measures a document before it is validated, because validation
// itself (can overlapping fields be merged?) is what repeated fields and nested
// fragments make expensive. A document that is cached has passed.
type shapeCheck struct {
	limits        Limits
	introspection bool
	cache         graphql.Cache[*ast.QueryDocument]
}

func (shapeCheck) ExtensionName() string                   { return "Shape" }
func (shapeCheck) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters refuses a document by its shape. It parses what
// the executor parses again: only once per document, and at most Tokens.
func (c shapeCheck) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	if _, ok := c.cache.Get(ctx, params.Query); ok {
		return nil
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: params.Query}, c.limits.Tokens)
	if err != nil {
		syntax := gqlerror.WrapIfUnwrapped(err)
		if len(syntax.Locations) == 0 { // the parser points at every syntax error, and at nothing for its limit
			return refusal(&limitError{limit: "tokens", maximum: c.limits.Tokens})
		}
		errcode.Set(syntax, errcode.ParseFailed)
		return syntax
	}
	if err := c.measure(doc); err != nil {
		return refusal(err)
	}
	return nil
}

func (c shapeCheck) measure(doc *ast.QueryDocument) error {
	m := meter{fragments: make(map[string]*ast.FragmentDefinition, len(doc.Fragments)), known: map[string]*shape{}}
	for _, f := range doc.Fragments {
		if m.fragments[f.Name] != nil {
			return fault.New(fault.InvalidArgument, "there are two fragments named %q", f.Name)
		}
		m.fragments[f.Name] = f
	}
	// The validator walks every fragment, used or not, from its own root.
	total := shape{}
	for _, f := range doc.Fragments {
		s := m.fragment(f.Name)
		if m.err != nil {
			return m.err
		}
		if err := c.within(s); err != nil {
			return err
		}
		if err := m.repeats(f.SelectionSet, &spot{}); err != nil {
			return err
		}
		total.add(s)
	}
	for _, op := range doc.Operations {
		s := m.selections(op.SelectionSet)
		s.add(m.directives(op.Directives))
		for _, v := range op.VariableDefinitions {
			s.add(m.directives(v.Directives))
		}
		if m.err != nil {
			return m.err
		}
		if err := c.within(s); err != nil {
			return err
		}
		switch {
		case s.depth > c.limits.Depth:
			return &limitError{"depth", c.limits.Depth, s.depth}
		case s.introspection > introspectionDepth:
			return &limitError{"introspection depth", introspectionDepth, s.introspection}
		case s.roots > c.limits.RootFields:
			return &limitError{"root fields", c.limits.RootFields, s.roots}
		case s.introspection > 0 && !c.introspection:
			return fault.New(fault.InvalidArgument, "introspection is turned off")
		}
		if err := m.repeats(op.SelectionSet, &spot{}); err != nil {
			return err
		}
		total.add(s)
	}
	// A hundred fragments that each spread one large one pass alone.
	if most := 5 * c.limits.Fields; total.fields > most {
		return &limitError{"fields over all definitions", most, total.fields}
	}
	return nil
}

func (c shapeCheck) within(s shape) error {
	switch {
	case s.fields > c.limits.Fields:
		return &limitError{"fields", c.limits.Fields, s.fields}
	case s.aliases > c.limits.Aliases:
		return &limitError{"aliases", c.limits.Aliases, s.aliases}
	case s.directives > c.limits.Directives:
		return &limitError{"directives", c.limits.Directives, s.directives}
	}
	return nil
}

// shape counts what a selection set comes to once its fragments are expanded.
type shape struct {
	fields, aliases, directives int
	roots                       int // fields that are not beneath another one of it
	depth                       int // in fields; what is below __schema or __type counts as nothing
	introspection               int // the depth of that
	plain                       int // the depth with nothing left out
}

func (s *shape) add(o shape) {
	s.fields = saturatingSum(s.fields, o.fields)
	s.aliases = saturatingSum(s.aliases, o.aliases)
	s.directives = saturatingSum(s.directives, o.directives)
	s.roots = saturatingSum(s.roots, o.roots)
	s.depth = max(s.depth, o.depth)
	s.introspection = max(s.introspection, o.introspection)
	s.plain = max(s.plain, o.plain)
}

func saturatingSum(a, b int) int { return min(a+b, math.MaxInt32) }

// meter measures each fragment once, however often it is spread.
type meter struct {
	fragments map[string]*ast.FragmentDefinition
	known     map[string]*shape // nil while it is being measured
	err       error
}

func (m *meter) selections(set ast.SelectionSet) shape {
	var sum shape
	for _, selection := range set {
		if m.err != nil {
			return sum
		}
		switch s := selection.(type) {
		case *ast.Field:
			sum.add(m.field(s))
		case *ast.InlineFragment:
			sum.add(m.selections(s.SelectionSet))
			sum.add(m.directives(s.Directives))
		case *ast.FragmentSpread:
			sum.add(m.fragment(s.Name))
			sum.add(m.directives(s.Directives))
		}
	}
	return sum
}

func (m *meter) field(f *ast.Field) shape {
	s := m.selections(f.SelectionSet)
	s.add(m.directives(f.Directives))
	for _, a := range f.Arguments {
		if err := storableLiteral(a.Name, a.Value); err != nil {
			m.err = err
		}
	}
	s.roots = 1
	s.fields = saturatingSum(s.fields, 1)
	s.depth++
	s.plain++
	if f.Alias != f.Name {
		s.aliases = saturatingSum(s.aliases, 1)
	}
	if f.Name == "__schema" || f.Name == "__type" {
		s.introspection, s.depth = s.plain, 1
	}
	return s
}

func (m *meter) fragment(name string) shape {
	if s, ok := m.known[name]; ok {
		if s == nil {
			m.err = fault.New(fault.InvalidArgument, "fragment %q spreads itself", name)
			return shape{}
		}
		return *s
	}
	f := m.fragments[name]
	if f == nil {
		return shape{} // the validator says so
	}
	m.known[name] = nil
	s := m.selections(f.SelectionSet)
	s.add(m.directives(f.Directives))
	m.known[name] = &s
	return s
}

func (m *meter) directives(list ast.DirectiveList) shape {
	for _, d := range list {
		if d.Name == "defer" || d.Name == "stream" {
			m.err = fault.New(fault.InvalidArgument, "@%s is not supported", d.Name)
		}
	}
	return shape{directives: len(list)}
}

// spot is a path of the response, and how many fields are merged there.
type spot struct {
	fields int
	below  map[string]*spot
}

// repeats walks a selection set that has been found small when expanded.
func (m *meter) repeats(set ast.SelectionSet, at *spot) error {
	for _, selection := range set {
		var err error
		switch s := selection.(type) {
		case *ast.Field:
			if at.below == nil {
				at.below = map[string]*spot{}
			}
			next := at.below[s.Alias]
			if next == nil {
				next = &spot{}
				at.below[s.Alias] = next
			}
			if next.fields++; next.fields > repeats {
				return &limitError{limit: "repeats of one field", maximum: repeats}
			}
			err = m.repeats(s.SelectionSet, next)
		case *ast.InlineFragment:
			err = m.repeats(s.SelectionSet, at)
		case *ast.FragmentSpread:
			if f := m.fragments[s.Name]; f != nil {
				err = m.repeats(f.SelectionSet, at)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
