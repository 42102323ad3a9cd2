// Package secret encrypts what must not be readable in the database.
//
// It is envelope encryption with Tink: a master key wraps one data keyset per
// tenant, and the tenant's keyset encrypts its secrets. Every ciphertext is
// bound to its [Place], so that one copied to another tenant, table, column or
// row does not open; every wrapped keyset is bound to its tenant.
//
// # Replacing the master key
//
// Several master keys are known at once ([Masters]). With many replicas, take
// three steps, so that no replica meets a keyset that it cannot unwrap:
// configure the new key as a previous one everywhere; make it the current one
// everywhere; run [Vault.Rotate]. When that returns without an error, nothing
// depends on the old key any more and it can be removed.
package secret

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
)

// MaxPlaintext is the largest secret that [Vault.Seal] accepts, in bytes.
const MaxPlaintext = 1 << 20

// Errors that callers tell apart with [errors.Is].
var (
	// ErrCiphertext reports a ciphertext that does not open: damaged, moved
	// from another place, or sealed with a keyset that is gone. Which of these
	// cannot be known.
	ErrCiphertext = errors.New("secret: ciphertext does not open in this place")
	// ErrMaster reports a keyset that no configured master key unwraps.
	ErrMaster = errors.New("secret: no configured master key unwraps the keyset")
	// ErrAbsent is what a [Store] answers for a tenant without a keyset.
	ErrAbsent = errors.New("secret: tenant has no keyset")
	// ErrChanged is what a [Store] answers when the version to replace is no
	// longer the current one.
	ErrChanged = errors.New("secret: keyset changed meanwhile")
)

// Place is where a ciphertext is stored. All parts are required.
type Place struct {
	Tenant string // id of the organization or provider that owns the secret
	Table  string
	Column string
	Row    string // primary key; assign it before sealing
}

// Validate reports the first empty part.
func (p Place) Validate() error {
	for _, part := range []struct{ name, value string }{
		{"tenant", p.Tenant}, {"table", p.Table}, {"column", p.Column}, {"row", p.Row},
	} {
		if part.value == "" {
			return fmt.Errorf("secret: place without %s", part.name)
		}
	}
	return nil
}

// associatedData prefixes every part with its length: joined by a separator,
// two different places could read the same.
func (p Place) associatedData() []byte {
	return frame("bailiwick secret 1", p.Tenant, p.Table, p.Column, p.Row)
}

func frame(parts ...string) []byte {
	var out []byte
	for _, part := range parts {
		out = binary.AppendUvarint(out, uint64(len(part)))
		out = append(out, part...)
	}
	return out
}

// Record is a stored keyset.
type Record struct {
	Wrapped []byte
	Version int64 // changes with every Replace
	// Pending says that the record belongs to a transaction that may yet roll
	// back. A vault does not cache such a keyset: after a rollback it would go
	// on sealing with a key that was never stored.
	Pending bool
}

// Store keeps one wrapped keyset per tenant. It may join the transaction in
// the context, and then says so in [Record.Pending].
type Store interface {
	// Load returns the tenant's keyset, or [ErrAbsent].
	Load(ctx context.Context, tenant string) (Record, error)
	// Create stores the tenant's first keyset and returns what is stored
	// afterwards: if another caller was first, that caller's. It must not fail
	// in that case, since on PostgreSQL a unique violation would abort the
	// surrounding transaction.
	Create(ctx context.Context, tenant string, wrapped []byte) (Record, error)
	// Replace stores a keyset in place of the given version, or returns
	// [ErrChanged] if that is not the current version any more.
	Replace(ctx context.Context, tenant string, version int64, wrapped []byte) error
	// List returns up to limit tenants that have a keyset, ascending, after
	// the given one ("" to begin).
	List(ctx context.Context, after string, limit int) ([]string, error)
}
