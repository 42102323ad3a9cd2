package applemdm

import (
	"context"
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/applemdm"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/guard"
)

// alertLimit says that an organization has as many devices as it may;
// limitKey tells it from other limits of the organization.
const (
	alertLimit = "SEAT_LIMIT_REACHED"
	limitKey   = "device"
)

// arrivalTime is for how long a device that has begun to enrol, and has not
// finished, has a seat: so that those that come at once do not all take the last.
const arrivalTime = 5 * time.Minute

// CheckSeat is FORBIDDEN when the organization has no room for as many more
// devices under management as are wanted. A device named does not count among
// those that it has. Under PostgreSQL, within a transaction, it makes that the
// only one to take seats.
func (s *Service) CheckSeat(ctx context.Context, site *Site, deviceID string, wanted int) error {
	if site.EnrollmentLimit == nil {
		return nil
	}
	if _, err := s.client.AppleMdm.Query().Where(applemdm.ID(site.ID)).Modify(database.ForUpdate).Only(ctx); err != nil {
		return err
	}
	taken, err := s.client.DeviceChannel.Query().
		Where(devicechannel.OrganizationID(site.Organization), devicechannel.DeviceIDNEQ(deviceID),
			devicechannel.KindEQ(devicechannel.KindDevice),
			devicechannel.Or(
				devicechannel.StatusEQ(devicechannel.StatusEnrolled),
				devicechannel.And(devicechannel.StatusEQ(devicechannel.StatusAuthenticated), devicechannel.UpdatedAtGT(s.now().Add(-arrivalTime))),
			)).Count(ctx)
	if err == nil && taken+wanted > *site.EnrollmentLimit {
		err = fault.New(fault.Forbidden, "The organization manages as many devices as it may.")
	}
	return err
}

// ReviewSeats raises an alert, once, when an organization has as many devices
// as it may have, and ends it when there is room again. It is called whenever a
// device has come, gone or been refused, and the limit changed. It takes no
// notice of an organization without device management.
func (s *Service) ReviewSeats(ctx context.Context, organizationID string) error {
	return s.db.InTx(guard.WithoutTrail(ctx), func(ctx context.Context) error {
		m, err := s.client.AppleMdm.Query().Where(applemdm.OrganizationID(organizationID)).Only(ctx)
		if ent.IsNotFound(err) || err == nil && m.EnrollmentLimit == nil && m.LimitReachedAt == nil {
			return nil // most have no limit: they do not wait for each other
		}
		if err != nil {
			return err
		}
		m, err = s.client.AppleMdm.Query().Where(applemdm.ID(m.ID)).Modify(database.ForUpdate).Only(ctx)
		if err != nil {
			return err
		}
		devices, err := s.EnrolledDevices(ctx, organizationID)
		if err != nil {
			return err
		}
		limit, has := m.EnrollmentLimit, devices[organizationID]
		switch full := limit != nil && has >= *limit; {
		case full == (m.LimitReachedAt != nil):
			return nil
		case full:
			if err := m.Update().SetLimitReachedAt(s.now()).Exec(ctx); err != nil {
				return err
			}
			return s.config.Alarms.Alarm(ctx, organizationID, alertLimit, limitKey,
				fmt.Sprintf("The limit of %d enrolled devices is reached", *limit),
				fmt.Sprintf("The organization has %d devices under management, and may have %d. Any other device is refused when it enrols, "+
					"and stays as it is. Release devices that are no longer in use (unenrollDevice), or raise the limit "+
					"(updateAppleMdm, enrollmentLimit).", has, *limit))
		default:
			if err := m.Update().ClearLimitReachedAt().Exec(ctx); err != nil {
				return err
			}
			_, err := s.config.Alarms.Clear(ctx, organizationID, alertLimit, limitKey)
			return err
		}
	})
}
