package queue

import (
	"context"
	"errors"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicesecret"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/guard"
)

// candidate is what queueing a command takes of a device, and of its own channel
// if it is enrolled.
type candidate struct {
	ID             string          `sql:"id"`
	Organization   string          `sql:"organization_id"`
	Provider       string          `sql:"provider_id"`
	Platform       device.Platform `sql:"platform"`
	OSVersion      *string         `sql:"os_version"`
	Supervised     bool            `sql:"supervised"`
	UserEnrollment bool            `sql:"user_enrollment"`
	AppleSilicon   *bool           `sql:"apple_silicon"`

	Channel      *string    `sql:"channel_id"`
	UnlockToken  []byte     `sql:"channel_unlock_token"`
	PushWantedAt *time.Time `sql:"channel_push_wanted_at"`
}

// consider finds out which devices can be told what they are to be told, in as
// many statements for many as for one. No device is among them twice.
func (s *Service) consider(ctx context.Context, told []*Told) error {
	byID, ids := make(map[string]*Told, len(told)), make([]string, len(told))
	for i, t := range told {
		byID[t.DeviceID], ids[i] = t, t.DeviceID
	}
	var candidates []candidate
	err := s.client.Device.Query().Where(device.IDIn(ids...)).
		Select(device.FieldID, guard.OrganizationColumn, guard.ProviderColumn, device.FieldPlatform, device.FieldOsVersion,
			device.FieldSupervised, device.FieldUserEnrollment, device.FieldAppleSilicon).
		Modify(withOwnChannel).Scan(ctx, &candidates)
	if err != nil {
		return err
	}
	for _, c := range candidates {
		byID[c.ID].device, byID[c.ID].channel = c.device(), c.channel()
	}
	kept, err := s.kept(ctx, told)
	if err != nil {
		return err
	}
	for _, t := range told {
		err := t.consider(ctx, kept[need{t.DeviceID, t.what.Needs}])
		if refusal, ok := errors.AsType[*fault.Error](err); ok && refusal.Code != fault.Internal {
			t.Refusal = refusal
		} else if err != nil {
			return err
		}
	}
	return nil
}

// need is a secret of a device.
type need struct {
	deviceID string
	kind     devicesecret.Kind
}

// kept tells which of the secrets are kept that instructions need.
func (s *Service) kept(ctx context.Context, told []*Told) (map[need]bool, error) {
	needs := map[devicesecret.Kind][]string{}
	for _, t := range told {
		if t.what.Needs != "" {
			needs[t.what.Needs] = append(needs[t.what.Needs], t.DeviceID)
		}
	}
	kept := map[need]bool{}
	for kind, ids := range needs {
		have, err := s.Inventory.HaveSecret(ctx, ids, kind)
		if err != nil {
			return nil, err
		}
		for id := range have {
			kept[need{id, kind}] = true
		}
	}
	return kept, nil
}

func (t *Told) consider(ctx context.Context, kept bool) (err error) {
	switch {
	case t.device == nil:
		return fault.Missing(t.DeviceID)
	case t.channel == nil:
		return errNotEnrolled()
	}
	if t.command, err = t.what.Make(ctx, t.device, t.channel); err != nil {
		return err
	}
	if err := command.Validate(t.command, TargetOf(t.device)); err != nil {
		return err
	}
	if t.what.Needs != "" && !kept {
		return fault.New(fault.PreconditionFailed, "%s", t.what.Lacking)
	}
	t.PIN = command.PIN(t.command)
	return nil
}

// withOwnChannel reads what queueing takes of a device's own channel in the
// device's statement.
func withOwnChannel(q *sql.Selector) {
	own := sql.Dialect(q.Dialect()).Table(devicechannel.Table).As("own")
	q.LeftJoin(own).OnP(sql.And(
		sql.ColumnsEQ(own.C(guard.OrganizationColumn), q.C(guard.OrganizationColumn)),
		sql.ColumnsEQ(own.C(devicechannel.FieldDeviceID), q.C(device.FieldID)),
		sql.EQ(own.C(devicechannel.FieldKind), devicechannel.KindDevice),
		sql.EQ(own.C(devicechannel.FieldStatus), devicechannel.StatusEnrolled),
	))
	q.AppendSelectAs(own.C(devicechannel.FieldID), "channel_id").
		AppendSelectAs(own.C(devicechannel.FieldUnlockToken), "channel_unlock_token").
		AppendSelectAs(own.C(devicechannel.FieldPushWantedAt), "channel_push_wanted_at")
}

func (c *candidate) device() *ent.Device {
	d := &ent.Device{
		ID: c.ID, OrganizationID: c.Organization, ProviderID: c.Provider, Platform: c.Platform,
		Supervised: c.Supervised, UserEnrollment: c.UserEnrollment, AppleSilicon: c.AppleSilicon,
	}
	if c.OSVersion != nil {
		d.OsVersion = *c.OSVersion
	}
	return d
}

// channel is nil if the device is not enrolled.
func (c *candidate) channel() *ent.DeviceChannel {
	if c.Channel == nil {
		return nil
	}
	return &ent.DeviceChannel{
		ID: *c.Channel, OrganizationID: c.Organization, ProviderID: c.Provider, DeviceID: c.ID,
		Kind: devicechannel.KindDevice, Status: devicechannel.StatusEnrolled,
		UnlockToken: c.UnlockToken, PushWantedAt: c.PushWantedAt,
	}
}
