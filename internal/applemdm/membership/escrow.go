package membership

import (
	"context"
	"fmt"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/applemdm/message"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// SetBootstrapToken keeps a Mac's bootstrap token, or destroys it if the
// message brings none.
func (s *Service) SetBootstrapToken(ctx context.Context, by queue.Sender, m *message.SetBootstrapToken) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		channel, err := s.enrolledChannel(ctx, by, m.Enrollment)
		if err != nil {
			return err
		}
		update := s.client.DeviceChannel.Update().Where(devicechannel.ID(channel.ID))
		if len(m.BootstrapToken) == 0 {
			update.ClearBootstrapToken()
		} else {
			sealed, err := s.seal(ctx, channel, devicechannel.FieldBootstrapToken, m.BootstrapToken)
			if err != nil {
				return err
			}
			update.SetBootstrapToken(sealed)
		}
		if err := update.Exec(ctx); err != nil {
			return err
		}
		return s.client.Device.Update().Where(device.ID(channel.DeviceID)).
			SetBootstrapTokenEscrowed(len(m.BootstrapToken) > 0).Exec(ctx)
	})
}

// BootstrapToken is the token that a Mac has left here; nil if it has not.
func (s *Service) BootstrapToken(ctx context.Context, by queue.Sender, m *message.GetBootstrapToken) ([]byte, error) {
	channel, err := s.enrolledChannel(ctx, by, m.Enrollment)
	if err != nil || len(channel.BootstrapToken) == 0 {
		return nil, err
	}
	token, err := s.Vault.Open(ctx, place(channel, devicechannel.FieldBootstrapToken), channel.BootstrapToken)
	if err != nil {
		return nil, fmt.Errorf("open a device's bootstrap token: %w", err)
	}
	return token, nil
}

// ClearingPasscode has devices remove their passcode. One that has not given the
// token for it is refused. KA-020.
func (s *Service) ClearingPasscode() queue.Instruction {
	return queue.Instruction{
		Options: queue.Options{Priority: queue.Urgent},
		Make: func(ctx context.Context, d *ent.Device, own *ent.DeviceChannel) (command.Command, error) {
			// A platform that cannot do it is told so first.
			if err := command.Validate(command.ClearPasscode{UnlockToken: []byte("unknown yet")}, queue.TargetOf(d)); err != nil {
				return nil, err
			}
			if len(own.UnlockToken) == 0 {
				return nil, fault.New(fault.PreconditionFailed, "the device has given no token to clear its passcode with")
			}
			token, err := s.Vault.Open(ctx, place(own, devicechannel.FieldUnlockToken), own.UnlockToken)
			if err != nil {
				return nil, fmt.Errorf("open a device's unlock token: %w", err)
			}
			return command.ClearPasscode{UnlockToken: token}, nil
		},
	}
}

// Recognized verifies that a message is of an enrolled channel.
func (s *Service) Recognized(ctx context.Context, by queue.Sender, e message.Enrollment) error {
	_, err := s.enrolledChannel(ctx, by, e)
	return err
}

// enrolledChannel is the device's own channel, if it is enrolled.
func (s *Service) enrolledChannel(ctx context.Context, by queue.Sender, e message.Enrollment) (*ent.DeviceChannel, error) {
	channel, err := s.Queue.Recognize(ctx, e.DeviceID(), by)
	if err != nil {
		return nil, err
	}
	switch channel.Status {
	case devicechannel.StatusEnrolled, devicechannel.StatusAuthenticated: // a Mac escrows its token before it has finished
		return channel, nil
	default:
		return nil, fmt.Errorf("%w: it was released", queue.ErrUnenroll)
	}
}
