package membership

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/ent/deviceidentity"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/applemdm/message"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/internal/secret"
)

// TokenUpdate takes what it needs to notify a channel; a device's first one
// completes its enrolment. What the message leaves out stays as it was. Errors
// are those of [queue.Service.Recognize].
func (s *Service) TokenUpdate(ctx context.Context, by queue.Sender, m *message.TokenUpdate) error {
	came, err := s.completed(ctx, by, m)
	if err != nil || came != nil {
		return s.announced(ctx, came, err)
	}
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		came = nil // a repeated transaction begins anew
		channel, err := s.Queue.Recognize(ctx, m.DeviceID(), by)
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
			return s.userToken(ctx, channel, by, m)
		}
		if err := s.ownToken(ctx, channel, by, m); err != nil {
			return err
		}
		if channel.Status == devicechannel.StatusAuthenticated {
			if err := s.enrolled(ctx, channel, by.Fingerprint); err != nil {
				return err
			}
			came = channel
		}
		if m.AwaitingConfiguration != nil && *m.AwaitingConfiguration {
			return s.release(ctx, channel.DeviceID)
		}
		return nil
	})
	return s.announced(ctx, came, err)
}

// announced has a device seen to that has completed its enrolment, if one has.
func (s *Service) announced(ctx context.Context, came *ent.DeviceChannel, err error) error {
	if err == nil && came != nil {
		s.arrived(ctx, came)
	}
	return err
}

// errOvertaken is a message about a channel or an identity that something else has
// changed since it was looked at. Who is worked alone by then sends it again.
var errOvertaken = errors.New("membership: the channel has changed meanwhile")

// ownToken keeps a device's own token, unless the channel is no longer as it was
// recognized: it may have been released meanwhile, and its secrets destroyed.
func (s *Service) ownToken(ctx context.Context, channel *ent.DeviceChannel, by queue.Sender, m *message.TokenUpdate) error {
	now := s.now()
	update := reachable(s.client.DeviceChannel.Update(), m).
		Where(devicechannel.ID(channel.ID), devicechannel.StatusEQ(channel.Status)).
		SetStatus(devicechannel.StatusEnrolled).SetLastSeenAt(now).SetSignedSecond(by.Signed(channel, now)).SetNillableAwaitingConfiguration(m.AwaitingConfiguration)
	if len(m.UnlockToken) > 0 {
		sealed, err := s.seal(ctx, channel, devicechannel.FieldUnlockToken, m.UnlockToken)
		if err != nil {
			return err
		}
		update.SetUnlockToken(sealed)
	}
	if channel.Status == devicechannel.StatusAuthenticated {
		update.SetArrivedAt(now)
	}
	kept, err := update.Save(ctx)
	if err == nil && kept == 0 {
		err = errOvertaken
	}
	return err
}

// reachable puts what a notification needs into a channel.
func reachable(u *ent.DeviceChannelUpdate, m *message.TokenUpdate) *ent.DeviceChannelUpdate {
	return u.SetTopic(m.Topic).SetPushToken(m.Token).SetPushMagic(m.PushMagic).SetPushDead(false)
}

// enrolled completes a device's enrolment.
func (s *Service) enrolled(ctx context.Context, channel *ent.DeviceChannel, fingerprint string) error {
	now := s.now()
	return s.client.Device.Update().Where(device.ID(channel.DeviceID)).
		SetEnrolled(true).SetLastEnrolledAt(now).SetLastSeenAt(now).SetLastSeenOn(now.Truncate(24 * time.Hour)).
		ClearCheckoutAt().ClearMissingSince().
		Modify(func(u *sql.UpdateBuilder) {
			build := sql.Dialect(u.Dialect())
			identity := build.Table(deviceidentity.Table)
			u.Set(device.FieldFirstEnrolledAt, sql.ExprFunc(func(b *sql.Builder) {
				b.WriteString("COALESCE(").Ident(device.FieldFirstEnrolledAt).Comma().Arg(now).WriteString(")")
			}))
			u.Set(device.FieldCertificateNotAfter, sql.ExprFunc(func(b *sql.Builder) {
				b.Wrap(func(b *sql.Builder) {
					b.Join(build.Select(identity.C(deviceidentity.FieldNotAfter)).From(identity).Where(sql.And(
						sql.EQ(identity.C(guard.OrganizationColumn), channel.OrganizationID),
						sql.EQ(identity.C(deviceidentity.FieldFingerprint), fingerprint),
					)))
				})
			}))
		}).Exec(ctx)
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
func (s *Service) userToken(ctx context.Context, own *ent.DeviceChannel, by queue.Sender, m *message.TokenUpdate) error {
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
		SetStatus(devicechannel.StatusEnrolled).SetFingerprint(own.Fingerprint).SetLastSeenAt(s.now()).SetSignedSecond(by.Signed(own, s.now())).
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
