// Package credential makes and checks what administrators and integrations
// prove themselves with: passwords, one-time codes, recovery codes, and opaque
// tokens (API keys, refresh tokens, one-time links). It stores nothing: it
// hands out what to store, which is never the secret itself.
package credential

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/bailiwick/bailiwick/internal/fault"
)

const (
	saltBytes = 16
	keyBytes  = 32

	// A stored hash states its own cost. These bound it, so that a damaged or
	// planted row cannot make a sign-in take gigabytes or minutes.
	maxMemory = 256 * 1024
	maxPasses = 16
	maxLanes  = 16
)

// ErrHash reports a stored password hash that is not argon2id in PHC form, or
// whose cost is outside sane bounds. The account cannot sign in until its
// password is set again.
var ErrHash = errors.New("stored password hash is malformed")

// HashConfig sets what one password hash costs, and how many are computed at
// once. Peak memory is Memory × Concurrent.
type HashConfig struct {
	Memory     uint32        // KiB for one hash
	Passes     uint32        // passes over the memory
	Lanes      uint8         // parallel lanes
	Concurrent int           // hashes computed at once; the rest wait
	Wait       time.Duration // longest wait for a turn; beyond it the caller is told to come back
}

// DefaultHashConfig is OWASP's second recommended setting (19 MiB, two passes,
// one lane) and at most 152 MiB altogether.
func DefaultHashConfig() HashConfig {
	return HashConfig{Memory: 19 * 1024, Passes: 2, Lanes: 1, Concurrent: 8, Wait: 5 * time.Second}
}

// Validate reports a setting outside the bounds that a [Hasher] accepts.
func (c HashConfig) Validate() error {
	switch {
	case c.Passes < 1 || c.Passes > maxPasses:
		return fmt.Errorf("password hash: passes must be 1 to %d", maxPasses)
	case c.Lanes < 1 || c.Lanes > maxLanes:
		return fmt.Errorf("password hash: lanes must be 1 to %d", maxLanes)
	case c.Memory < 8*uint32(c.Lanes) || c.Memory > maxMemory:
		return fmt.Errorf("password hash: memory must be %d to %d KiB", 8*c.Lanes, maxMemory)
	case c.Concurrent < 1:
		return errors.New("password hash: at least one must be computed at a time")
	case c.Wait <= 0:
		return errors.New("password hash: wait must be positive")
	}
	return nil
}

// Hasher hashes and verifies passwords with argon2id. Passwords are compared in
// their NFKC form. It is safe for concurrent use.
type Hasher struct {
	config HashConfig
	turns  chan struct{}
}

// NewHasher returns a hasher, or what is wrong with its configuration.
func NewHasher(config HashConfig) (*Hasher, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return &Hasher{config: config, turns: make(chan struct{}, config.Concurrent)}, nil
}

// Hash returns the PHC string to store. It does not judge the password: that is
// [CheckPassword]. Without a turn in time it answers UNAVAILABLE.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	normal, ok := normalize(password)
	if !ok {
		return "", fault.Invalid("password", "a password has at most %d bytes", MaxPasswordBytes)
	}
	phc := phc{memory: h.config.Memory, passes: h.config.Passes, lanes: h.config.Lanes, salt: make([]byte, saltBytes)}
	rand.Read(phc.salt)
	key, err := h.derive(ctx, phc, normal, keyBytes)
	if err != nil {
		return "", err
	}
	phc.key = key
	return phc.String(), nil
}

// Verify reports whether the password is the one that was hashed. It errs with
// [ErrHash] on a stored value it cannot read, with UNAVAILABLE when there is no
// turn in time.
func (h *Hasher) Verify(ctx context.Context, stored, password string) (bool, error) {
	phc, err := parsePHC(stored)
	if err != nil {
		return false, err
	}
	normal, ok := normalize(password)
	if !ok {
		return false, nil
	}
	key, err := h.derive(ctx, phc, normal, uint32(len(phc.key)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, phc.key) == 1, nil
}

// Dummy does the work of [Hasher.Verify] for an account that does not exist, so
// that the time of a sign-in does not tell which accounts do.
func (h *Hasher) Dummy(ctx context.Context, password string) error {
	normal, ok := normalize(password)
	if !ok {
		return nil
	}
	phc := phc{memory: h.config.Memory, passes: h.config.Passes, lanes: h.config.Lanes, salt: make([]byte, saltBytes)}
	_, err := h.derive(ctx, phc, normal, keyBytes)
	return err
}

// NeedsRehash reports whether a stored hash costs other than the configuration
// asks; the caller then hashes anew after the next successful sign-in.
func (h *Hasher) NeedsRehash(stored string) bool {
	phc, err := parsePHC(stored)
	return err != nil || phc.memory != h.config.Memory || phc.passes != h.config.Passes ||
		phc.lanes != h.config.Lanes || len(phc.salt) != saltBytes || len(phc.key) != keyBytes
}

func (h *Hasher) derive(ctx context.Context, p phc, password string, size uint32) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, h.config.Wait)
	defer cancel()
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	case <-ctx.Done():
		busy := fault.New(fault.Unavailable, "too many sign-ins at the moment; try again")
		busy.RetryAfter = h.config.Wait
		return nil, busy.Wrap(ctx.Err())
	}
	return argon2.IDKey([]byte(password), p.salt, p.passes, p.memory, p.lanes, size), nil
}

// phc is an argon2id hash in the form of the Password Hashing Competition:
// $argon2id$v=19$m=19456,t=2,p=1$salt$hash.
type phc struct {
	memory, passes uint32
	lanes          uint8
	salt, key      []byte
}

func (p phc) String() string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, p.memory, p.passes, p.lanes, b64(p.salt), b64(p.key))
}

func parsePHC(stored string) (phc, error) {
	var p phc
	part := strings.Split(stored, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return phc{}, ErrHash
	}
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.lanes); err != nil {
		return phc{}, ErrHash
	}
	var saltErr, keyErr error
	p.salt, saltErr = base64.RawStdEncoding.Strict().DecodeString(part[4])
	p.key, keyErr = base64.RawStdEncoding.Strict().DecodeString(part[5])
	cost := HashConfig{Memory: p.memory, Passes: p.passes, Lanes: p.lanes, Concurrent: 1, Wait: 1}
	if saltErr != nil || keyErr != nil || cost.Validate() != nil || len(p.salt) < 8 || len(p.salt) > 64 ||
		len(p.key) < 16 || len(p.key) > 64 || p.String() != stored {
		return phc{}, ErrHash
	}
	return p, nil
}
