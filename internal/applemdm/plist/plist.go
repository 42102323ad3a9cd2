// Package plist reads and writes the XML property lists of Apple's MDM
// protocol. What is read comes from the network: every document passes a guard
// that bounds it before a decoder sees it. Binary property lists are refused,
// since their objects can refer to one another and devices send XML.
package plist

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	decoder "github.com/micromdm/plist"
)

// The limits of a document.
const (
	MaxBody     = 4 << 20 // bytes
	MaxDepth    = 64      // elements inside one another, the root counted
	MaxElements = 200_000 // an inventory of 5,000 applications has 130,000
)

// Why a document is refused. An error wraps one of these, and never shows a
// value of the document.
var (
	ErrBinary    = errors.New("plist: binary property lists are not accepted")
	ErrTooLarge  = errors.New("plist: larger than 4 MiB")
	ErrTooDeep   = errors.New("plist: nested deeper than 64")
	ErrTooMany   = errors.New("plist: more than 200,000 elements")
	ErrMalformed = errors.New("plist: malformed")
)

// Read reads a body to its end, and no more than one byte past the limit.
// It returns [ErrTooLarge] for a longer one.
func Read(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, MaxBody+1))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if len(body) > MaxBody {
		return nil, ErrTooLarge
	}
	return body, nil
}

// Decode guards a document, then decodes it into what the pointer points to.
// Keys that it has no field for are ignored.
func Decode(body []byte, into any) error {
	if err := Check(body); err != nil {
		return err
	}
	err := decoder.NewXMLDecoder(bytes.NewReader(body)).Decode(into)
	if err == nil {
		return nil
	}
	// The decoder's errors quote the value, which can be a secret.
	if mismatch, ok := errors.AsType[decoder.UnmarshalTypeError](err); ok {
		return malformed("a value does not fit %s", mismatch.Type)
	}
	return malformed("its text cannot be decoded")
}

// Encode writes a document. It fails for what a property list cannot hold,
// such as a nil inside a map.
func Encode(v any) (out []byte, err error) {
	defer func() { // the encoder panics on nil
		if recover() != nil {
			out, err = nil, fmt.Errorf("plist: cannot encode %T", v)
		}
	}()
	out, err = decoder.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode plist: %w", err)
	}
	return out, nil
}

// Clip cuts a text that only describes, such as a device's name, to a number of
// characters (code points). What identifies is refused when it is too long, not cut.
func Clip(text string, limit int) string {
	if len(text) <= limit || utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit])
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}
