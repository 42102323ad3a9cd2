package membership

import (
	"context"
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/ent/deviceidentity"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/applemdm/message"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/secret"
)

// TokenUpdate takes what it needs to notify a channel; a device's first one
// completes its enrolment. What the message leaves out stays as it was. Errors
// are those of [queue.Service.Recognize].
func (s *Service) TokenUpdate(ctx context.Context, fingerprint string, m *message.TokenUpdate) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		channel, err := s.Queue.Recognize(ctx, m.DeviceID(), fingerprint)
		if err != nil {
			return err
		}
		if channel.Status == devicechannel.StatusRemoved {
			return fmt.Errorf("%w: it was released", queue.ErrUnenroll)
		}
		if err := on(channel.Topic, m.Topic); err != nil {
			return err
		}
		if m.ChannelUserID() != "" {
			return s.userToken(ctx, channel, m)
		}
		update := s.client.DeviceChannel.Update().Where(devicechannel.ID(channel.ID))
		if len(m.UnlockToken) > 0 {
			sealed, err := s.seal(ctx, channel, devicechannel.FieldUnlockToken, m.UnlockToken)
			if err != nil {
				return err
			}
			update.SetUnlockToken(sealed)
		}
		first := channel.Status == devicechannel.StatusAuthenticated
		err = reachable(update, m).SetStatus(devicechannel.StatusEnrolled).SetLastSeenAt(s.now()).
			SetNillableAwaitingConfiguration(m.AwaitingConfiguration).Exec(ctx)
		if err != nil {
			return err
		}
		if first {
			if err := s.enrolled(ctx, channel, fingerprint); err != nil {
				return err
			}
		}
		if m.AwaitingConfiguration != nil && *m.AwaitingConfiguration {
			return s.release(ctx, channel.DeviceID)
		}
		return nil
	})
}

// reachable puts what a notification needs into a channel.
func reachable(u *ent.DeviceChannelUpdate, m *message.TokenUpdate) *ent.DeviceChannelUpdate {
	return u.SetTopic(m.Topic).SetPushToken(m.Token).SetPushMagic(m.PushMagic).SetPushDead(false)
}

// enrolled completes a device's enrolment.
func (s *Service) enrolled(ctx context.Context, channel *ent.DeviceChannel, fingerprint string) error {
	d, err := s.client.Device.Query().Where(device.ID(channel.DeviceID)).Only(ctx)
	if err != nil {
		return err
	}
	identity, err := s.client.DeviceIdentity.Query().Where(deviceidentity.Fingerprint(fingerprint)).Only(ctx)
	if err != nil {
		return err
	}
	now := s.now()
	update := s.client.Device.Update().Where(device.ID(d.ID)).SetEnrolled(true).SetLastEnrolledAt(now).SetLastSeenAt(now).SetLastSeenOn(now.Truncate(24 * time.Hour)).ClearCheckoutAt().ClearMissingSince().
		SetCertificateNotAfter(identity.NotAfter)
	if d.FirstEnrolledAt == nil {
		update.SetFirstEnrolledAt(now)
	}
	if err := update.Exec(ctx); err != nil {
		return err
	}
	tenant := job.Tenant{Provider: d.ProviderID, Organization: d.OrganizationID}
	if err := s.Jobs.Enqueue(ctx, Arrival{Tenant: tenant, Device: d.ID}, job.EnqueueOptions{}); err != nil {
		return err
	}
	return s.announce(ctx, d)
}

// release lets a device that waits in Setup Assistant go on. Only devices that
// are supervised through Automated Device Enrollment wait.
func (s *Service) release(ctx context.Context, deviceID string) error {
	err := s.client.Device.Update().Where(device.ID(deviceID)).SetSupervised(true).SetDepEnrollment(true).Exec(ctx)
	if err != nil {
		return err
	}
	d, channel, err := s.Queue.Channel(ctx, deviceID)
	if err != nil || command.Validate(command.DeviceConfigured{}, queue.TargetOf(d)) != nil {
		return err // what does not know the command does not wait for it
	}
	waits, err := s.client.DeviceCommand.Query().
		Where(devicecommand.ChannelID(channel.ID), devicecommand.RequestType("DeviceConfigured"), queue.Waiting).Exist(ctx)
	if err != nil || waits {
		return err
	}
	_, err = s.Queue.Enqueue(ctx, deviceID, command.DeviceConfigured{}, queue.Options{Priority: queue.Urgent})
	return err
}

// userToken keeps the channel of a person on a device that is enrolled.
func (s *Service) userToken(ctx context.Context, own *ent.DeviceChannel, m *message.TokenUpdate) error {
	if own.Status != devicechannel.StatusEnrolled {
		return fmt.Errorf("%w: a user of a device that is not enrolled", queue.ErrStranger)
	}
	key := queue.KeyOf(m.Enrollment)
	found, err := s.client.DeviceChannel.Query().Where(devicechannel.Key(key)).IDs(ctx)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		made, err := s.client.DeviceChannel.Create().SetOrganizationID(own.OrganizationID).SetDeviceID(own.DeviceID).
			SetKey(key).SetKind(devicechannel.KindUser).Save(ctx)
		if err != nil {
			return err
		}
		found = []string{made.ID}
	}
	return reachable(s.client.DeviceChannel.Update().Where(devicechannel.ID(found[0])), m).
		SetStatus(devicechannel.StatusEnrolled).SetFingerprint(own.Fingerprint).SetLastSeenAt(s.now()).
		SetUserName(m.UserShortName).Exec(ctx)
}

func (s *Service) seal(ctx context.Context, channel *ent.DeviceChannel, column string, plain []byte) ([]byte, error) {
	sealed, err := s.Vault.Seal(ctx, place(channel, column), plain)
	if err != nil {
		return nil, fmt.Errorf("seal a device's %s: %w", column, err)
	}
	return sealed, nil
}

func place(channel *ent.DeviceChannel, column string) secret.Place {
	return secret.Place{Tenant: channel.OrganizationID, Table: "device_channels", Column: column, Row: channel.ID}
}
