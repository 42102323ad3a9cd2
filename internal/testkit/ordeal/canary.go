package ordeal

import (
	"context"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// resender is a client as most HTTP libraries retry: it sends a ticket again
// whose answer was lost, without looking. The judge must see what it doubles.
type resender struct{ psa.Vendor }

func (v resender) Create(ctx context.Context, d psa.Draft) (psa.Remote, error) {
	r, err := v.Vendor.Create(ctx, d)
	if psa.ClassOf(err) == psa.Uncertain {
		return v.Vendor.Create(ctx, d)
	}
	return r, err
}

// optimist is a client that takes every note for written. The judge must see
// what it loses.
type optimist struct{ psa.Vendor }

func (v optimist) AddNote(ctx context.Context, ticketID string, n psa.Note) error {
	_ = v.Vendor.AddNote(ctx, ticketID, n) // its fault is that it does not ask
	return nil
}

// wrapped is a driver whose clients are wrapped.
func wrapped(d psa.Driver, wrap func(psa.Vendor) psa.Vendor) psa.Driver {
	if wrap == nil {
		return d
	}
	return psa.Driver{Settings: d.Settings, Open: func(credentials []byte, gate psa.Gate) (psa.Vendor, error) {
		v, err := d.Open(credentials, gate)
		if err != nil {
			return nil, err
		}
		return wrap(v), nil
	}}
}
