package simulator

import (
	"context"
	"errors"
	"maps"
)

// topic is part of the messages that belong to enrolment.
func (d *Device) topic() string {
	if e := d.current(); e != nil {
		return e.profile.MDM.Topic
	}
	return ""
}

// authenticate asks to be enrolled.
func (d *Device) authenticate(ctx context.Context) error {
	h, state, e := d.config.Hardware, d.State(), d.current()
	message := dict{
		"Topic": d.topic(), "DeviceName": h.DeviceName, "Model": h.Model, "ModelName": h.ModelName,
		"OSVersion": state.OSVersion, "BuildVersion": state.BuildVersion, "ProductName": h.ProductName,
	}
	if e != nil && e.id == "" {
		message["SerialNumber"] = h.SerialNumber
		if h.IMEI != "" {
			message["IMEI"] = h.IMEI
		}
	}
	_, err := d.checkIn(ctx, "Authenticate", message)
	return err
}

func (d *Device) tokenUpdate(ctx context.Context) error {
	e := d.current()
	if e == nil {
		return ErrNotEnrolled
	}
	message := dict{"Topic": d.topic(), "Token": e.token, "PushMagic": e.magic}
	if !d.config.Hardware.Kind.Mac() && e.id == "" && !d.State().Enrolled {
		message["UnlockToken"] = e.unlockToken // only the first brings it
	}
	_, err := d.checkIn(ctx, "TokenUpdate", message)
	return err
}

// TokenUpdate tells the server a new push token, as after a restore. It leaves
// out the unlock token, as devices may.
func (d *Device) TokenUpdate(ctx context.Context) error {
	d.session.Lock()
	defer d.session.Unlock()
	d.mu.Lock()
	if d.enrolment != nil {
		d.enrolment.token = d.bytes(32)
	}
	d.mu.Unlock()
	return d.tokenUpdate(ctx)
}

// CheckOut tells the server that the owner has removed the profile, and
// forgets the server whatever it answers.
func (d *Device) CheckOut(ctx context.Context) error {
	d.session.Lock()
	defer d.session.Unlock()
	return d.checkOut(ctx)
}

func (d *Device) checkOut(ctx context.Context) error {
	_, err := d.checkIn(ctx, "CheckOut", dict{"Topic": d.topic()})
	d.unenroll()
	return err
}

// SetBootstrapToken escrows a Mac's bootstrap token; an empty one removes it.
func (d *Device) SetBootstrapToken(ctx context.Context, token []byte) error {
	d.session.Lock()
	defer d.session.Unlock()
	message := dict{}
	if len(token) > 0 {
		message["BootstrapToken"] = token
	}
	_, err := d.checkIn(ctx, "SetBootstrapToken", message)
	return err
}

// GetBootstrapToken asks for the escrowed token; nil if the server has none.
func (d *Device) GetBootstrapToken(ctx context.Context) ([]byte, error) {
	d.session.Lock()
	defer d.session.Unlock()
	answer, err := d.checkIn(ctx, "GetBootstrapToken", dict{})
	if err != nil || len(answer) == 0 {
		return nil, err
	}
	message, err := decodePlist(answer)
	if err != nil {
		return nil, err
	}
	return get[[]byte](message, "BootstrapToken"), nil
}

// UserAuthenticate asks for a channel of its own for a Mac's user. It returns
// the server's challenge, which is empty if none is needed; a server that
// wants no such channel refuses with 410.
func (d *Device) UserAuthenticate(ctx context.Context, userID, digestResponse string) (challenge string, err error) {
	d.session.Lock()
	defer d.session.Unlock()
	message := dict{"UserID": userID}
	if digestResponse != "" {
		message["DigestResponse"] = digestResponse
	}
	answer, err := d.checkIn(ctx, "UserAuthenticate", message)
	if err != nil || len(answer) == 0 {
		return "", err
	}
	reply, err := decodePlist(answer)
	if err != nil {
		return "", err
	}
	return get[string](reply, "DigestChallenge"), nil
}

// GetToken asks for a token of a service, such as com.apple.maid.
func (d *Device) GetToken(ctx context.Context, service string) ([]byte, error) {
	d.session.Lock()
	defer d.session.Unlock()
	answer, err := d.checkIn(ctx, "GetToken", dict{"TokenServiceType": service})
	if err != nil {
		return nil, err
	}
	reply, err := decodePlist(answer)
	if err != nil {
		return nil, err
	}
	token := get[[]byte](reply, "TokenData")
	if token == nil {
		return nil, errors.New("simulator: the answer holds no TokenData")
	}
	return token, nil
}

// merge returns a dictionary with more in it.
func merge(d, more dict) dict {
	merged := make(dict, len(d)+len(more))
	maps.Copy(merged, d)
	maps.Copy(merged, more)
	return merged
}
