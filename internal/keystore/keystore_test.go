package keystore_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/access/token"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/keystore"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/secret/secrettest"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

func newVault(t *testing.T, db *database.DB) *secret.Vault {
	t.Helper()
	master, err := secret.ParseMasterKey(secret.NewMasterKey())
	if err != nil {
		t.Fatal(err)
	}
	vault, err := secret.New(keystore.NewKeysets(db), secret.Masters{Current: master}, secret.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return vault
}

func TestKeysetsConform(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		secrettest.Run(t, []string{"org_a", "org_b"}, func(t *testing.T) secret.Store {
			return keystore.NewKeysets(testdb.New(t, engine))
		})
	})
}

// The first secret of a tenant may be sealed inside the tenant's transaction,
// whose role cannot touch the keysets and which on SQLite is the only writer.
func TestKeysetsInsideTransactions(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		vault := newVault(t, db)
		for _, provider := range []string{"prov_1", "prov_2"} {
			ctx := tenancy.With(t.Context(), tenancy.ForProvider(tenancy.ServicePrincipal("test"), provider))
			place := secret.Place{Tenant: provider, Table: "t", Column: "c", Row: "r"}
			var sealed []byte
			seal := func(ctx context.Context) (err error) {
				if sealed, err = vault.Seal(ctx, place, []byte("one")); err != nil {
					return err
				}
				_, err = vault.Open(ctx, place, sealed)
				return err
			}
			if err := db.InTx(ctx, func(ctx context.Context) error { return errors.Join(seal(ctx), errors.New("changed my mind")) }); err == nil || err.Error() != "changed my mind" {
				t.Fatalf("sealed in a transaction that rolls back: %v", err)
			}
			if err := db.InTx(ctx, seal); err != nil {
				t.Fatalf("sealed in a transaction: %v", err)
			}
			if plain, err := newVaultLike(t, vault).Open(t.Context(), place, sealed); err != nil || string(plain) != "one" {
				t.Errorf("opened after the commit: %q, %v", plain, err)
			}
		}
	})
}

// newVaultLike forgets what a vault has cached.
func newVaultLike(t *testing.T, vault *secret.Vault) *secret.Vault {
	t.Helper()
	for _, tenant := range []string{"prov_1", "prov_2"} {
		vault.Evict(tenant)
	}
	return vault
}

func TestSigningKeys(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		store := keystore.NewSigningKeys(db, newVault(t, db))
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		clock := func() time.Time { return now }
		// Replicas that start at once make one key.
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				keys, err := token.NewKeySet(store, token.DefaultSchedule(), clock, slog.New(slog.DiscardHandler))
				if err == nil {
					err = keys.Rotate(t.Context())
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		keys, err := store.Keys(t.Context())
		if err != nil || len(keys) != 1 || keys[0].State != token.Active || len(keys[0].Private) == 0 {
			t.Fatalf("keys %v, %v", keys, err)
		}
		first := keys[0].ID
		row := db.Client().SigningKey.Query().OnlyX(tenancy.System(t.Context(), "test"))
		if string(row.PrivateKey) == string(keys[0].Private) || len(row.PrivateKey) <= len(keys[0].Private) {
			t.Error("the private half is stored in clear")
		}
		set, err := token.NewKeySet(store, token.DefaultSchedule(), clock, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		for range 34 {
			now = now.Add(24 * time.Hour)
			if err := set.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		keys, err = store.Keys(t.Context())
		if err != nil || len(keys) != 1 || keys[0].ID == first {
			t.Errorf("a month later: %v, %v", keys, err)
		}
	})
}
