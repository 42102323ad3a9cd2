package membership

import (
	"context"
	"fmt"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/deviceidentity"
	"github.com/bailiwick/bailiwick/internal/applemdm/message"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/guard"
)

// unknown finds the identity of a device of which nothing else is known: neither
// has the identity been used, nor is there a channel or device of what the message
// says. It is nil for any other.
func (s *Service) unknown(ctx context.Context, fingerprint string, m *message.Authenticate) (*ent.DeviceIdentity, error) {
	identity, err := s.client.DeviceIdentity.Query().
		Where(deviceidentity.Fingerprint(fingerprint), deviceidentity.DeviceIDIsNil(), deviceidentity.RevokedAtIsNil(), func(q *sql.Selector) {
			build := sql.Dialect(q.Dialect())
			none := func(table, column, value string) *sql.Predicate {
				of := build.Table(table)
				return sql.NotExists(build.Select(of.C(guard.OrganizationColumn)).From(of).Where(sql.And(
					sql.ColumnsEQ(of.C(guard.OrganizationColumn), q.C(guard.OrganizationColumn)),
					sql.ColumnsEQ(of.C(guard.ProviderColumn), q.C(guard.ProviderColumn)),
					sql.EQ(of.C(column), value),
				)))
			}
			q.Where(none(devicechannel.Table, devicechannel.FieldKey, m.DeviceID()))
			q.Where(none(device.Table, device.FieldSerialNumber, serialOf(m)))
			if m.UDID != "" {
				q.Where(none(device.Table, device.FieldUdid, m.UDID))
			}
		}).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	return identity, err
}

// newcomer begins the enrolment of a device that was unknown. It is errOvertaken
// if the identity has been used or revoked meanwhile.
func (s *Service) newcomer(ctx context.Context, a Arriving, identity *ent.DeviceIdentity, m *message.Authenticate) error {
	if err := on(a.Topic, m.Topic); err != nil {
		return err
	}
	d, err := s.introduce(a.Organization, m).SetNillableUserID(identity.UserID).Save(ctx)
	if err != nil {
		return err
	}
	if err := a.seat(ctx, d.ID); err != nil {
		return err
	}
	err = s.client.DeviceChannel.Create().SetOrganizationID(a.Organization).SetDeviceID(d.ID).SetKey(m.DeviceID()).
		SetStatus(devicechannel.StatusAuthenticated).SetFingerprint(a.Fingerprint).SetTopic(m.Topic).Exec(ctx)
	if err != nil {
		return err
	}
	bound, err := s.client.DeviceIdentity.Update().
		Where(deviceidentity.ID(identity.ID), deviceidentity.DeviceIDIsNil(), deviceidentity.RevokedAtIsNil()).SetDeviceID(d.ID).Save(ctx)
	if err == nil && bound == 0 {
		err = errOvertaken
	}
	return err
}

// seat is [ErrNoSeat] if there is none for a device.
func (a Arriving) seat(ctx context.Context, deviceID string) error {
	err := a.Seat(ctx, deviceID)
	if fault.CodeOf(err) == fault.Forbidden {
		return fmt.Errorf("%w: %w", ErrNoSeat, err)
	}
	return err
}
