package membership

import (
	"context"
	"errors"
	"fmt"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/deviceidentity"
	"github.com/bailiwick/bailiwick/internal/applemdm/inventory"
	"github.com/bailiwick/bailiwick/internal/applemdm/message"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// ErrNoSeat is an enrolment for which there is no room.
var ErrNoSeat = errors.New("membership: no seat is free")

// Arriving is who wants to enrol where.
type Arriving struct {
	Organization string
	queue.Sender
	Topic string // of its push certificate; empty while it has none, and nobody can enrol
	// Seat is asked, in the transaction of the enrolment, whether there is room for
	// so many devices, of which the one that is named does not count, if any is.
	// FORBIDDEN says that there is none.
	Seat func(ctx context.Context, deviceID string, wanted int) error
}

// Authenticate begins an enrolment in the organization in scope. It is
// [queue.ErrStranger] for a certificate that belongs to another device,
// [queue.ErrUnenroll] for a device that is blocked, and [ErrNoSeat].
//
// What an earlier enrolment has left is destroyed, unless the certificate is
// the device's already: a device whose enrolment profile was installed again to
// renew its identity authenticates too, has enrolled no second time, and does
// not leave its bootstrap token again.
func (s *Service) Authenticate(ctx context.Context, a Arriving, m *message.Authenticate) error {
	err := s.meet(ctx, a, m)
	if errors.Is(err, ErrNoSeat) {
		// The transaction is undone; why is told in one of its own.
		return errors.Join(err, s.Seats.ReviewSeats(ctx, a.Organization))
	}
	return err
}

// meet takes a device of which nothing is known the short way, together with
// others, and any other the one that looks at all that is known of it.
func (s *Service) meet(ctx context.Context, a Arriving, m *message.Authenticate) error {
	if m.ChannelUserID() != "" {
		return fmt.Errorf("%w: a user does not authenticate like a device", queue.ErrStranger)
	}
	if done, err := s.introduced(ctx, a, m); err != nil || done {
		return err
	}
	alone := func(ctx context.Context) error { return s.authenticate(ctx, a, m) }
	err := s.DB.InTx(ctx, alone)
	if ent.IsConstraintError(err) { // it has become known meanwhile
		err = s.DB.InTx(ctx, alone)
	}
	return err
}

func (s *Service) authenticate(ctx context.Context, a Arriving, m *message.Authenticate) error {
	identity, err := s.client.DeviceIdentity.Query().Where(deviceidentity.Fingerprint(a.Fingerprint)).Modify(database.ForUpdate).Only(ctx)
	if ent.IsNotFound(err) {
		return fmt.Errorf("%w: a certificate that was never issued", queue.ErrStranger)
	}
	if err != nil {
		return err
	}
	if identity.DeviceID != nil {
		return s.again(ctx, a.Sender, m)
	}
	if err := on(a.Topic, m.Topic); err != nil {
		return err
	}
	d, channel, err := s.adopt(ctx, a.Organization, m)
	if err != nil {
		return err
	}
	switch {
	case d.BlockedAt != nil:
		return fmt.Errorf("%w: it is blocked", queue.ErrUnenroll)
	case identity.RevokedAt != nil:
		return fmt.Errorf("%w: its identity is revoked", queue.ErrStranger)
	}
	if err := a.seat(ctx, d.ID); err != nil {
		return err
	}
	if channel != nil {
		if err := s.forget(ctx, d.ID); err != nil {
			return err
		}
		err = s.client.DeviceChannel.Update().Where(devicechannel.ID(channel.ID)).
			SetStatus(devicechannel.StatusAuthenticated).SetFingerprint(a.Fingerprint).SetSignedSecond(0).SetTopic(m.Topic).Exec(ctx)
	} else {
		err = s.client.DeviceChannel.Create().SetOrganizationID(a.Organization).SetDeviceID(d.ID).SetKey(m.DeviceID()).
			SetStatus(devicechannel.StatusAuthenticated).SetFingerprint(a.Fingerprint).SetTopic(m.Topic).Exec(ctx)
	}
	if err != nil {
		return err
	}
	if identity.UserID != nil { // account-driven: it is this person's own
		if err := d.Update().SetUserID(*identity.UserID).Exec(ctx); err != nil {
			return err
		}
	}
	return s.client.DeviceIdentity.Update().Where(deviceidentity.ID(identity.ID)).SetDeviceID(d.ID).Exec(ctx)
}

// again takes the Authenticate of a device with a certificate that is its own:
// of one that repeats itself, or has renewed its identity. Nothing that it has
// left here is touched.
func (s *Service) again(ctx context.Context, by queue.Sender, m *message.Authenticate) error {
	channel, err := s.enrolledChannel(ctx, by, m.Enrollment)
	if err != nil {
		return err
	}
	if err := on(channel.Topic, m.Topic); err != nil {
		return err
	}
	return s.describe(s.client.Device.UpdateOneID(channel.DeviceID), m).Exec(ctx)
}

// on verifies that a message is for a topic: the organization's for one who
// comes, and afterwards the one that the device has listened to since, which
// outlasts a replacement of the organization's.
func on(topic, of string) error {
	if topic == "" || of != topic {
		return fmt.Errorf("%w: another topic", queue.ErrStranger)
	}
	return nil
}

// adopt finds the device that a message is about within the organization, by
// its channel, serial number or UDID, or creates it; and its channel, if it has
// one. What the message says of the device becomes so.
func (s *Service) adopt(ctx context.Context, organization string, m *message.Authenticate) (*ent.Device, *ent.DeviceChannel, error) {
	channel, err := s.client.DeviceChannel.Query().Where(devicechannel.Key(m.DeviceID())).WithDevice().Modify(database.ForUpdate).Only(ctx)
	if err == nil {
		d, err := s.anew(channel.Edges.Device.Update(), m).Save(ctx)
		return d, channel, err
	}
	if !ent.IsNotFound(err) {
		return nil, nil, err
	}
	serial := serialOf(m)
	d, err := s.client.Device.Query().Where(device.SerialNumber(serial)).Only(ctx)
	if ent.IsNotFound(err) && m.UDID != "" {
		d, err = s.client.Device.Query().Where(device.Udid(m.UDID)).First(ctx)
	}
	switch {
	case err == nil:
		// Another channel of the device is an earlier enrolment under another key.
		if err := s.forget(ctx, d.ID); err != nil {
			return nil, nil, err
		}
		d, err = s.anew(d.Update(), m).Save(ctx)
		return d, nil, err
	case !ent.IsNotFound(err):
		return nil, nil, err
	}
	d, err = s.introduce(organization, m).Save(ctx)
	return d, nil, err
}

// introduce makes a device of what it says of itself, which its caller saves.
func (s *Service) introduce(organization string, m *message.Authenticate) *ent.DeviceCreate {
	return s.client.Device.Create().SetOrganizationID(organization).SetSerialNumber(serialOf(m)).
		SetName(nameOf(m)).SetUdid(m.UDID).SetModel(m.ModelName).SetModelIdentifier(modelIdentifier(m)).
		SetOsVersion(m.OSVersion).SetBuildVersion(m.BuildVersion).SetUserEnrollment(m.UserEnrollment()).
		SetPlatform(platform(m))
}

// serialOf is the serial number by which a device is kept.
func serialOf(m *message.Authenticate) string {
	if m.SerialNumber == "" { // user enrollment hides it
		return m.DeviceID()
	}
	return m.SerialNumber
}

// nameOf is what a new device is called.
func nameOf(m *message.Authenticate) string {
	if m.DeviceName == "" {
		return serialOf(m)
	}
	return m.DeviceName
}

// anew is describe for a device that begins an enrolment.
func (s *Service) anew(u *ent.DeviceUpdateOne, m *message.Authenticate) *ent.DeviceUpdateOne {
	return s.describe(u, m).SetEnrolled(false).SetBootstrapTokenEscrowed(false).ClearReenrollmentRequiredAt()
}

// describe puts what a message says into its device.
func (s *Service) describe(u *ent.DeviceUpdateOne, m *message.Authenticate) *ent.DeviceUpdateOne {
	u.SetUserEnrollment(m.UserEnrollment()).SetPlatform(platform(m))
	for _, f := range []struct {
		value string
		set   func(string) *ent.DeviceUpdateOne
	}{
		{m.UDID, u.SetUdid}, {m.DeviceName, u.SetName}, {m.ModelName, u.SetModel}, {modelIdentifier(m), u.SetModelIdentifier},
		{m.OSVersion, u.SetOsVersion}, {m.BuildVersion, u.SetBuildVersion},
	} {
		if f.value != "" {
			f.set(f.value)
		}
	}
	return u
}

// platform is the device's, as far as the message tells: devices that say no
// model that is known are taken for what has enrolled that way the longest.
func platform(m *message.Authenticate) device.Platform {
	for _, model := range []string{m.ProductName, m.Model} {
		if p := inventory.PlatformOf(model); p != "" {
			return p
		}
	}
	if m.IMEI != "" || m.MEID != "" || m.UserEnrollment() {
		return device.PlatformIOS
	}
	return device.PlatformMacOS
}

// modelIdentifier is Apple's of the model, or empty if it is too long to be one:
// one that is cut is another.
func modelIdentifier(m *message.Authenticate) string {
	if device.ModelIdentifierValidator(m.ProductName) != nil {
		return ""
	}
	return m.ProductName
}

// seat is [ErrNoSeat] if there is none for a device.
func (a Arriving) seat(ctx context.Context, deviceID string) error {
	err := a.Seat(ctx, deviceID, 1)
	if fault.CodeOf(err) == fault.Forbidden {
		return fmt.Errorf("%w: %w", ErrNoSeat, err)
	}
	return err
}
