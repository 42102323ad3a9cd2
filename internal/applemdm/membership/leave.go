package membership

import (
	"context"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/internal/applemdm/arrival"
	"github.com/bailiwick/bailiwick/internal/applemdm/message"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// CheckOut takes a device's word that it has left. One that was released is
// expected to, and raises no alert. Of a user's channel, only that ends.
func (s *Service) CheckOut(ctx context.Context, by queue.Sender, m *message.CheckOut) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		channel, err := s.Queue.Recognize(ctx, queue.KeyOf(m.Enrollment), by)
		if err != nil {
			return err
		}
		if err := on(channel.Topic, m.Topic); err != nil {
			return err
		}
		if channel.Kind == devicechannel.KindUser {
			return blank(s.client.DeviceChannel.Update().Where(devicechannel.ID(channel.ID))).
				SetStatus(devicechannel.StatusCheckedOut).Exec(ctx)
		}
		d, err := s.client.Device.Query().Where(device.ID(channel.DeviceID)).Only(ctx)
		if err != nil {
			return err
		}
		released := channel.Status == devicechannel.StatusRemoved
		if err := s.forget(ctx, d.ID); err != nil {
			return err
		}
		if !released {
			err := s.client.DeviceChannel.Update().Where(devicechannel.ID(channel.ID)).
				SetStatus(devicechannel.StatusCheckedOut).Exec(ctx)
			if err != nil {
				return err
			}
		}
		err = s.gone(ctx, d, func(u *ent.DeviceUpdateOne) {
			if !released {
				u.SetCheckoutAt(s.now())
			}
		})
		if err != nil || released {
			return err
		}
		if err := s.trail.Left(ctx, d, arrival.CheckedOut); err != nil {
			return err
		}
		return s.Alarms.Alarm(ctx, d.OrganizationID, d.ID, alertUnenrolled, d.ID, "A device has left management", "")
	})
}

// Unenroll releases a device, which may enrol again. It leaves when it next
// connects, for which it is notified.
func (s *Service) Unenroll(ctx context.Context, deviceID string) (*ent.Device, error) {
	return s.dismiss(ctx, deviceID, func(d *ent.Device) error {
		if !d.Enrolled {
			return fault.New(fault.PreconditionFailed, "the device is not enrolled")
		}
		return nil
	}, func(*ent.DeviceUpdateOne) {})
}

// Block releases a device and keeps it from enrolling again, with whichever
// identity. Blocking a device that is blocked is PRECONDITION_FAILED.
func (s *Service) Block(ctx context.Context, deviceID string) (blocked *ent.Device, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		blocked, err = s.dismiss(ctx, deviceID, func(d *ent.Device) error {
			if d.BlockedAt != nil {
				return fault.New(fault.PreconditionFailed, "the device is blocked already")
			}
			return nil
		}, func(u *ent.DeviceUpdateOne) { u.SetBlockedAt(s.now()) })
		if err != nil {
			return err
		}
		return s.Identities.Revoke(ctx, deviceID)
	})
	if err != nil {
		return nil, err
	}
	return blocked, nil
}

// Unblock lets a blocked device enrol again, for which it needs a new identity.
func (s *Service) Unblock(ctx context.Context, deviceID string) (unblocked *ent.Device, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		d, err := s.device(ctx, deviceID)
		if err != nil {
			return err
		}
		if d.BlockedAt == nil {
			return fault.New(fault.PreconditionFailed, "the device is not blocked")
		}
		if unblocked, err = d.Update().ClearBlockedAt().Save(ctx); err != nil {
			return err
		}
		return s.announce(ctx, unblocked)
	})
	if err != nil {
		return nil, err
	}
	return unblocked, nil
}

// Delete deletes what is known of a device, whether it is enrolled or not. That
// it had enrolled stays in the system log. Its identities are revoked: of no
// device, they would let anybody in who has them. It is NOT_FOUND for a device
// out of reach.
func (s *Service) Delete(ctx context.Context, deviceID string) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		if err := s.trail.Settle(ctx, devicechannel.DeviceID(deviceID)); err != nil {
			return err
		}
		if err := s.Identities.Revoke(ctx, deviceID); err != nil {
			return err
		}
		if err := s.client.Device.Detach(ctx, deviceID); err != nil {
			return err
		}
		return s.client.Device.DeleteOneID(deviceID).Exec(ctx)
	})
}

// dismiss releases a device. Its own channel keeps what it takes to notify it,
// so that it comes and is turned away; everything else is destroyed.
func (s *Service) dismiss(ctx context.Context, deviceID string, check func(*ent.Device) error, change func(*ent.DeviceUpdateOne)) (dismissed *ent.Device, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		d, err := s.device(ctx, deviceID)
		if err != nil {
			return err
		}
		if err := check(d); err != nil {
			return err
		}
		own, err := s.client.DeviceChannel.Query().Where(
			devicechannel.DeviceID(d.ID), devicechannel.KindEQ(devicechannel.KindDevice), devicechannel.StatusEQ(devicechannel.StatusEnrolled),
		).First(ctx)
		if err != nil && !ent.IsNotFound(err) {
			return err
		}
		if err := s.forget(ctx, d.ID); err != nil {
			return err
		}
		if err := s.gone(ctx, d, change); err != nil {
			return err
		}
		if own != nil && len(own.PushToken) > 0 {
			err := s.client.DeviceChannel.Update().Where(devicechannel.ID(own.ID)).
				SetPushToken(own.PushToken).SetPushMagic(own.PushMagic).Exec(ctx)
			if err != nil {
				return err
			}
			if err := s.Queue.Want(ctx, own); err != nil {
				return err
			}
		}
		dismissed, err = s.device(ctx, deviceID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return dismissed, nil
}

func (s *Service) device(ctx context.Context, id string) (*ent.Device, error) {
	d, err := s.client.Device.Query().Where(device.ID(id)).Modify(database.ForUpdate).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, fault.Missing(id)
	}
	return d, err
}
