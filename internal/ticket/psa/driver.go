package psa

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// Driver opens accounts of one kind of PSA. Its functions take what is stored
// as JSON and refuse unknown fields.
type Driver struct {
	// Open returns a client for an integration's credentials, whose calls pass
	// the gate. It sends nothing. The error is a *fault.Error when a credential
	// is malformed.
	Open func(credentials []byte, gate Gate) (Vendor, error)
	// Settings decodes and validates an alert configuration's settings. The
	// error is a *fault.Error that names the field.
	Settings func(raw []byte) (Settings, error)
}

// NewDriver returns the driver of a product, which people know by its name. C
// are the product's credentials.
func NewDriver[C any, V Vendor, S Settings](product string, open func(C, Gate) (V, error), settings func(raw []byte) (S, error)) Driver {
	return Driver{
		Open: func(raw []byte, gate Gate) (Vendor, error) {
			var credentials C
			if err := Decode(raw, &credentials); err != nil {
				return nil, fault.Invalid("credentials", "credentials are not those of %s", product).Wrap(err)
			}
			client, err := open(credentials, gate)
			if err != nil {
				return nil, err
			}
			return client, nil
		},
		Settings: func(raw []byte) (Settings, error) {
			s, err := settings(raw)
			if err != nil {
				return nil, err
			}
			return s, nil
		},
	}
}

// Decode reads what is stored as one JSON value, and refuses unknown fields.
func Decode(raw []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

// Drivers holds the drivers of a deployment; the composition root fills it.
type Drivers map[Kind]Driver

// For returns the driver of a kind, or a *fault.Error if this deployment has
// none.
func (d Drivers) For(kind Kind) (Driver, error) {
	if driver, ok := d[kind]; ok {
		return driver, nil
	}
	return Driver{}, fault.New(fault.PreconditionFailed, "this deployment has no driver for %s", kind)
}
