package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

const masked = "[secret]"

// Text is a secret in memory. However it is printed, logged or marshalled, it
// reads "[secret]"; only [Text.Reveal] returns it. It decodes from JSON, flags
// and environment variables like a string. The zero Text is empty.
type Text struct {
	// A pointer, because fmt does not call the methods of values in unexported
	// fields: it would print a string, and prints only the pointer's address.
	value *string
}

// NewText wraps a secret.
func NewText(value string) Text { return Text{value: &value} }

// Reveal returns the secret. Its call sites are where a secret can leak.
func (t Text) Reveal() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// IsZero reports whether the text is empty.
func (t Text) IsZero() bool { return t.Reveal() == "" }

// Equal compares in a time that depends on the lengths alone.
func (t Text) Equal(other Text) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(other.Reveal())) == 1
}

// String returns "[secret]".
func (Text) String() string { return masked }

// GoString returns "[secret]".
func (Text) GoString() string { return masked }

// Format prints "[secret]" for every verb.
func (Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, masked) }

// LogValue returns "[secret]".
func (Text) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalJSON returns "[secret]".
func (Text) MarshalJSON() ([]byte, error) { return []byte(`"` + masked + `"`), nil }

// MarshalText returns "[secret]".
func (Text) MarshalText() ([]byte, error) { return []byte(masked), nil }

// UnmarshalText takes any text. It never fails: the errors of decoders quote
// the value.
func (t *Text) UnmarshalText(text []byte) error {
	*t = NewText(string(text))
	return nil
}
