package queue

import (
	"context"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicesecret"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// Lock locks a device. A Mac needs a PIN: one is made if none is given, unless
// it is required. The PIN is kept, and answered. JC-023, KA-022, ZE-059.
func (s *Service) Lock(ctx context.Context, deviceID string, c command.DeviceLock, requirePIN bool) (*ent.DeviceCommand, command.Secret, error) {
	return s.withPIN(ctx, deviceID, devicesecret.KindUnlockPin, func(d *ent.Device) (command.Command, command.Secret, error) {
		if d.Platform == device.PlatformMacOS && c.PIN == "" && !requirePIN {
			var err error
			if c.PIN, err = command.NewPIN(); err != nil {
				return nil, "", err
			}
		}
		return c, c.PIN, nil
	})
}

// Erase erases a device. A PIN that is given is kept. JC-022, KA-021, ZE-058.
func (s *Service) Erase(ctx context.Context, deviceID string, c command.EraseDevice) (*ent.DeviceCommand, error) {
	queued, _, err := s.withPIN(ctx, deviceID, devicesecret.KindErasePin, func(*ent.Device) (command.Command, command.Secret, error) {
		return c, c.PIN, nil
	})
	return queued, err
}

// withPIN queues an urgent command, and keeps its PIN with the device.
func (s *Service) withPIN(
	ctx context.Context, deviceID string, kind devicesecret.Kind, build func(*ent.Device) (command.Command, command.Secret, error),
) (queued *ent.DeviceCommand, pin command.Secret, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		d, _, err := s.Channel(ctx, deviceID)
		if err != nil {
			return err
		}
		var c command.Command
		if c, pin, err = build(d); err != nil {
			return err
		}
		if queued, err = s.Enqueue(ctx, deviceID, c, Options{Priority: Urgent}); err != nil || pin == "" {
			return err
		}
		return s.Inventory.KeepSecret(ctx, d.OrganizationID, d.ID, kind, string(pin))
	})
	if err != nil {
		return nil, "", err
	}
	return queued, pin, nil
}

// ClearActivationLock has a device forget the code that passes its activation
// lock, once the lock is off. It does not lift the lock itself, which takes the
// code: without one in keeping, it is PRECONDITION_FAILED. JC-020.
func (s *Service) ClearActivationLock(ctx context.Context, deviceID string) (queued *ent.DeviceCommand, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		if _, _, err := s.Channel(ctx, deviceID); err != nil {
			return err
		}
		kept, err := s.Inventory.HasSecret(ctx, deviceID, devicesecret.KindActivationLockBypassCode)
		if err != nil {
			return err
		}
		if !kept {
			return fault.New(fault.PreconditionFailed, "no bypass code of the device is kept: refresh its activation lock first")
		}
		queued, err = s.Enqueue(ctx, deviceID, command.ClearActivationLockBypassCode{}, Options{})
		return err
	})
	if err != nil {
		return nil, err
	}
	return queued, nil
}
