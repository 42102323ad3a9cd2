// Package token issues and verifies access tokens: short-lived JWTs signed with
// Ed25519, whose keys rotate on a schedule that never turns a valid token away,
// and are published as a JWK set.
package token

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// State is where a signing key stands in its life.
type State string

// The states, in the order in which a key passes through them.
const (
	Next    State = "NEXT"    // published and accepted, does not sign yet
	Active  State = "ACTIVE"  // signs
	Retired State = "RETIRED" // accepted until the last token it signed has expired
	Removed State = "REMOVED" // neither published nor accepted; its private half is to be destroyed
)

// Key is a signing key. Times are zero until the state is reached.
type Key struct {
	ID        string // the kid: RFC 7638 thumbprint of the public half
	State     State
	Private   ed25519.PrivateKey // stored encrypted only
	Created   time.Time
	Activated time.Time
	Retired   time.Time
}

// Public is the half that verifies.
func (k Key) Public() ed25519.PublicKey {
	public, _ := k.Private.Public().(ed25519.PublicKey)
	return public
}

// LogValue keeps the private half out of logs.
func (k Key) LogValue() slog.Value {
	return slog.GroupValue(slog.String("kid", k.ID), slog.String("state", string(k.State)))
}

// String keeps the private half out of formatted text.
func (k Key) String() string { return "signing key " + k.ID + " " + string(k.State) }

// GoString keeps the private half out of %#v.
func (k Key) GoString() string { return k.String() }

// Store keeps signing keys; private halves are its to encrypt.
type Store interface {
	// Keys returns every key that is not REMOVED, in any order; none is no error.
	Keys(ctx context.Context) ([]Key, error)

	// Update runs change on every key that is not REMOVED and stores the keys it
	// returns, new or changed. The whole is atomic and serial: of two replicas
	// that rotate at once, the second sees what the first has done. A key that
	// comes back REMOVED loses its private half for good.
	Update(ctx context.Context, change func([]Key) ([]Key, error)) error
}

func newKey(now time.Time) (Key, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("generate signing key: %w", err)
	}
	return Key{ID: thumbprint(public), State: Next, Private: private, Created: now}, nil
}

// thumbprint names a key by its content (RFC 7638, RFC 8037 section 2).
func thumbprint(public ed25519.PublicKey) string {
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + base64.RawURLEncoding.EncodeToString(public) + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// check refuses what a store must not hand out: a key that signs or verifies
// wrongly is worse than none.
func check(keys []Key) error {
	for _, k := range keys {
		if len(k.Private) != ed25519.PrivateKeySize || k.ID != thumbprint(k.Public()) {
			return errors.New("stored signing key " + k.ID + " is damaged")
		}
	}
	return nil
}

// newestActive is the key that signs: after an interrupted rotation there may
// be two, and every replica must choose the same.
func newestActive(keys []Key) (Key, bool) {
	active := inState(keys, Active)
	if len(active) == 0 {
		return Key{}, false
	}
	return active[len(active)-1], true
}

// inState selects keys, oldest first.
func inState(keys []Key, state State) []Key {
	selected := slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return k.State != state })
	slices.SortFunc(selected, func(a, b Key) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return selected
}
