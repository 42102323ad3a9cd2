package membership

import (
	"context"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicesecret"
)

// forget destroys what earlier enrolments of a device have left: its tokens,
// its secrets, and what it was still to do. Its channels are released; one that
// enrols again says so itself. That it had enrolled stays in the system log.
func (s *Service) forget(ctx context.Context, deviceID string) error {
	if err := s.trail.Settle(ctx, devicechannel.DeviceID(deviceID)); err != nil {
		return err
	}
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
		ClearArrivedAt().ClearNextInventoryAt().SetAwaitingConfiguration(false).ClearUnlockToken().ClearBootstrapToken()
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
