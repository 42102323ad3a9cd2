package secret

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// wrapTimeout bounds one call of a master key, which may be a remote service.
const wrapTimeout = 10 * time.Second

// A stored keyset is a header and Tink's encrypted keyset:
//
//	1 byte   format, 1
//	8 bytes  when its primary key was made, in Unix nanoseconds, big-endian
//	1 byte   length of the master key's id
//	n bytes  the master key's id
//	…        the encrypted keyset; header and tenant are its associated data
const (
	keysetFormat     = 1
	keysetHeaderSize = 10
)

// prefixSize is the size of Tink's ciphertext prefix: a byte 1 and the key id.
const prefixSize = 5

// wrappedKeyset is the parsed form of a stored keyset.
type wrappedKeyset struct {
	made   time.Time // of the primary key
	master string
	header []byte
	sealed []byte
}

func parseKeyset(stored []byte) (wrappedKeyset, error) {
	if len(stored) < keysetHeaderSize || stored[0] != keysetFormat {
		return wrappedKeyset{}, fmt.Errorf("%w: unknown format", ErrMaster)
	}
	end := keysetHeaderSize + int(stored[9])
	if len(stored) < end {
		return wrappedKeyset{}, fmt.Errorf("%w: truncated", ErrMaster)
	}
	return wrappedKeyset{
		made:   time.Unix(0, int64(binary.BigEndian.Uint64(stored[1:9]))), // authenticated below
		master: string(stored[keysetHeaderSize:end]),
		header: stored[:end],
		sealed: stored[end:],
	}, nil
}

// masterAEAD lets Tink wrap and unwrap with a master key.
type masterAEAD struct{ Wrapper }

func (m masterAEAD) EncryptWithContext(ctx context.Context, plaintext, ad []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, wrapTimeout)
	defer cancel()
	return m.Wrap(ctx, plaintext, ad)
}

func (m masterAEAD) DecryptWithContext(ctx context.Context, wrapped, ad []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, wrapTimeout)
	defer cancel()
	return m.Unwrap(ctx, wrapped, ad)
}

func wrapKeyset(ctx context.Context, master Wrapper, tenant string, handle *keyset.Handle, made time.Time) ([]byte, error) {
	id := master.ID()
	header := binary.BigEndian.AppendUint64([]byte{keysetFormat}, uint64(made.UnixNano()))
	header = append(header, byte(len(id)))
	header = append(header, id...)
	out := bytes.NewBuffer(bytes.Clone(header))
	err := handle.WriteWithContext(ctx, keyset.NewBinaryWriter(out), masterAEAD{master}, keysetData(header, tenant))
	if err != nil {
		return nil, fmt.Errorf("secret: wrap keyset of %s with master key %s: %w", tenant, id, err)
	}
	return out.Bytes(), nil
}

func (m Masters) unwrapKeyset(ctx context.Context, tenant string, w wrappedKeyset) (*keyset.Handle, error) {
	master, known := m.find(w.master)
	if !known {
		return nil, fmt.Errorf("%w: the keyset of %s needs %q", ErrMaster, tenant, w.master)
	}
	reader := keyset.NewBinaryReader(bytes.NewReader(w.sealed))
	handle, err := keyset.ReadWithContext(ctx, reader, masterAEAD{master}, keysetData(w.header, tenant))
	if err != nil {
		return nil, fmt.Errorf("%w: keyset of %s, master key %s: %w", ErrMaster, tenant, w.master, err)
	}
	return handle, nil
}

func keysetData(header []byte, tenant string) []byte {
	return frame("bailiwick keyset", string(header), tenant)
}

// addKey puts a new primary key into a keyset, or begins one. XAES-256-GCM
// takes random nonces without a practical limit on the number of secrets.
func addKey(manager *keyset.Manager) (*keyset.Handle, error) {
	id, err := manager.Add(aead.XAES256GCM192BitNonceKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("secret: add key: %w", err)
	}
	if err := manager.SetPrimary(id); err != nil {
		return nil, fmt.Errorf("secret: set primary key: %w", err)
	}
	handle, err := manager.Handle()
	if err != nil {
		return nil, fmt.Errorf("secret: new keyset: %w", err)
	}
	return handle, nil
}

// openKeyset is a keyset ready for use. It is immutable.
type openKeyset struct {
	aead    tink.AEAD
	primary uint32
	ids     map[uint32]bool
	expires time.Time
}

func newOpenKeyset(handle *keyset.Handle, expires time.Time) (*openKeyset, error) {
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("secret: open keyset: %w", err)
	}
	info := handle.KeysetInfo()
	ids := make(map[uint32]bool, len(info.GetKeyInfo()))
	for _, key := range info.GetKeyInfo() {
		ids[key.GetKeyId()] = true
	}
	return &openKeyset{aead: primitive, primary: info.GetPrimaryKeyId(), ids: ids, expires: expires}, nil
}

// keyID reads which key of the keyset made a ciphertext.
func keyID(ciphertext []byte) (id uint32, ok bool) {
	if len(ciphertext) < prefixSize || ciphertext[0] != 1 {
		return 0, false
	}
	return binary.BigEndian.Uint32(ciphertext[1:prefixSize]), true
}
