package database

import (
	"context"

	"github.com/lib/pq"

	"github.com/bailiwick/bailiwick/tenancy"
)

// Notify sends payloads to the listeners of a PostgreSQL channel, with the
// context's transaction if there is one.
func (db *DB) Notify(ctx context.Context, channel string, payloads ...string) error {
	const notify = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload"
	if tx, ok := TxFrom(ctx); ok {
		_, err := tx.ExecContext(ctx, notify, channel, pq.Array(payloads))
		return err
	}
	_, err := db.System().ExecContext(tenancy.System(ctx, "announce an event to the other replicas"), notify, channel, pq.Array(payloads))
	return err
}
