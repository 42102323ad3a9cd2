package graph

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"

	"github.com/bailiwick/bailiwick/tenancy"
)

// state is what the fields of one operation share.
type state struct {
	loaders sync.Map // place in the query → loader
	roots   sync.Map // root field's alias → tenancy.Scope
}

type stateKey struct{}

func stateFrom(ctx context.Context) *state {
	s, _ := ctx.Value(stateKey{}).(*state)
	return s
}

// Sharing gives every response of an operation a state of its own: a
// subscription has many responses, and none may see another's rows.
type Sharing struct{}

// ExtensionName implements gqlgen's extension.
func (Sharing) ExtensionName() string { return "Sharing" }

// Validate implements gqlgen's extension.
func (Sharing) Validate(graphql.ExecutableSchema) error { return nil }

// InterceptResponse adds the state.
func (Sharing) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	return next(context.WithValue(ctx, stateKey{}, &state{}))
}

// enter remembers what a root field reaches.
func (s *state) enter(root string, scope tenancy.Scope) {
	if s != nil {
		s.roots.Store(root, scope)
	}
}

// reach is what the root field above reaches.
func (s *state) reach(root string) (tenancy.Scope, bool) {
	if s == nil {
		return tenancy.Scope{}, false
	}
	entered, _ := s.roots.Load(root)
	scope, ok := entered.(tenancy.Scope)
	return scope, ok
}
