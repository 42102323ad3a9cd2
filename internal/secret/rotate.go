package secret

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tink-crypto/tink-go/v2/keyset"
)

const (
	rotatePage   = 500
	rotateTries  = 5  // against concurrent changes of one keyset
	rotateErrors = 20 // kept; the rest is counted
)

// Resealer re-encrypts the secrets of one column. Whoever owns the column
// implements it.
type Resealer interface {
	// Name says which column, for the progress report.
	Name() string
	// Reseal passes one page of rows after the cursor ("" to begin) through
	// reseal, stores those that changed in one transaction, and returns the
	// next cursor ("" at the end) with the number of rows stored. Rows must be
	// compared with what was read when they are stored: a secret set meanwhile
	// is newer.
	Reseal(ctx context.Context, after string, reseal ResealFunc) (next string, stored int, err error)
}

// ResealFunc re-encrypts a secret with its tenant's primary key; changed is
// false when that key made the ciphertext already.
type ResealFunc func(ctx context.Context, place Place, ciphertext []byte) (fresh []byte, changed bool, err error)

// Rotation says what [Vault.Rotate] does beyond re-wrapping keysets.
type Rotation struct {
	// NewKeysBefore gives every keyset whose primary key is older a new one;
	// the zero time gives none. Old keys stay, since they open what they
	// sealed. A run that was killed is resumed with the same time.
	NewKeysBefore time.Time
	// Resealers re-encrypt with the primary keys, after all keysets are done.
	Resealers []Resealer
	// Progress is called after every keyset and every page; it may be nil.
	Progress func(Progress)
}

// Progress is how far a rotation has come.
type Progress struct {
	Stage   string // "keysets", or a resealer's name
	Cursor  string // the tenant or the page just done
	Done    int    // keysets looked at, or pages resealed, in this stage
	Changed int    // keysets or rows rewritten in this stage
}

// Rotate moves every keyset to the current master key and, as asked, adds new
// keys and re-encrypts. It works in small steps, each complete in itself and
// skipped when already done: killed at any point, it is simply run again. It
// must not run inside a transaction.
//
// A keyset that cannot be rotated does not stop the others. Rotate then ends
// with an error, and before re-encrypting; no master key may be removed before
// it has returned nil.
func (v *Vault) Rotate(ctx context.Context, rotation Rotation) error {
	if rotation.NewKeysBefore.After(v.config.Now()) {
		return errors.New("secret: NewKeysBefore lies in the future; every run would add keys")
	}
	if rotation.Progress == nil {
		rotation.Progress = func(Progress) {}
	}
	if err := v.rotateKeysets(ctx, rotation); err != nil {
		return err
	}
	for _, resealer := range rotation.Resealers {
		if err := v.resealAll(ctx, resealer, rotation.Progress); err != nil {
			return err
		}
	}
	return nil
}

func (v *Vault) rotateKeysets(ctx context.Context, rotation Rotation) error {
	progress := Progress{Stage: "keysets"}
	var failures []error
	failed := 0
	for {
		tenants, err := v.store.List(ctx, progress.Cursor, rotatePage)
		if err != nil {
			return fmt.Errorf("secret: list keysets: %w", err)
		}
		for _, tenant := range tenants {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("secret: rotation stopped: %w", err)
			}
			changed, err := v.rotateKeyset(ctx, tenant, rotation.NewKeysBefore)
			if err != nil {
				failed++
				if len(failures) < rotateErrors {
					failures = append(failures, err)
				}
			}
			if changed {
				progress.Changed++
			}
			progress.Done, progress.Cursor = progress.Done+1, tenant
			rotation.Progress(progress)
		}
		if len(tenants) < rotatePage {
			break
		}
	}
	if failed > 0 {
		return fmt.Errorf("secret: %d of %d keysets not rotated: %w", failed, progress.Done, errors.Join(failures...))
	}
	return nil
}

func (v *Vault) rotateKeyset(ctx context.Context, tenant string, newKeysBefore time.Time) (changed bool, err error) {
	for range rotateTries {
		changed, err = v.tryRotateKeyset(ctx, tenant, newKeysBefore)
		if !errors.Is(err, ErrChanged) {
			break
		}
	}
	if errors.Is(err, ErrAbsent) { // the tenant was deleted meanwhile
		return false, nil
	}
	return changed, err
}

func (v *Vault) tryRotateKeyset(ctx context.Context, tenant string, newKeysBefore time.Time) (changed bool, err error) {
	record, err := v.store.Load(ctx, tenant)
	if err != nil {
		return false, fmt.Errorf("secret: load keyset of %s: %w", tenant, err)
	}
	wrapped, err := parseKeyset(record.Wrapped)
	if err != nil {
		return false, fmt.Errorf("%w (tenant %s)", err, tenant)
	}
	// Unwrapped even when there is nothing to do: a nil error vouches for
	// every keyset.
	handle, err := v.masters.unwrapKeyset(ctx, tenant, wrapped)
	if err != nil {
		return false, err
	}
	made := wrapped.made
	renew := made.Before(newKeysBefore)
	if !renew && wrapped.master == v.masters.Current.ID() {
		return false, nil
	}
	if renew {
		if handle, err = addKey(keyset.NewManagerFromHandle(handle)); err != nil {
			return false, err
		}
		made = v.config.Now()
	}
	fresh, err := wrapKeyset(ctx, v.masters.Current, tenant, handle, made)
	if err != nil {
		return false, err
	}
	if err := v.store.Replace(ctx, tenant, record.Version, fresh); err != nil {
		return false, fmt.Errorf("secret: replace keyset of %s: %w", tenant, err)
	}
	v.Evict(tenant)
	return true, nil
}

func (v *Vault) resealAll(ctx context.Context, resealer Resealer, report func(Progress)) error {
	progress := Progress{Stage: resealer.Name()}
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("secret: rotation stopped: %w", err)
		}
		next, stored, err := resealer.Reseal(ctx, progress.Cursor, v.reseal)
		if err != nil {
			return fmt.Errorf("secret: reseal %s after %q: %w", resealer.Name(), progress.Cursor, err)
		}
		progress.Done++
		progress.Changed += stored
		progress.Cursor = next
		report(progress)
		if next == "" {
			return nil
		}
	}
}

func (v *Vault) reseal(ctx context.Context, place Place, ciphertext []byte) (fresh []byte, changed bool, err error) {
	plaintext, err := v.Open(ctx, place, ciphertext)
	if err != nil {
		return nil, false, err
	}
	keys, err := v.cached(ctx, place.Tenant)
	if err != nil {
		return nil, false, err
	}
	if id, _ := keyID(ciphertext); id == keys.primary {
		return ciphertext, false, nil
	}
	fresh, err = v.Seal(ctx, place, plaintext)
	return fresh, err == nil, err
}
