package applemdm

import (
	"context"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/deviceidentity"
	"github.com/bailiwick/bailiwick/ent/scepchallenge"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Revoke ends every identity of a device, and whatever could give it another: it
// is not recognized any more.
func (s *Service) Revoke(ctx context.Context, deviceID string) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.client.DeviceIdentity.Update().
			Where(deviceidentity.DeviceID(deviceID), deviceidentity.RevokedAtIsNil()).SetRevokedAt(s.now()).Exec(ctx)
		if err != nil {
			return err
		}
		_, err = s.client.ScepChallenge.Delete().
			Where(scepchallenge.DeviceID(deviceID), scepchallenge.RedeemedAtIsNil()).Exec(guard.WithoutTrail(ctx))
		return err
	})
}

// Block keeps a device out, and revokes its identities. One that is blocked stays
// as it is.
func (s *Service) Block(ctx context.Context, deviceID string) (d *ent.Device, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if d, err = s.device(ctx, deviceID); err != nil {
			return err
		}
		if d.BlockedAt == nil {
			if d, err = d.Update().SetBlockedAt(s.now()).Save(ctx); err != nil {
				return err
			}
		}
		return s.Revoke(ctx, deviceID)
	})
	return d, err
}

// Unblock lets a blocked device in again. Its identities stay revoked: it has to
// be enrolled.
func (s *Service) Unblock(ctx context.Context, deviceID string) (d *ent.Device, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if d, err = s.device(ctx, deviceID); err != nil {
			return err
		}
		d, err = d.Update().ClearBlockedAt().Save(ctx)
		return err
	})
	return d, err
}

// device is a device, locked.
func (s *Service) device(ctx context.Context, id string) (*ent.Device, error) {
	d, err := s.client.Device.Query().Where(device.ID(id)).Modify(database.ForUpdate).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, fault.Missing(id)
	}
	return d, err
}

// RenewBefore is how long before its end an identity is renewed.
const RenewBefore = 30 * 24 * time.Hour

// Renewal is an identity that its device is to renew.
type Renewal struct {
	Provider, Organization string
	Device, Channel        string
	Identity               string
	NotAfter               time.Time
}

// RenewalsDue lists identities in use that end within [RenewBefore], the first
// to end first: at most limit, over all tenants. Identities that have been
// renewed are not among them once the device uses the new one. The context needs
// no scope.
func (s *Service) RenewalsDue(ctx context.Context, limit int) ([]Renewal, error) {
	ctx = tenancy.System(ctx, "find the device identities of every provider that are to be renewed")
	due, err := s.client.DeviceIdentity.Query().
		Where(deviceidentity.NotAfterGT(s.now()), deviceidentity.NotAfterLTE(s.now().Add(RenewBefore)),
			deviceidentity.RevokedAtIsNil(), deviceidentity.HasDeviceWith(device.Enrolled(true), device.BlockedAtIsNil()), ofChannels).
		Order(deviceidentity.ByNotAfter(), deviceidentity.ByID()).Limit(limit).All(ctx)
	if err != nil {
		return nil, err
	}
	renewals := make([]Renewal, 0, len(due))
	for _, i := range due {
		channel, err := s.client.DeviceChannel.Query().
			Where(devicechannel.DeviceID(*i.DeviceID), devicechannel.Fingerprint(i.Fingerprint), devicechannel.KindEQ(devicechannel.KindDevice)).
			Order(devicechannel.ByID()).First(ctx)
		if ent.IsNotFound(err) { // it has gone on to another identity meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		renewals = append(renewals, Renewal{
			Provider: i.ProviderID, Organization: i.OrganizationID, Device: *i.DeviceID, Channel: channel.ID,
			Identity: i.ID, NotAfter: i.NotAfter,
		})
	}
	return renewals, nil
}

// ofChannels keeps the identities that their devices' channels use.
func ofChannels(s *sql.Selector) {
	t := sql.Table(devicechannel.Table)
	s.Where(sql.Exists(sql.Dialect(s.Dialect()).Select(t.C(devicechannel.FieldID)).From(t).Where(sql.And(
		sql.ColumnsEQ(t.C(devicechannel.FieldOrganizationID), s.C(deviceidentity.FieldOrganizationID)),
		sql.ColumnsEQ(t.C(devicechannel.FieldDeviceID), s.C(deviceidentity.FieldDeviceID)),
		sql.ColumnsEQ(t.C(devicechannel.FieldFingerprint), s.C(deviceidentity.FieldFingerprint)),
		sql.EQ(t.C(devicechannel.FieldStatus), string(devicechannel.StatusEnrolled)),
	))))
}
