package ticket

import (
	"errors"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

func words(err error) string { return psa.Words(err) }

func refused(err error, field string) error { return psa.Refused(err, field) }

// within puts the field of a fault into an input.
func within(input string, err error) error {
	known, ok := errors.AsType[*fault.Error](err)
	if !ok || known.Field == "" {
		return err
	}
	moved := *known
	moved.Field = input + "." + known.Field
	return &moved
}
