package secret

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
)

// masterKeySize is the size of a local master key, in bytes.
const masterKeySize = 32

// Wrapper is a master key: it encrypts keysets. A key management service is
// reached by implementing it; each call is given a deadline.
type Wrapper interface {
	// ID names the key, forever and without revealing it; at most 255 bytes.
	// It is stored beside every keyset, to find the key that unwraps it.
	ID() string
	// Wrap encrypts, and binds the result to the associated data.
	Wrap(ctx context.Context, plaintext, associatedData []byte) ([]byte, error)
	// Unwrap decrypts what Wrap made of the same associated data.
	Unwrap(ctx context.Context, wrapped, associatedData []byte) ([]byte, error)
}

// Masters are the master keys in use. Current wraps; Previous only unwrap,
// until [Vault.Rotate] has moved every keyset to the current one.
type Masters struct {
	Current  Wrapper
	Previous []Wrapper
}

func (m Masters) find(id string) (Wrapper, bool) {
	if m.Current.ID() == id {
		return m.Current, true
	}
	for _, w := range m.Previous {
		if w.ID() == id {
			return w, true
		}
	}
	return nil, false
}

func (m Masters) validate() error {
	if m.Current == nil {
		return errors.New("secret: no current master key")
	}
	seen := map[string]bool{}
	for _, w := range append([]Wrapper{m.Current}, m.Previous...) {
		if w == nil {
			return errors.New("secret: previous master key is nil")
		}
		id := w.ID()
		if id == "" || len(id) > 255 {
			return errors.New("secret: master key id must have 1 to 255 bytes")
		}
		if seen[id] {
			return fmt.Errorf("secret: master key %s is given twice", id)
		}
		seen[id] = true
	}
	return nil
}

// localKey is a master key held in memory. XChaCha20-Poly1305 draws its nonces
// at random without a practical limit on their number.
type localKey struct {
	id   string
	aead *subtle.XChaCha20Poly1305
}

func newLocalKey(key []byte) (*localKey, error) {
	if len(key) != masterKeySize {
		return nil, fmt.Errorf("secret: master key has %d bytes, want %d", len(key), masterKeySize)
	}
	aead, err := subtle.NewXChaCha20Poly1305(key)
	if err != nil {
		return nil, fmt.Errorf("secret: master key: %w", err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("bailiwick master key id"))
	return &localKey{id: "local-" + hex.EncodeToString(mac.Sum(nil)[:8]), aead: aead}, nil
}

func (k *localKey) ID() string { return k.id }

func (k *localKey) Wrap(_ context.Context, plaintext, associatedData []byte) ([]byte, error) {
	return k.aead.Encrypt(plaintext, associatedData)
}

func (k *localKey) Unwrap(_ context.Context, wrapped, associatedData []byte) ([]byte, error) {
	return k.aead.Decrypt(wrapped, associatedData)
}

// ParseMasterKey reads a master key: 32 random bytes in standard base64. Its
// errors do not quote the key.
func ParseMasterKey(encoded Text) (Wrapper, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded.Reveal()))
	if err != nil {
		return nil, errors.New("secret: master key is not base64; make one with: openssl rand -base64 32")
	}
	return newLocalKey(key)
}

// NewMasterKey makes a master key, encoded for [ParseMasterKey].
func NewMasterKey() Text {
	key := make([]byte, masterKeySize)
	_, _ = rand.Read(key) // never fails: it ends the program instead
	return NewText(base64.StdEncoding.EncodeToString(key))
}

// ReadMasterKey reads a master key file. A file that others may read is
// refused. A missing file is an error that wraps [fs.ErrNotExist].
func ReadMasterKey(path string) (Wrapper, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("secret: master key file: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("secret: master key file %s is open to others; run: chmod o-rwx %s", path, path)
	}
	if !info.Mode().IsRegular() || info.Size() > 4096 {
		return nil, fmt.Errorf("secret: %s is not a master key file", path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("secret: master key file: %w", err)
	}
	key, err := ParseMasterKey(NewText(string(content)))
	if err != nil {
		return nil, fmt.Errorf("%w (in %s)", err, path)
	}
	return key, nil
}

// ReadOrCreateMasterKey is [ReadMasterKey] for a development machine: it makes
// a missing file, readable by its owner only. Two processes that start at once
// end up with the same key. Never for production, where a lost file must be an
// error and not a new key.
func ReadOrCreateMasterKey(path string) (key Wrapper, created bool, err error) {
	key, err = ReadMasterKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, false, err
	}
	switch err := writeMasterKey(path); {
	case err == nil:
		created = true
	case !errors.Is(err, fs.ErrExist):
		return nil, false, fmt.Errorf("secret: create master key file: %w", err)
	}
	key, err = ReadMasterKey(path)
	return key, created && err == nil, err
}

// writeMasterKey writes aside and links into place, so that nobody ever sees,
// and no crash ever leaves, half a key.
func writeMasterKey(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, ".master-key-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.WriteString(NewMasterKey().Reveal() + "\n")
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Link(file.Name(), path)
}
