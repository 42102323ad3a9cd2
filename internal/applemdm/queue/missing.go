package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
)

// day is the shortest silence after which a device can be missing.
const day = 24 * time.Hour

// lately reports whether a channel has spoken so recently that its device
// cannot be missing.
func (s *Service) lately(c *ent.DeviceChannel) bool {
	return c.LastSeenAt != nil && s.now().Sub(*c.LastSeenAt) < day
}

// found ends that a device is missing, once it speaks again, in the context's
// transaction.
func (s *Service) found(ctx context.Context, c *ent.DeviceChannel) error {
	n, err := s.client.Device.Update().Where(device.ID(c.DeviceID), device.MissingSinceNotNil()).ClearMissingSince().Save(ctx)
	if err != nil || n == 0 {
		return err
	}
	if _, err := s.Alarms.Clear(ctx, c.OrganizationID, alertDeviceMissing, c.DeviceID); err != nil {
		return err
	}
	return s.Inventory.Announce(ctx, c.ProviderID, c.OrganizationID, c.DeviceID)
}

// markMissing finds the enrolled devices of the organization in scope that
// have not been seen for so many days.
func (s *Service) markMissing(ctx context.Context, days int) error {
	silent, err := s.client.Device.Query().Where(
		device.Enrolled(true), device.LastSeenAtLT(s.now().Add(-time.Duration(days)*day)), device.MissingSinceIsNil(),
	).Limit(tendBatch).All(ctx)
	if err != nil {
		return err
	}
	for _, d := range silent {
		err := s.DB.InTx(ctx, func(ctx context.Context) error {
			n, err := s.client.Device.Update().
				Where(device.ID(d.ID), device.MissingSinceIsNil(), device.LastSeenAt(*d.LastSeenAt)).SetMissingSince(s.now()).Save(ctx)
			if err != nil || n == 0 {
				return err
			}
			err = s.Alarms.Alarm(ctx, d.OrganizationID, d.ID, alertDeviceMissing, d.ID, "The device is missing",
				fmt.Sprintf("It was last heard of on %s.", d.LastSeenAt.UTC().Format(time.DateOnly)))
			if err != nil {
				return err
			}
			return s.Inventory.Announce(ctx, d.ProviderID, d.OrganizationID, d.ID)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
