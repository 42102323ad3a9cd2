package secret_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"testing/quick"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/secret/secrettest"
)

var home = secret.Place{Tenant: "org_a", Table: "integration", Column: "api_key", Row: "int_1"}

func newMaster(t testing.TB) secret.Wrapper {
	t.Helper()
	master, err := secret.ParseMasterKey(secret.NewMasterKey())
	require.NoError(t, err)
	return master
}

func newVault(t testing.TB, store secret.Store, current secret.Wrapper, previous ...secret.Wrapper) *secret.Vault {
	t.Helper()
	vault, err := secret.New(store, secret.Masters{Current: current, Previous: previous}, secret.Config{})
	require.NoError(t, err)
	return vault
}

func seal(t testing.TB, vault *secret.Vault, place secret.Place, plaintext string) []byte {
	t.Helper()
	ciphertext, err := vault.Seal(t.Context(), place, []byte(plaintext))
	require.NoError(t, err)
	return ciphertext
}

func requireOpens(t testing.TB, vault *secret.Vault, place secret.Place, ciphertext []byte, want string) {
	t.Helper()
	plaintext, err := vault.Open(t.Context(), place, ciphertext)
	require.NoError(t, err)
	require.Equal(t, want, string(plaintext))
}

func TestStoreConformance(t *testing.T) {
	secrettest.Run(t, []string{"org_c", "org_a", "prv_1", "org_b", "org_d"}, func(*testing.T) secret.Store {
		return secrettest.NewStore()
	})
}

func TestSealedSecretOpensOnlyInItsPlace(t *testing.T) {
	vault := newVault(t, secrettest.NewStore(), newMaster(t))
	ciphertext := seal(t, vault, home, "hunter2")
	require.NotContains(t, string(ciphertext), "hunter2")
	requireOpens(t, vault, home, ciphertext, "hunter2")

	other := home
	other.Tenant = "org_b"
	seal(t, vault, other, "the neighbour has a keyset too")

	moved := map[string]secret.Place{
		"tenant":           other,
		"tenant, unknown":  {Tenant: "org_z", Table: home.Table, Column: home.Column, Row: home.Row},
		"table":            {Tenant: home.Tenant, Table: "device", Column: home.Column, Row: home.Row},
		"column":           {Tenant: home.Tenant, Table: home.Table, Column: "password", Row: home.Row},
		"row":              {Tenant: home.Tenant, Table: home.Table, Column: home.Column, Row: "int_2"},
		"shifted boundary": {Tenant: home.Tenant, Table: home.Table + "a", Column: home.Column[1:], Row: home.Row},
	}
	for name, place := range moved {
		_, err := vault.Open(t.Context(), place, ciphertext)
		require.ErrorIs(t, err, secret.ErrCiphertext, name)
	}
}

func TestPlacesAreNeverConfused(t *testing.T) {
	vault := newVault(t, secrettest.NewStore(), newMaster(t))
	err := quick.Check(func(a, b, c string, cut uint8) bool {
		// The same characters, divided elsewhere.
		joined := "t" + a + b + c + "rest"
		first := int(cut)%(len(joined)-2) + 1
		one := secret.Place{Tenant: "org_a", Table: joined[:first], Column: joined[first:], Row: "r"}
		two := secret.Place{Tenant: "org_a", Table: joined[:first+1], Column: joined[first+1:], Row: "r"}
		if two.Column == "" {
			return true
		}
		ciphertext, err := vault.Seal(t.Context(), one, []byte("x"))
		if err != nil {
			return false
		}
		_, err = vault.Open(t.Context(), two, ciphertext)
		return errors.Is(err, secret.ErrCiphertext)
	}, nil)
	require.NoError(t, err)
}

func TestDamagedCiphertextDoesNotOpen(t *testing.T) {
	vault := newVault(t, secrettest.NewStore(), newMaster(t))
	ciphertext := seal(t, vault, home, "hunter2")
	for size := range ciphertext {
		_, err := vault.Open(t.Context(), home, ciphertext[:size])
		require.ErrorIs(t, err, secret.ErrCiphertext, "truncated to %d bytes", size)
	}
	for bit := range len(ciphertext) * 8 {
		flipped := bytes.Clone(ciphertext)
		flipped[bit/8] ^= 1 << (bit % 8)
		_, err := vault.Open(t.Context(), home, flipped)
		require.ErrorIs(t, err, secret.ErrCiphertext, "bit %d flipped", bit)
	}
	_, err := vault.Open(t.Context(), home, append(bytes.Clone(ciphertext), 0))
	require.ErrorIs(t, err, secret.ErrCiphertext)
}

func TestEveryPlaintextComesBack(t *testing.T) {
	vault := newVault(t, secrettest.NewStore(), newMaster(t))
	require.NoError(t, quick.Check(func(plaintext []byte, row string) bool {
		place := home
		place.Row = "r" + row
		ciphertext, err := vault.Seal(t.Context(), place, plaintext)
		if err != nil {
			return false
		}
		opened, err := vault.Open(t.Context(), place, ciphertext)
		return err == nil && bytes.Equal(opened, plaintext)
	}, nil))
}

func TestSealRefuses(t *testing.T) {
	vault := newVault(t, secrettest.NewStore(), newMaster(t))
	for _, place := range []secret.Place{
		{Table: "t", Column: "c", Row: "r"}, {Tenant: "o", Column: "c", Row: "r"},
		{Tenant: "o", Table: "t", Row: "r"}, {Tenant: "o", Table: "t", Column: "c"},
	} {
		_, err := vault.Seal(t.Context(), place, []byte("x"))
		require.ErrorContains(t, err, "place without")
		_, err = vault.Open(t.Context(), place, []byte("x"))
		require.ErrorContains(t, err, "place without")
	}
	_, err := vault.Seal(t.Context(), home, make([]byte, secret.MaxPlaintext+1))
	require.ErrorContains(t, err, "exceed")
}

func TestWrongMasterKey(t *testing.T) {
	store, master := secrettest.NewStore(), newMaster(t)
	ciphertext := seal(t, newVault(t, store, master), home, "hunter2")

	stranger := newVault(t, store, newMaster(t))
	_, err := stranger.Open(t.Context(), home, ciphertext)
	require.ErrorIs(t, err, secret.ErrMaster)
	require.ErrorContains(t, err, master.ID(), "the message names the key to configure")
	_, err = stranger.Seal(t.Context(), home, []byte("x"))
	require.ErrorIs(t, err, secret.ErrMaster)
	require.ErrorIs(t, stranger.Check(t.Context(), 10), secret.ErrMaster)
	require.NoError(t, newVault(t, store, master).Check(t.Context(), 10))
	require.NoError(t, newVault(t, store, newMaster(t), master).Check(t.Context(), 10))
}

func TestStoredKeysetIsBoundToItsTenant(t *testing.T) {
	store, master := secrettest.NewStore(), newMaster(t)
	seal(t, newVault(t, store, master), home, "hunter2")
	record, err := store.Load(t.Context(), "org_a")
	require.NoError(t, err)
	_, err = store.Create(t.Context(), "org_b", record.Wrapped)
	require.NoError(t, err)

	place := home
	place.Tenant = "org_b"
	_, err = newVault(t, store, master).Seal(t.Context(), place, []byte("x"))
	require.ErrorIs(t, err, secret.ErrMaster)

	for i := range record.Wrapped {
		damaged := bytes.Clone(record.Wrapped)
		damaged[i] ^= 0x40
		store := secrettest.NewStore()
		_, err := store.Create(t.Context(), "org_a", damaged)
		require.NoError(t, err)
		// Bytes that describe the keys are repeated inside, authenticated; those
		// may change without effect. None may make it open as something else.
		if keys := newVault(t, store, master); keys.Check(t.Context(), 1) == nil {
			requireOpens(t, keys, home, seal(t, keys, home, "x"), "x")
		}
		store.Delete("org_a")
		_, err = store.Create(t.Context(), "org_a", record.Wrapped[:i])
		require.NoError(t, err)
		require.Error(t, newVault(t, store, master).Check(t.Context(), 1), "truncated to %d bytes", i)
	}
}

func TestFirstUseRacesOverOneKeyset(t *testing.T) {
	store, master := secrettest.NewStore(), newMaster(t)
	const replicas = 16
	sealed := make([][]byte, replicas)
	var group sync.WaitGroup
	for i := range replicas {
		vault := newVault(t, store, master)
		group.Go(func() {
			var err error
			if sealed[i], err = vault.Seal(t.Context(), home, []byte("hunter2")); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	reader := newVault(t, store, master)
	for _, ciphertext := range sealed {
		requireOpens(t, reader, home, ciphertext, "hunter2")
	}
}

// pendingStore answers as a store does inside a transaction.
type pendingStore struct{ *secrettest.Store }

func (s pendingStore) Load(ctx context.Context, tenant string) (secret.Record, error) {
	record, err := s.Store.Load(ctx, tenant)
	record.Pending = true
	return record, err
}

func (s pendingStore) Create(ctx context.Context, tenant string, wrapped []byte) (secret.Record, error) {
	record, err := s.Store.Create(ctx, tenant, wrapped)
	record.Pending = true
	return record, err
}

func TestKeysetOfARolledBackTransactionIsForgotten(t *testing.T) {
	store, master := secrettest.NewStore(), newMaster(t)
	vault := newVault(t, pendingStore{store}, master)
	seal(t, vault, home, "sealed in a transaction that rolls back")
	requireOpens(t, vault, home, seal(t, vault, home, "x"), "x")
	store.Delete(home.Tenant)

	ciphertext := seal(t, vault, home, "sealed afterwards")
	requireOpens(t, newVault(t, store, master), home, ciphertext, "sealed afterwards")
}

// countingStore counts the loads.
type countingStore struct {
	*secrettest.Store
	loads int
}

func (s *countingStore) Load(ctx context.Context, tenant string) (secret.Record, error) {
	s.loads++
	return s.Store.Load(ctx, tenant)
}

func TestCacheIsBoundedAndExpires(t *testing.T) {
	store := &countingStore{Store: secrettest.NewStore()}
	now := time.Unix(1_800_000_000, 0)
	vault, err := secret.New(store, secret.Masters{Current: newMaster(t)},
		secret.Config{CacheSize: 2, CacheTTL: time.Minute, Now: func() time.Time { return now }})
	require.NoError(t, err)
	loads := func(tenant string) int {
		before := store.loads
		place := home
		place.Tenant = tenant
		requireOpens(t, vault, place, seal(t, vault, place, "x"), "x")
		return store.loads - before
	}
	require.Equal(t, 1, loads("org_a"), "absent, then created")
	require.Equal(t, 0, loads("org_a"), "cached")
	now = now.Add(time.Minute)
	require.Equal(t, 1, loads("org_a"), "expired")
	vault.Evict("org_a")
	require.Equal(t, 1, loads("org_a"), "evicted")
	loads("org_b")
	loads("org_c")
	require.Equal(t, 1, loads("org_a"), "displaced")
}

func TestNewRefuses(t *testing.T) {
	master := newMaster(t)
	for name, masters := range map[string]secret.Masters{
		"none":  {},
		"twice": {Current: master, Previous: []secret.Wrapper{master}},
		"nil":   {Current: master, Previous: []secret.Wrapper{nil}},
	} {
		_, err := secret.New(secrettest.NewStore(), masters, secret.Config{})
		require.Error(t, err, name)
	}
	_, err := secret.New(secrettest.NewStore(), secret.Masters{Current: master}, secret.Config{CacheTTL: -1})
	require.Error(t, err)
}

func FuzzOpen(f *testing.F) {
	vault := newVault(f, secrettest.NewStore(), newMaster(f))
	genuine, err := vault.Seal(f.Context(), home, []byte("hunter2"))
	require.NoError(f, err)
	f.Add(genuine, "integration", "int_1")
	f.Add(genuine[:4], "integration", "int_1")
	f.Add([]byte{}, "", "")
	f.Fuzz(func(t *testing.T, ciphertext []byte, table, row string) {
		place := secret.Place{Tenant: home.Tenant, Table: table, Column: home.Column, Row: row}
		_, err := vault.Open(context.Background(), place, ciphertext)
		if err == nil && !(bytes.Equal(ciphertext, genuine) && place == home) {
			t.Fatalf("%x opened at %v", ciphertext, place)
		}
	})
}
