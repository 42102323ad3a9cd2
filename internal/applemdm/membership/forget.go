package membership

import (
	"context"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/deviceidentity"
	"github.com/bailiwick/bailiwick/ent/devicesecret"
	"github.com/bailiwick/bailiwick/ent/systemlogevent"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// forget destroys what earlier enrolments of a device have left: its tokens,
// its secrets, and what it was still to do. Its channels are released; one that
// enrols again says so itself.
func (s *Service) forget(ctx context.Context, deviceID string) error {
	if err := s.Queue.Abandon(ctx, deviceID); err != nil {
		return err
	}
	if _, err := s.client.DeviceSecret.Delete().Where(devicesecret.DeviceID(deviceID)).Exec(ctx); err != nil {
		return err
	}
	return blank(s.client.DeviceChannel.Update().Where(devicechannel.DeviceID(deviceID))).
		SetStatus(devicechannel.StatusRemoved).Exec(ctx)
}

// blank takes everything from a channel by which its device could be reached
// or opened.
func blank(u *ent.DeviceChannelUpdate) *ent.DeviceChannelUpdate {
	return u.ClearPushToken().ClearPushMagic().SetPushDead(false).ClearPushWantedAt().ClearPushedAt().
		ClearNextInventoryAt().SetAwaitingConfiguration(false).ClearUnlockToken().ClearBootstrapToken()
}

// Arrival is the job that does what a new enrolment asks for, and that its
// device need not wait for.
type Arrival struct {
	job.Tenant
	Device string `json:"device"`
}

// Kind implements job.Args.
func (Arrival) Kind() string { return "applemdm.arrival" }

// Arrive takes a device that has enrolled out of the provider's other
// organizations, tells people, and asks for its first inventory.
func (s *Service) Arrive(ctx context.Context, deviceID string) error {
	d, err := s.client.Device.Query().Where(device.ID(deviceID)).Only(ctx)
	if ent.IsNotFound(err) || err == nil && !d.Enrolled {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.leaveOthers(ctx, d); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		_, channel, err := s.Queue.Channel(ctx, d.ID)
		if err != nil {
			return err
		}
		if err := s.Alarms.Alarm(ctx, d.OrganizationID, d.ID, alertEnrolled, d.ID, "A device was enrolled", ""); err != nil {
			return err
		}
		if err := s.note(ctx, d, channel); err != nil {
			return err
		}
		if err := s.Seats.ReviewSeats(ctx, d.OrganizationID); err != nil {
			return err
		}
		return s.Queue.AskFor(ctx, d, channel)
	})
}

// note puts an enrolment into the system log: which device came in by which way,
// and with which identity.
func (s *Service) note(ctx context.Context, d *ent.Device, channel *ent.DeviceChannel) error {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return err
	}
	targets := []schema.LogTarget{audit.Device(d)}
	identity, err := s.client.DeviceIdentity.Query().Where(deviceidentity.Fingerprint(channel.Fingerprint)).WithEnrollment().Only(ctx)
	if err != nil && !ent.IsNotFound(err) {
		return err
	}
	if identity != nil {
		targets = append(targets, schema.LogTarget{Type: "DeviceIdentity", ID: identity.ID, Op: "UPDATE", Name: identity.SerialNumber})
		if e := identity.Edges.Enrollment; e != nil {
			targets = append(targets, schema.LogTarget{Type: "Enrollment", ID: e.ID, Name: e.Name})
		}
	}
	return s.Log.Record(ctx, audit.Entry{
		EventType: "enrollDevice", Outcome: systemlogevent.OutcomeSuccess, Actor: scope.Principal(),
		OrganizationID: d.OrganizationID, Targets: targets,
	})
}

// leaveOthers releases a device from every other organization of its provider,
// without a trace of the secrets that it had there. Only what names the same
// serial number and UDID is the same device: neither alone is proof.
func (s *Service) leaveOthers(ctx context.Context, d *ent.Device) error {
	if d.Udid == "" {
		return nil
	}
	who := tenancy.ServicePrincipal("device management")
	others, err := s.client.Device.Query().
		Where(device.Udid(d.Udid), device.SerialNumber(d.SerialNumber), device.IDNEQ(d.ID), device.OrganizationIDNEQ(d.OrganizationID)).
		All(tenancy.With(ctx, tenancy.ForProvider(who, d.ProviderID)))
	if err != nil {
		return err
	}
	for _, other := range others {
		there := tenancy.With(ctx, tenancy.ForOrganizations(who, other.ProviderID, other.OrganizationID))
		if err := s.DB.InTx(there, func(ctx context.Context) error { return s.leave(ctx, other) }); err != nil {
			return err
		}
	}
	return nil
}

// leave releases a device that will not be heard of again.
func (s *Service) leave(ctx context.Context, d *ent.Device) error {
	if err := s.forget(ctx, d.ID); err != nil {
		return err
	}
	if err := s.Identities.Revoke(ctx, d.ID); err != nil {
		return err
	}
	return s.gone(ctx, d, func(*ent.DeviceUpdateOne) {})
}

// gone says that a device is no longer managed, and whatever else the change
// says.
func (s *Service) gone(ctx context.Context, d *ent.Device, change func(*ent.DeviceUpdateOne)) error {
	update := d.Update().SetEnrolled(false).ClearMissingSince().ClearReenrollmentRequiredAt().SetBootstrapTokenEscrowed(false)
	change(update)
	if err := update.Exec(ctx); err != nil {
		return err
	}
	for _, alertType := range []string{alertMissing, alertEnrolled} {
		if _, err := s.Alarms.Clear(ctx, d.OrganizationID, alertType, d.ID); err != nil {
			return err
		}
	}
	if err := s.Seats.ReviewSeats(ctx, d.OrganizationID); err != nil {
		return err
	}
	return s.announce(ctx, d)
}
