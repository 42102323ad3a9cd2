package inventory

import (
	"context"
	"fmt"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicesecret"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/schema"
)

func (s *Store) bypassCode(ctx context.Context, c *ent.DeviceCommand, code command.Secret) error {
	return s.KeepSecret(ctx, c.OrganizationID, c.DeviceID, devicesecret.KindActivationLockBypassCode, string(code))
}

func (s *Store) forgetBypassCode(ctx context.Context, c *ent.DeviceCommand) error {
	_, err := s.client.DeviceSecret.Delete().
		Where(devicesecret.DeviceID(c.DeviceID), devicesecret.KindEQ(devicesecret.KindActivationLockBypassCode)).Exec(ctx)
	return err
}

// KeepSecret seals a device's secret, in the place of an earlier one of its kind.
func (s *Store) KeepSecret(ctx context.Context, organization, deviceID string, kind devicesecret.Kind, value string) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		row, err := s.client.DeviceSecret.Query().
			Where(devicesecret.DeviceID(deviceID), devicesecret.KindEQ(kind)).Only(ctx)
		if err != nil && !ent.IsNotFound(err) {
			return err
		}
		id := schema.NewID("dsec")()
		if row != nil {
			id = row.ID
		}
		sealed, err := s.Vault.Seal(ctx, secretPlace(organization, id), []byte(value))
		if err != nil {
			return fmt.Errorf("seal a device's secret: %w", err)
		}
		if row != nil {
			return row.Update().SetValue(sealed).ClearRevealedAt().Exec(ctx)
		}
		return s.client.DeviceSecret.Create().SetID(id).SetOrganizationID(organization).SetDeviceID(deviceID).
			SetKind(kind).SetValue(sealed).Exec(ctx)
	})
}

// HaveSecret tells of which devices a secret is kept.
func (s *Store) HaveSecret(ctx context.Context, deviceIDs []string, kind devicesecret.Kind) (map[string]bool, error) {
	kept, err := s.client.DeviceSecret.Query().Where(devicesecret.DeviceIDIn(deviceIDs...), devicesecret.KindEQ(kind)).
		Select(devicesecret.FieldDeviceID).Strings(ctx)
	have := make(map[string]bool, len(kept))
	for _, id := range kept {
		have[id] = true
	}
	return have, err
}

// Reveal opens a device's secret, and remembers that it was shown. It is
// NOT_FOUND for a device out of reach, and PRECONDITION_FAILED if there is no
// secret of this kind.
func (s *Store) Reveal(ctx context.Context, deviceID string, kind devicesecret.Kind) (d *ent.Device, value string, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		d, err = s.client.Device.Query().Where(device.ID(deviceID)).Only(ctx)
		if ent.IsNotFound(err) {
			return fault.Missing(deviceID)
		}
		if err != nil {
			return err
		}
		row, err := s.client.DeviceSecret.Query().Where(devicesecret.DeviceID(deviceID), devicesecret.KindEQ(kind)).Only(ctx)
		if ent.IsNotFound(err) {
			return fault.New(fault.PreconditionFailed, "no such secret of this device is kept")
		}
		if err != nil {
			return err
		}
		opened, err := s.Vault.Open(ctx, secretPlace(row.OrganizationID, row.ID), row.Value)
		if err != nil {
			return fmt.Errorf("open a device's secret: %w", err)
		}
		value = string(opened)
		return row.Update().SetRevealedAt(s.now()).Exec(ctx)
	})
	if err != nil {
		return nil, "", err
	}
	return d, value, nil
}

func secretPlace(organization, row string) secret.Place {
	return secret.Place{Tenant: organization, Table: "device_secrets", Column: "value", Row: row}
}
