package psa

import (
	"cmp"
	"errors"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// maxWords bounds what is kept of a vendor's words, in UTF-16 units.
const maxWords = 500

// Words are what an error says to a technician: the vendor's own text where
// there is one.
func Words(err error) string {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		if known, ok := errors.AsType[*fault.Error](err); ok {
			return Fit(known.Message, maxWords)
		}
		return "the call failed within the service"
	}
	said := map[Class]string{
		Auth:      "the credentials are refused",
		Throttled: "the account has no calls left for now",
		Uncertain: "no usable answer came",
		NotSent:   "no connection could be made",
		Gone:      "there is no such object",
		Permanent: "the request is refused",
	}[e.Class]
	return Fit(cmp.Or(e.Vendor, said), maxWords)
}

// Refused is a vendor's error for the caller of a mutation or query that asked
// the vendor: a *fault.Error. A refusal of what a field holds names the field,
// if one is given. What is no vendor's error is returned as it is.
func Refused(err error, field string) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	switch e.Class {
	case Throttled:
		f := fault.New(fault.Unavailable, "the ticketing system takes no more calls for now: %s", Words(err)).Wrap(err)
		f.RetryAfter = e.RetryAfter
		return f
	case Uncertain, NotSent:
		return fault.New(fault.Unavailable, "the ticketing system does not answer: %s", Words(err)).Wrap(err)
	}
	if field != "" {
		return fault.Invalid(field, "the ticketing system refuses it: %s", Words(err)).Wrap(err)
	}
	return fault.New(fault.PreconditionFailed, "the ticketing system refuses: %s", Words(err)).Wrap(err)
}
