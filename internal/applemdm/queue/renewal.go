package queue

import (
	"context"
	"fmt"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/deviceidentity"
)

// renewed makes a certificate that was issued to a channel's own device, after
// the one in use, the one that its channels use.
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
		err := s.client.DeviceChannel.Update().
			Where(devicechannel.DeviceID(channel.DeviceID), devicechannel.Fingerprint(channel.Fingerprint)).
			SetFingerprint(fingerprint).Exec(ctx)
		if err != nil {
			return err
		}
		return s.client.Device.UpdateOneID(channel.DeviceID).SetCertificateNotAfter(identity.NotAfter).Exec(ctx)
	})
}
