package secret

import (
	"context"
	"errors"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// Config bounds what a [Vault] keeps in memory. The zero Config is usable.
type Config struct {
	CacheSize int              // keysets; 0 means 4096
	CacheTTL  time.Duration    // 0 means 10 minutes
	Now       func() time.Time // nil means time.Now
}

func (c Config) withDefaults() (Config, error) {
	if c.CacheSize < 0 || c.CacheTTL < 0 {
		return c, errors.New("secret: cache size and TTL must not be negative")
	}
	if c.CacheSize == 0 {
		c.CacheSize = 4096
	}
	if c.CacheTTL == 0 {
		c.CacheTTL = 10 * time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

// Vault seals and opens the secrets of all tenants. It is safe for concurrent
// use.
type Vault struct {
	store   Store
	masters Masters
	config  Config
	cache   *lru.Cache[string, *openKeyset]
}

// New returns a vault over the stored keysets.
func New(store Store, masters Masters, config Config) (*Vault, error) {
	if err := masters.validate(); err != nil {
		return nil, err
	}
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	cache, err := lru.New[string, *openKeyset](config.CacheSize)
	if err != nil {
		return nil, fmt.Errorf("secret: cache: %w", err)
	}
	return &Vault{store: store, masters: masters, config: config, cache: cache}, nil
}

// Seal encrypts a secret for its place. The tenant's keyset is made when it is
// first needed.
func (v *Vault) Seal(ctx context.Context, place Place, plaintext []byte) ([]byte, error) {
	if err := place.Validate(); err != nil {
		return nil, err
	}
	if len(plaintext) > MaxPlaintext {
		return nil, fmt.Errorf("secret: %d bytes exceed the limit of %d", len(plaintext), MaxPlaintext)
	}
	keys, err := v.cached(ctx, place.Tenant)
	if errors.Is(err, ErrAbsent) {
		keys, err = v.create(ctx, place.Tenant)
	}
	if err != nil {
		return nil, err
	}
	ciphertext, err := keys.aead.Encrypt(plaintext, place.associatedData())
	if err != nil {
		return nil, fmt.Errorf("secret: seal: %w", err)
	}
	return ciphertext, nil
}

// Open decrypts what [Vault.Seal] made for the same place; anything else is
// [ErrCiphertext].
func (v *Vault) Open(ctx context.Context, place Place, ciphertext []byte) ([]byte, error) {
	if err := place.Validate(); err != nil {
		return nil, err
	}
	keys, err := v.holding(ctx, place.Tenant, ciphertext)
	if err != nil {
		return nil, err
	}
	plaintext, err := keys.aead.Decrypt(ciphertext, place.associatedData())
	if err != nil {
		return nil, ErrCiphertext // Tink's words add nothing
	}
	return plaintext, nil
}

// Evict forgets a tenant's keyset, to be called when another replica changed
// it or the tenant is gone.
func (v *Vault) Evict(tenant string) { v.cache.Remove(tenant) }

// Check unwraps up to sample stored keysets, and so tells at start whether the
// configured master keys belong to this database.
func (v *Vault) Check(ctx context.Context, sample int) error {
	tenants, err := v.store.List(ctx, "", sample)
	if err != nil {
		return fmt.Errorf("secret: list keysets: %w", err)
	}
	for _, tenant := range tenants {
		if _, err := v.load(ctx, tenant); err != nil && !errors.Is(err, ErrAbsent) {
			return err
		}
	}
	return nil
}

// cached returns the tenant's keyset from memory, else from the store. A
// keyset that lacks the newest key still seals rightly: its keys stay valid.
func (v *Vault) cached(ctx context.Context, tenant string) (*openKeyset, error) {
	if keys, ok := v.cache.Get(tenant); ok && v.config.Now().Before(keys.expires) {
		return keys, nil
	}
	return v.load(ctx, tenant)
}

// holding returns the tenant's keyset that has the key of a ciphertext. A key
// unknown to the cached keyset was made by another replica since.
func (v *Vault) holding(ctx context.Context, tenant string, ciphertext []byte) (*openKeyset, error) {
	id, ok := keyID(ciphertext)
	if !ok {
		return nil, ErrCiphertext
	}
	keys, err := v.cached(ctx, tenant)
	if err == nil && !keys.ids[id] {
		keys, err = v.load(ctx, tenant)
	}
	switch {
	case errors.Is(err, ErrAbsent):
		return nil, fmt.Errorf("%w: %w", ErrCiphertext, err)
	case err != nil:
		return nil, err
	case !keys.ids[id]:
		return nil, ErrCiphertext
	}
	return keys, nil
}

func (v *Vault) load(ctx context.Context, tenant string) (*openKeyset, error) {
	record, err := v.store.Load(ctx, tenant)
	if err != nil {
		v.cache.Remove(tenant)
		return nil, fmt.Errorf("secret: load keyset of %s: %w", tenant, err)
	}
	return v.open(ctx, tenant, record)
}

func (v *Vault) create(ctx context.Context, tenant string) (*openKeyset, error) {
	handle, err := addKey(keyset.NewManager())
	if err != nil {
		return nil, err
	}
	wrapped, err := wrapKeyset(ctx, v.masters.Current, tenant, handle, v.config.Now())
	if err != nil {
		return nil, err
	}
	record, err := v.store.Create(ctx, tenant, wrapped)
	if err != nil {
		return nil, fmt.Errorf("secret: create keyset of %s: %w", tenant, err)
	}
	return v.open(ctx, tenant, record) // what is stored, which may be another caller's
}

func (v *Vault) open(ctx context.Context, tenant string, record Record) (*openKeyset, error) {
	wrapped, err := parseKeyset(record.Wrapped)
	if err != nil {
		return nil, err
	}
	handle, err := v.masters.unwrapKeyset(ctx, tenant, wrapped)
	if err != nil {
		return nil, err
	}
	keys, err := newOpenKeyset(handle, v.config.Now().Add(v.config.CacheTTL))
	if err != nil {
		return nil, err
	}
	if !record.Pending {
		v.cache.Add(tenant, keys)
	}
	return keys, nil
}
