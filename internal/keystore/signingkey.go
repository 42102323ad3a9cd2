package keystore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/signingkey"
	"github.com/bailiwick/bailiwick/internal/access/token"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Deployment is the tenant whose keyset seals what belongs to no provider.
const Deployment = "deployment"

// rotationLock is the key of the advisory lock under which replicas rotate one
// after another. It is an arbitrary number.
const rotationLock = 0x62775369

const signingReason = "access tokens of every provider are signed by the deployment"

// SigningKeys is the [token.Store] over the database. Private halves are sealed.
type SigningKeys struct {
	shared
	vault *secret.Vault
}

var _ token.Store = (*SigningKeys)(nil)

// NewSigningKeys returns the store of signing keys in a database.
func NewSigningKeys(db *database.DB, vault *secret.Vault) *SigningKeys {
	return &SigningKeys{shared: shared{db: db, client: db.Client()}, vault: vault}
}

// Keys implements [token.Store].
func (s *SigningKeys) Keys(ctx context.Context) ([]token.Key, error) {
	system, _ := outside(ctx, signingReason)
	rows, err := s.client.SigningKey.Query().All(system)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	keys := make([]token.Key, 0, len(rows))
	for _, row := range rows {
		private, err := s.vault.Open(system, place(row.ID), row.PrivateKey)
		if err != nil {
			return nil, fmt.Errorf("open signing key %s: %w", row.Kid, err)
		}
		keys = append(keys, token.Key{
			ID: row.Kid, State: token.State(row.State), Private: private,
			Created: row.CreatedAt, Activated: value(row.ActivatedAt), Retired: value(row.RetiredAt),
		})
	}
	return keys, nil
}

// Update implements [token.Store]. A removed key's row is deleted.
func (s *SigningKeys) Update(ctx context.Context, change func([]token.Key) ([]token.Key, error)) error {
	if _, within := database.TxFrom(ctx); within {
		return errors.New("keystore: signing keys are not changed inside a transaction")
	}
	return s.db.InTx(tenancy.System(ctx, signingReason), func(ctx context.Context) error {
		if s.postgres() { // on SQLite the transaction itself is the lock
			if err := s.db.Driver().Exec(ctx, "SELECT pg_advisory_xact_lock($1)", []any{rotationLock}, nil); err != nil {
				return fmt.Errorf("lock signing keys: %w", err)
			}
		}
		keys, err := s.Keys(ctx)
		if err != nil {
			return err
		}
		changed, err := change(keys)
		if err != nil {
			return err
		}
		for _, k := range changed {
			if err := s.store(ctx, k); err != nil {
				return fmt.Errorf("store signing key %s: %w", k.ID, err)
			}
		}
		return nil
	})
}

func (s *SigningKeys) store(ctx context.Context, k token.Key) error {
	if k.State == token.Removed {
		_, err := s.client.SigningKey.Delete().Where(signingkey.Kid(k.ID)).Exec(ctx)
		return err
	}
	id, err := s.client.SigningKey.Query().Where(signingkey.Kid(k.ID)).OnlyID(ctx)
	if ent.IsNotFound(err) {
		return s.create(ctx, k)
	}
	if err != nil {
		return err
	}
	return s.client.SigningKey.UpdateOneID(id).
		SetState(string(k.State)).SetNillableActivatedAt(pointer(k.Activated)).SetNillableRetiredAt(pointer(k.Retired)).Exec(ctx)
}

func (s *SigningKeys) create(ctx context.Context, k token.Key) error {
	id := schema.NewID("sig")()
	sealed, err := s.vault.Seal(ctx, place(id), k.Private)
	if err != nil {
		return err
	}
	return s.client.SigningKey.Create().
		SetID(id).SetKid(k.ID).SetState(string(k.State)).SetPublicKey(k.Public()).SetPrivateKey(sealed).
		SetCreatedAt(k.Created.UTC()).SetNillableActivatedAt(pointer(k.Activated)).SetNillableRetiredAt(pointer(k.Retired)).Exec(ctx)
}

func place(row string) secret.Place {
	return secret.Place{Tenant: Deployment, Table: signingkey.Table, Column: signingkey.FieldPrivateKey, Row: row}
}

func value(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func pointer(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	utc := t.UTC()
	return &utc
}
