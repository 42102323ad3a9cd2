package queue

import (
	"context"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicesecret"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
)

// Locking locks devices. A Mac needs a PIN: one of its own is made if none is
// given, unless it is required. The PIN is kept with the device once that has
// the command. JC-023, KA-022, ZE-059.
func Locking(c command.DeviceLock, requirePIN bool) Instruction {
	return Instruction{
		Options: Options{Priority: Urgent}, Replaces: true,
		Make: func(_ context.Context, d *ent.Device, _ *ent.DeviceChannel) (command.Command, error) {
			own := c // each device's
			if d.Platform == device.PlatformMacOS && c.PIN == "" && !requirePIN {
				var err error
				if own.PIN, err = command.NewPIN(); err != nil {
					return nil, err
				}
			}
			return own, nil
		},
	}
}

// Erasing erases devices. A PIN that is given is kept with the device once that
// has the command. JC-022, KA-021, ZE-058.
func Erasing(c command.EraseDevice) Instruction {
	instruction := Same(c, Options{Priority: Urgent})
	instruction.Replaces = true
	return instruction
}

// ErasingEach is [Erasing] for devices of several kinds: each is told what it
// knows of it, and a Mac that needs a PIN gets one of its own.
func ErasingEach(preserveDataPlan, disallowProximitySetup *bool) Instruction {
	return Instruction{
		Options: Options{Priority: Urgent}, Replaces: true,
		Make: func(_ context.Context, d *ent.Device, _ *ent.DeviceChannel) (command.Command, error) {
			switch d.Platform {
			case device.PlatformIOS, device.PlatformIPadOS:
				return command.EraseDevice{PreserveDataPlan: preserveDataPlan, DisallowProximitySetup: disallowProximitySetup}, nil
			case device.PlatformMacOS:
				if TargetOf(d).AppleSilicon {
					return command.EraseDevice{}, nil
				}
				pin, err := command.NewPIN()
				return command.EraseDevice{PIN: pin}, err
			default:
				return command.EraseDevice{}, nil
			}
		},
	}
}

// ClearingActivationLock has devices forget the code that passes their
// activation lock, once the lock is off. It does not lift the lock itself, which
// takes the code: without one in keeping, a device is refused. JC-020.
func ClearingActivationLock() Instruction {
	instruction := Same(command.ClearActivationLockBypassCode{}, Options{})
	instruction.Needs = devicesecret.KindActivationLockBypassCode
	instruction.Lacking = "no bypass code of the device is kept: refresh its activation lock first"
	return instruction
}

// keepPIN keeps the PIN of a command that is given out, and only then: a Mac
// that is locked already hears of no other, and the PIN that opens it must not
// be lost to one that it never gets.
func (s *Service) keepPIN(ctx context.Context, row *ent.DeviceCommand, c command.Command) error {
	pin := command.PIN(c)
	if pin == "" {
		return nil
	}
	kind := devicesecret.KindErasePin
	if row.RequestType == command.RequestType(command.DeviceLock{}) {
		kind = devicesecret.KindUnlockPin
	}
	return s.Inventory.KeepSecret(ctx, row.OrganizationID, row.DeviceID, kind, string(pin))
}
