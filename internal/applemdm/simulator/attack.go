package simulator

import (
	"bytes"
	"context"
	"errors"
)

// Reply is a server's answer to something that no honest device sends. The
// device does not act upon it.
type Reply struct {
	Status int
	Body   []byte
}

// Raw sends any body as this device, signed properly: to the check-in URL or
// to the command URL.
func (d *Device) Raw(ctx context.Context, checkIn bool, body []byte) (Reply, error) {
	e := d.current()
	if e == nil {
		return Reply{}, ErrNotEnrolled
	}
	return d.strike(ctx, e, checkIn, body, func(*sent) {})
}

// Tampered sends an Idle that was changed after it was signed.
func (d *Device) Tampered(ctx context.Context) (Reply, error) {
	return d.idle(ctx, func(s *sent) { s.body = bytes.Replace(s.body, []byte("Idle"), []byte("Idler"), 1) })
}

// Unsigned sends an Idle without a signature, or what stands for it.
func (d *Device) Unsigned(ctx context.Context) (Reply, error) {
	return d.idle(ctx, func(s *sent) {
		for name := range s.header {
			if name != "Content-Type" {
				delete(s.header, name)
			}
		}
	})
}

// Spoofed sends an Idle in the name of another device, signed by this one.
func (d *Device) Spoofed(ctx context.Context, udid string) (Reply, error) {
	body, err := encodePlist(dict{"UDID": udid, "Status": "Idle"})
	if err != nil {
		return Reply{}, err
	}
	return d.Raw(ctx, false, body)
}

// Replayed sends the last request once more as it was, its signature
// included: to the same URL, or to another if one is given.
func (d *Device) Replayed(ctx context.Context, elsewhere string) (Reply, error) {
	d.session.Lock()
	defer d.session.Unlock()
	d.mu.Lock()
	last := d.last
	d.mu.Unlock()
	if last == nil {
		return Reply{}, errors.New("simulator: nothing was sent yet")
	}
	again := *last
	if elsewhere != "" {
		again.url = elsewhere
	}
	client := d.plain
	if e := d.current(); e != nil {
		client = e.client
	}
	status, body, err := d.put(ctx, client, &again)
	return Reply{Status: status, Body: body}, err
}

// Impersonate sends an Idle in this device's name, signed with another's
// identity. It fits message signatures only.
func (d *Device) Impersonate(ctx context.Context, other Identity) (Reply, error) {
	e := d.current()
	if e == nil {
		return Reply{}, ErrNotEnrolled
	}
	e.identity = other
	return d.idleAs(ctx, e, func(*sent) {})
}

func (d *Device) idle(ctx context.Context, spoil func(*sent)) (Reply, error) {
	e := d.current()
	if e == nil {
		return Reply{}, ErrNotEnrolled
	}
	return d.idleAs(ctx, e, spoil)
}

func (d *Device) idleAs(ctx context.Context, e *enrolment, spoil func(*sent)) (Reply, error) {
	body, err := encodePlist(d.identified(e, dict{"Status": "Idle"}))
	if err != nil {
		return Reply{}, err
	}
	return d.strike(ctx, e, false, body, spoil)
}

func (d *Device) strike(ctx context.Context, e *enrolment, checkIn bool, body []byte, spoil func(*sent)) (Reply, error) {
	d.session.Lock()
	defer d.session.Unlock()
	s, err := d.prepare(e, checkIn, body)
	if err != nil {
		return Reply{}, err
	}
	spoil(s)
	status, answer, err := d.put(ctx, e.client, s)
	return Reply{Status: status, Body: answer}, err
}
