package command

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// maxProfile is the size of a configuration profile, in bytes.
const maxProfile = 1 << 20

// first returns the first error of several checks.
func first(errs ...*fault.Error) *fault.Error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func required(field, value string) *fault.Error {
	if strings.TrimSpace(value) == "" {
		return fault.Invalid(field, "required")
	}
	return nil
}

// text accepts what a property list can hold: valid UTF-8 whose only control
// characters are tab and line feed.
func text(field, value string, limit int) *fault.Error {
	switch {
	case !utf8.ValidString(value):
		return fault.Invalid(field, "not valid UTF-8")
	case utf8.RuneCountInString(value) > limit:
		return fault.Invalid(field, "at most %d characters", limit)
	case strings.ContainsFunc(value, func(r rune) bool {
		return unicode.IsControl(r) && r != '\t' && r != '\n' || r == '\ufffe' || r == '\uffff'
	}):
		return fault.Invalid(field, "control characters are not accepted")
	}
	return nil
}

func size(field string, data []byte, limit int) *fault.Error {
	if len(data) > limit {
		return fault.Invalid(field, "at most %d bytes", limit)
	}
	return nil
}

func oneOf(field, value string, values ...string) *fault.Error {
	if !slices.Contains(values, value) {
		return fault.Invalid(field, "one of %s", strings.Join(values, ", "))
	}
	return nil
}
