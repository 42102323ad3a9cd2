package graph

import (
	"context"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/access"
	"github.com/bailiwick/bailiwick/internal/access/policy"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/tenancy"
)

// maxNodes is the most ids that nodes takes at once.
const maxNodes = 100

// node is an object by its id, for a caller who may read its type.
func (r *Resolver) node(ctx context.Context, id string) (ent.Noder, error) {
	prefix, _, _ := strings.Cut(id, "_")
	table, ok := ent.TypeOf(prefix)
	permission := ent.ViewPermission(table)
	if !ok || permission == "" {
		return nil, fault.Missing(id)
	}
	caller, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	scope, err := caller.Authorize(ctx, policy.Permission(permission))
	if err != nil {
		return nil, err
	}
	n, err := r.Client.Noder(tenancy.With(ctx, scope), id, ent.WithFixedNodeType(table))
	if ent.IsNotFound(err) {
		return nil, fault.Missing(id)
	}
	return n, err
}

// nodes is several objects in the order asked for; one that cannot be read is
// null, with an error at its place.
func (r *Resolver) nodes(ctx context.Context, ids []string) ([]ent.Noder, error) {
	if len(ids) > maxNodes {
		return nil, fault.Invalid("ids", "at most %d ids", maxNodes)
	}
	found := make([]ent.Noder, len(ids))
	for i, id := range ids {
		n, err := r.node(ctx, id)
		if err != nil {
			graphql.AddError(graphql.WithPathContext(ctx, graphql.NewPathWithIndex(i)), err)
			continue
		}
		found[i] = n
	}
	return found, nil
}
