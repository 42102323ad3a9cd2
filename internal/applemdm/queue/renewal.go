package queue

import (
	"context"
	"fmt"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/ent/deviceidentity"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
)

// renewed makes a certificate that was issued to a channel's own device, after
// the one in use, the one that its channels use. The profile that the device was
// given to renew its identity is installed then, whether it has said so or not:
// given once more, it would fail at the challenge, which is used.
func (s *Service) renewed(ctx context.Context, channel *ent.DeviceChannel, fingerprint string) error {
	identity, err := s.client.DeviceIdentity.Query().
		Where(deviceidentity.Fingerprint(fingerprint), deviceidentity.DeviceID(channel.DeviceID), deviceidentity.RevokedAtIsNil()).
		Only(ctx)
	if ent.IsNotFound(err) {
		return fmt.Errorf("%w: a certificate that was not issued to this device", ErrStranger)
	}
	if err != nil {
		return err
	}
	used, err := s.client.DeviceIdentity.Query().Where(deviceidentity.Fingerprint(channel.Fingerprint)).Only(ctx)
	if err != nil && !ent.IsNotFound(err) {
		return err
	}
	if used != nil && used.ID >= identity.ID { // ids sort by creation
		return fmt.Errorf("%w: a certificate that was replaced", ErrStranger)
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		taken, err := s.client.DeviceChannel.Update().
			Where(devicechannel.DeviceID(channel.DeviceID), devicechannel.Fingerprint(channel.Fingerprint)).
			SetFingerprint(fingerprint).Save(ctx)
		if err != nil || taken == 0 { // another of its messages has seen to it
			return err
		}
		err = s.client.DeviceCommand.Update().
			Where(devicecommand.DeviceID(channel.DeviceID), Waiting, devicecommand.RequestType(command.RequestType(command.InstallProfile{})),
				devicecommand.AttemptsGT(0)).
			SetStatus(devicecommand.StatusAcknowledged).SetResultAt(s.now()).Exec(ctx)
		if err != nil {
			return err
		}
		return s.client.Device.UpdateOneID(channel.DeviceID).SetCertificateNotAfter(identity.NotAfter).Exec(ctx)
	})
}
