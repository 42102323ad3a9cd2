package applemdm

import (
	"context"

	"github.com/bailiwick/bailiwick/ent/deviceidentity"
	"github.com/bailiwick/bailiwick/ent/scepchallenge"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/schema"
)

// Revoke ends every identity of a device, and whatever could give it another: it
// is not recognized any more.
func (s *Service) Revoke(ctx context.Context, deviceID string) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		valid, err := s.client.DeviceIdentity.Query().
			Where(deviceidentity.DeviceID(deviceID), deviceidentity.RevokedAtIsNil()).WithDevice().All(ctx)
		if err != nil {
			return err
		}
		if len(valid) > 0 {
			targets := []schema.LogTarget{audit.Device(valid[0].Edges.Device)}
			for _, i := range valid {
				if err := i.Update().SetRevokedAt(s.now()).Exec(guard.WithoutTrail(ctx)); err != nil {
					return err
				}
				targets = append(targets, schema.LogTarget{Type: "DeviceIdentity", ID: i.ID, Op: "UPDATE", Name: i.SerialNumber})
			}
			if err := s.record(ctx, eventRevoke, valid[0].OrganizationID, targets...); err != nil {
				return err
			}
		}
		_, err = s.client.ScepChallenge.Delete().
			Where(scepchallenge.DeviceID(deviceID), scepchallenge.RedeemedAtIsNil()).Exec(guard.WithoutTrail(ctx))
		return err
	})
}
