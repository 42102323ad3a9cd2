package graph

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vikstrous/dataloadgen"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// batchWait is how long the first parent waits for its siblings; they all
// arrive within one turn of the executor.
const batchWait = time.Millisecond

// within loads a list that hangs on a parent: for all the parents of one level
// at once, so that the number of statements follows the depth of the query
// and not its rows.
func within[C any](ctx context.Context, parent string, load func(ctx context.Context, parents []string) (map[string]C, error)) (C, error) {
	var zero C
	fc := graphql.GetFieldContext(ctx)
	s := stateFrom(ctx)
	if s == nil || !inList(fc) {
		found, err := load(ctx, []string{parent})
		if err != nil {
			return zero, err
		}
		return found[parent], nil
	}
	made, _ := s.loaders.LoadOrStore(levelOf(fc), sync.OnceValue(func() any {
		return dataloadgen.NewMappedLoader(load, dataloadgen.WithWait(batchWait), dataloadgen.WithBatchCapacity(maxPage))
	}))
	loader, ok := made.(func() any)().(*dataloadgen.Loader[string, C])
	if !ok {
		return zero, fault.New(fault.Internal, "two lists share one place in the query")
	}
	return loader.Load(ctx, parent)
}

// maxPage is the most rows that a page can have, and so the most parents.
const maxPage = 500

// inList reports whether a field's object is one of several.
func inList(fc *graphql.FieldContext) bool {
	for ; fc != nil; fc = fc.Parent {
		if fc.Index != nil {
			return true
		}
	}
	return false
}

// levelOf is a field's place in the query, whichever list entry it is in.
func levelOf(fc *graphql.FieldContext) string {
	var parts []string
	for ; fc != nil; fc = fc.Parent {
		if fc.Field.Field != nil {
			parts = append(parts, fc.Field.Alias)
		}
	}
	return strings.Join(parts, ".")
}
