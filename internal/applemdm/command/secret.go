package command

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"reflect"
)

const masked = "[secret]"

// Secret is a text that must not be seen: it prints and logs as "[secret]".
// Property lists and JSON hold it in clear, since that is how it is sent and,
// encrypted, stored. A command with a field of this type is [Sensitive].
type Secret string

// SecretData is [Secret] for bytes.
type SecretData []byte

// Format prints "[secret]" for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, masked) }

// LogValue returns "[secret]".
func (Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// Format prints "[secret]" for every verb.
func (SecretData) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, masked) }

// LogValue returns "[secret]".
func (SecretData) LogValue() slog.Value { return slog.StringValue(masked) }

// NewPIN returns a random PIN of six digits, for a Mac to be locked or erased.
func NewPIN() (Secret, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", fmt.Errorf("make PIN: %w", err)
	}
	return Secret(fmt.Sprintf("%06d", n)), nil
}

func holdsSecret(t reflect.Type) bool {
	if t == reflect.TypeFor[Secret]() || t == reflect.TypeFor[SecretData]() {
		return true
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Array:
		return holdsSecret(t.Elem())
	case reflect.Struct:
		for field := range t.Fields() {
			if holdsSecret(field.Type) {
				return true
			}
		}
	}
	return false
}
