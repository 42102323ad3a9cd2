package keystore

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/datakey"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

const keysetReason = "keysets are opened before a tenant's data can be"

// Keysets is the [secret.Store] over the database.
//
// A keyset made inside a tenant's transaction outlives its rollback on
// PostgreSQL, where it is stored over another connection. SQLite has one
// writer, which that transaction occupies: there the keyset joins it.
type Keysets struct{ shared }

var _ secret.Store = (*Keysets)(nil)

// NewKeysets returns the store of keysets in a database.
func NewKeysets(db *database.DB) *Keysets { return &Keysets{shared{db: db, client: db.Client()}} }

// Load implements [secret.Store].
func (k *Keysets) Load(ctx context.Context, tenant string) (secret.Record, error) {
	system, pending := outside(ctx, keysetReason)
	row, err := k.client.DataKey.Query().Where(datakey.Tenant(tenant)).Only(system)
	switch {
	case ent.IsNotFound(err):
		if tx := k.joined(ctx); tx != nil {
			return loadIn(ctx, tx, tenant)
		}
		return secret.Record{}, secret.ErrAbsent
	case err != nil:
		return secret.Record{}, fmt.Errorf("load keyset: %w", err)
	}
	return secret.Record{Wrapped: row.Wrapped, Version: row.Version, Pending: pending}, nil
}

// Create implements [secret.Store].
func (k *Keysets) Create(ctx context.Context, tenant string, wrapped []byte) (secret.Record, error) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	query, args := sql.Dialect(k.db.Dialect()).Insert(datakey.Table).
		Columns(datakey.FieldID, datakey.FieldCreatedAt, datakey.FieldUpdatedAt,
			datakey.FieldTenant, datakey.FieldWrapped, datakey.FieldVersion).
		Values(schema.NewID("dk")(), now, now, tenant, wrapped, 1).
		OnConflict(sql.ConflictColumns(datakey.FieldTenant), sql.DoNothing()).Query()
	if tx := k.joined(ctx); tx != nil {
		if _, err := tx.ExecContext(ctx, query, args...); err != nil {
			return secret.Record{}, fmt.Errorf("create keyset: %w", err)
		}
		return loadIn(ctx, tx, tenant)
	}
	system, _ := outside(ctx, keysetReason)
	if err := k.db.Driver().Exec(system, query, args, nil); err != nil {
		return secret.Record{}, fmt.Errorf("create keyset: %w", err)
	}
	return k.Load(ctx, tenant)
}

// Replace implements [secret.Store].
func (k *Keysets) Replace(ctx context.Context, tenant string, version int64, wrapped []byte) error {
	system, _ := outside(ctx, keysetReason)
	n, err := k.client.DataKey.Update().
		Where(datakey.Tenant(tenant), datakey.Version(version)).
		SetWrapped(wrapped).SetVersion(version + 1).Save(system)
	switch {
	case err != nil:
		return fmt.Errorf("replace keyset: %w", err)
	case n == 0:
		return secret.ErrChanged
	}
	return nil
}

// List implements [secret.Store].
func (k *Keysets) List(ctx context.Context, after string, limit int) ([]string, error) {
	system, _ := outside(ctx, keysetReason)
	tenants, err := k.client.DataKey.Query().
		Where(datakey.TenantGT(after)).Order(datakey.ByTenant()).Limit(limit).
		Select(datakey.FieldTenant).Strings(system)
	if err != nil {
		return nil, fmt.Errorf("list keysets: %w", err)
	}
	return tenants, nil
}

// joined is the tenant's transaction on SQLite, nil elsewhere.
func (k *Keysets) joined(ctx context.Context) *stdsql.Tx {
	scope, err := tenancy.From(ctx)
	if err != nil || scope.IsSystem() || k.postgres() {
		return nil
	}
	tx, _ := database.TxFrom(ctx)
	return tx
}

// loadIn reads a keyset that the transaction may have made.
func loadIn(ctx context.Context, tx *stdsql.Tx, tenant string) (secret.Record, error) {
	r := secret.Record{Pending: true}
	err := tx.QueryRowContext(ctx, "SELECT wrapped, version FROM data_keys WHERE tenant = ?", tenant).Scan(&r.Wrapped, &r.Version)
	switch {
	case errors.Is(err, stdsql.ErrNoRows):
		return secret.Record{}, secret.ErrAbsent
	case err != nil:
		return secret.Record{}, fmt.Errorf("load keyset: %w", err)
	}
	return r, nil
}
