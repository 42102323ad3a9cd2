package graph

import "github.com/99designs/gqlgen/graphql"

// patch applies an input field that may be absent (it stays), null (it is
// cleared) or given.
func patch[T, B any](value graphql.Omittable[*T], set func(T) B, unset func() B) {
	given, ok := value.ValueOK()
	switch {
	case !ok:
	case given == nil:
		unset()
	default:
		set(*given)
	}
}
