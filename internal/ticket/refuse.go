package ticket

import (
	"cmp"
	"errors"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// maxText bounds what is kept of a vendor's words, in bytes.
const maxText = 2000

// words are what a vendor's error says to a technician: the vendor's own text
// where there is one.
func words(err error) string {
	e, ok := errors.AsType[*psa.Error](err)
	if !ok {
		if known, ok := errors.AsType[*fault.Error](err); ok {
			return psa.Fit(known.Message, maxText/4)
		}
		return "the call failed within the service"
	}
	said := map[psa.Class]string{
		psa.Auth:      "the credentials are refused",
		psa.Throttled: "the account has no calls left for now",
		psa.Uncertain: "no usable answer came",
		psa.NotSent:   "no connection could be made",
		psa.Gone:      "there is no such object",
		psa.Permanent: "the request is refused",
	}[e.Class]
	return psa.Fit(cmp.Or(e.Vendor, said), maxText/4)
}

// refused is a vendor's error for the caller of a mutation or query that asked
// the vendor. A refusal of what a field holds names the field.
func refused(err error, field string) error {
	e, ok := errors.AsType[*psa.Error](err)
	if !ok {
		return err
	}
	switch e.Class {
	case psa.Throttled:
		f := fault.New(fault.Unavailable, "the ticketing system takes no more calls for now: %s", words(err)).Wrap(err)
		f.RetryAfter = e.RetryAfter
		return f
	case psa.Uncertain, psa.NotSent:
		return fault.New(fault.Unavailable, "the ticketing system does not answer: %s", words(err)).Wrap(err)
	}
	if field != "" {
		return fault.Invalid(field, "the ticketing system refuses it: %s", words(err)).Wrap(err)
	}
	return fault.New(fault.PreconditionFailed, "the ticketing system refuses: %s", words(err)).Wrap(err)
}

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
