// Package keystore keeps the deployment's keys in the database: the tenants'
// wrapped keysets and the keys that sign access tokens. Both tables belong to
// no tenant, and the application's database role cannot touch them.
package keystore

import (
	"context"

	"entgo.io/ent/dialect"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/tenancy"
)

// outside is a context for reading and writing keys, whoever asks: outside of a
// tenant's transaction, which reaches no such table, but within the system's.
// Pending says which.
func outside(ctx context.Context, reason string) (system context.Context, pending bool) {
	if scope, err := tenancy.From(ctx); err == nil && scope.IsSystem() {
		_, pending = database.TxFrom(ctx)
		return ctx, pending
	}
	return tenancy.System(database.Detached(ctx), reason), false
}

// shared is the part that both stores are made of.
type shared struct {
	db     *database.DB
	client *ent.Client
}

func (s shared) postgres() bool { return s.db.Dialect() == dialect.Postgres }
