package simulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// order is a command that a device knows how to obey.
type order struct {
	obey       func(*Device, context.Context, dict) response
	supervised bool // on iPhones and iPads
	mac        bool // Macs know it
	mobile     bool // iPhones and iPads know it
	user       bool // allowed in a user enrolment
}

// orders are the commands that devices know, with their limits as Apple's
// schema has them.
var orders = map[string]order{
	"DeviceInformation":             {obey: (*Device).deviceInformation, mac: true, mobile: true, user: true},
	"SecurityInfo":                  {obey: (*Device).securityInfo, mac: true, mobile: true, user: true},
	"InstalledApplicationList":      {obey: (*Device).installedApplicationList, mac: true, mobile: true, user: true},
	"ProfileList":                   {obey: (*Device).profileList, mac: true, mobile: true, user: true},
	"CertificateList":               {obey: (*Device).certificateList, mac: true, mobile: true, user: true},
	"DeviceLock":                    {obey: (*Device).deviceLock, mac: true, mobile: true, user: true},
	"EraseDevice":                   {obey: (*Device).eraseDevice, mac: true, mobile: true},
	"RestartDevice":                 {obey: (*Device).restartDevice, mac: true, mobile: true, supervised: true},
	"ShutDownDevice":                {obey: (*Device).shutDownDevice, mac: true, mobile: true, supervised: true},
	"ClearPasscode":                 {obey: (*Device).clearPasscode, mobile: true},
	"AvailableOSUpdates":            {obey: (*Device).availableOSUpdates, mac: true, mobile: true, supervised: true},
	"OSUpdateStatus":                {obey: (*Device).osUpdateStatus, mac: true, mobile: true, supervised: true},
	"ScheduleOSUpdate":              {obey: (*Device).scheduleOSUpdate, mac: true, mobile: true, supervised: true},
	"ActivationLockBypassCode":      {obey: (*Device).activationLockBypassCode, mac: true, mobile: true, supervised: true},
	"ClearActivationLockBypassCode": {obey: (*Device).clearActivationLockBypassCode, mac: true, mobile: true, supervised: true},
	"InstallProfile":                {obey: (*Device).installProfile, mac: true, mobile: true, user: true},
	"RemoveProfile":                 {obey: (*Device).removeProfile, mac: true, mobile: true, user: true},
	"DeclarativeManagement":         {obey: (*Device).declarativeManagement, mac: true, mobile: true, user: true},
}

// obey carries out a command.
func (d *Device) obey(ctx context.Context, o Obeyed) response {
	known, ok := orders[o.RequestType]
	e, mac := d.current(), d.config.Hardware.Kind.Mac()
	switch {
	case !ok, mac && !known.mac, !mac && !known.mobile:
		return refuse(codeUnknownCommand, fmt.Sprintf("Unknown command: %s <MDMClientError:91>", o.RequestType))
	case e == nil, e.id != "" && !known.user:
		return refuse(codeNotAuthorized, "The command is not allowed in a user enrollment.")
	case known.supervised && !mac && !d.config.Supervised:
		return refuse(codeNotAuthorized, "The device is not supervised.")
	}
	return known.obey(d, ctx, o.Command)
}

// pin is what Macs accept.
var pin = regexp.MustCompile(`^[0-9]{6}$`)

func (d *Device) deviceLock(_ context.Context, c dict) response {
	code, message, phone := get[string](c, "PIN"), get[string](c, "Message"), get[string](c, "PhoneNumber")
	mac := d.config.Hardware.Kind.Mac()
	if mac && !pin.MatchString(code) {
		return refuse(codeMalformed, "PIN is not six digits.")
	}
	if mac {
		r := acknowledge(nil)
		r.after = func() { d.lock(code, message, phone) }
		return r
	}
	d.lock("", message, phone) // the owner's passcode unlocks it
	switch {
	case message == "" && phone == "":
		return acknowledge(nil)
	case !d.State().HasPasscode:
		return acknowledge(dict{"MessageResult": "NoPasscodeSet"})
	}
	return acknowledge(dict{"MessageResult": "Success"})
}

func (d *Device) lock(code, message, phone string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state.Locked, d.state.LockPIN, d.state.LockMessage, d.state.LockPhone = true, code, message, phone
}

func (d *Device) eraseDevice(_ context.Context, c dict) response {
	code := get[string](c, "PIN")
	if d.config.Hardware.Kind == MacIntel && !pin.MatchString(code) {
		return refuse(codeMalformed, "PIN is not six digits.")
	}
	r := acknowledge(nil)
	r.after = func() {
		d.unenroll()
		d.mu.Lock()
		defer d.mu.Unlock()
		d.state = State{OSVersion: d.state.OSVersion, BuildVersion: d.state.BuildVersion, Restarts: d.state.Restarts, Erased: true, ErasePIN: code}
	}
	return r
}

func (d *Device) restartDevice(context.Context, dict) response {
	r := acknowledge(nil)
	r.after = func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.state.Restarts++
		d.restartUpdates()
	}
	return r
}

func (d *Device) shutDownDevice(context.Context, dict) response {
	r := acknowledge(nil)
	r.after = func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.state.PoweredOff = true
	}
	return r
}

func (d *Device) clearPasscode(_ context.Context, c dict) response {
	e := d.current()
	if e == nil || !bytes.Equal(get[[]byte](c, "UnlockToken"), e.unlockToken) {
		return refuse(codeNotAuthorized, "UnlockToken is not the device's.")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state.HasPasscode, d.state.Locked = false, false
	return acknowledge(nil)
}

func (d *Device) activationLockBypassCode(context.Context, dict) response {
	code := d.BypassCode()
	if code == "" {
		return refuse(codeNotAuthorized, "There is no bypass code.")
	}
	return acknowledge(dict{"ActivationLockBypassCode": code})
}

func (d *Device) clearActivationLockBypassCode(context.Context, dict) response {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.enrolment != nil {
		d.enrolment.bypassCode = ""
	}
	return acknowledge(nil)
}

func (d *Device) installProfile(ctx context.Context, c dict) response {
	p, err := ParseProfile(get[[]byte](c, "Payload"))
	if err != nil {
		return refuse(codeMalformed, err.Error())
	}
	if p.MDM != nil {
		if err := d.renew(ctx, p); err != nil {
			return refuse(codeReplacement, err.Error())
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.profiles, func(known *Profile) bool { return known.PayloadIdentifier == p.PayloadIdentifier })
	if i < 0 {
		d.profiles = append(d.profiles, p)
	} else {
		d.profiles[i] = p
	}
	return acknowledge(nil)
}

// renew replaces the enrolment profile, and with it the identity.
func (d *Device) renew(ctx context.Context, p *Profile) error {
	e := d.current()
	if e == nil {
		return ErrNotEnrolled
	}
	was := e.profile.MDM
	if p.PayloadIdentifier != e.profile.PayloadIdentifier || p.MDM.Topic != was.Topic ||
		p.MDM.ServerURL != was.ServerURL || p.MDM.CheckInURL != was.CheckInURL {
		return errors.New("an enrolment profile keeps its identifier, topic and URLs")
	}
	identity, err := d.certify(ctx, *p.SCEP)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.enrolment.profile, d.enrolment.identity = p, identity
	d.enrolment.client = d.client(p, identity)
	d.mu.Unlock()
	if e.client != d.plain {
		e.client.CloseIdleConnections()
	}
	if d.config.Renewal == RenewAuthenticate {
		if err := d.authenticate(ctx); err != nil {
			return err
		}
	}
	if d.config.Renewal != RenewQuietly {
		return d.tokenUpdate(ctx)
	}
	return nil
}

func (d *Device) removeProfile(_ context.Context, c dict) response {
	identifier := get[string](c, "Identifier")
	e := d.current()
	if e != nil && identifier == e.profile.PayloadIdentifier {
		return response{status: "Acknowledged", instead: func(ctx context.Context) error {
			if e.profile.MDM.CheckOutWhenRemoved {
				return d.checkOut(ctx)
			}
			d.unenroll()
			return nil
		}}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.profiles, func(p *Profile) bool { return p.PayloadIdentifier == identifier })
	if i < 0 {
		return refuse(codeNotManaged, fmt.Sprintf("The profile %q is not installed.", identifier))
	}
	d.profiles = slices.Delete(d.profiles, i, i+1)
	return acknowledge(nil)
}
