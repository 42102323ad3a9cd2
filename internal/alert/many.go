package alert

import (
	"context"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/alert"
	"github.com/bailiwick/bailiwick/ent/device"
)

// RaiseEach is [Service.Raise] for one type of alert about many devices of an
// organization, each of which names its condition. Conditions that have no open
// alert take as many statements for many as for one, tickets aside.
func (s *Service) RaiseEach(ctx context.Context, organization, alertType, title string, deviceIDs []string) error {
	reports := make([]Report, len(deviceIDs))
	for i, id := range deviceIDs {
		reports[i] = Report{Organization: organization, Type: alertType, Title: title, DedupeKey: id, DeviceID: id}
		if err := reports[i].complete(s.now()); err != nil {
			return err
		}
	}
	if len(reports) == 0 {
		return nil
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		named, err := s.named(ctx, organization, deviceIDs)
		if err != nil {
			return err
		}
		if err := s.lockOrganization(ctx, organization); err != nil {
			return err
		}
		incidents, open, err := s.incidents(ctx, organization, alertType, deviceIDs)
		if err != nil {
			return err
		}
		var fresh []Report
		for _, r := range reports {
			name, known := named[r.DeviceID]
			switch {
			case !known:
				return missing("input.deviceId", r.DeviceID)
			case open[r.DedupeKey]:
				if _, _, err := s.Raise(ctx, r); err != nil {
					return err
				}
			default:
				r.describe("DEVICE", name)
				fresh = append(fresh, r)
			}
		}
		return s.beginEach(ctx, fresh, incidents)
	})
}

// named are the names of the devices of an organization that are in reach.
func (s *Service) named(ctx context.Context, organization string, ids []string) (map[string]string, error) {
	rows, err := s.client.Device.Query().Where(device.OrganizationID(organization), device.IDIn(ids...)).
		Select(device.FieldID, device.FieldName).All(ctx)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(rows))
	for _, d := range rows {
		names[d.ID] = d.Name
	}
	return names, nil
}

// incidents are the last of each condition, by its key, and whether one is open.
func (s *Service) incidents(ctx context.Context, organization, alertType string, keys []string) (last map[string]int, open map[string]bool, err error) {
	known, err := s.client.Alert.Query().
		Where(alert.OrganizationID(organization), alert.TypeEQ(alertType), alert.DedupeKeyIn(keys...)).
		Select(alert.FieldDedupeKey, alert.FieldIncident, alert.FieldResolvedAt).All(ctx)
	if err != nil {
		return nil, nil, err
	}
	last, open = map[string]int{}, map[string]bool{}
	for _, a := range known {
		last[a.DedupeKey] = max(last[a.DedupeKey], a.Incident)
		open[a.DedupeKey] = open[a.DedupeKey] || a.ResolvedAt == nil
	}
	return last, open, nil
}

// beginEach opens the next incident of each condition.
func (s *Service) beginEach(ctx context.Context, reports []Report, incidents map[string]int) error {
	if len(reports) == 0 {
		return nil
	}
	by, err := reporter(ctx)
	if err != nil {
		return err
	}
	creates := make([]*ent.AlertCreate, len(reports))
	for i, r := range reports {
		creates[i] = s.incident(r, incidents[r.DedupeKey]+1)
	}
	alerts, err := s.client.Alert.CreateBulk(creates...).Save(ctx)
	if err != nil {
		return err
	}
	if ticketed(reports[0].Type) {
		if err := s.ticket.Opened(ctx, alerts...); err != nil {
			return err
		}
	}
	occurrences := make([]*ent.AlertOccurrenceCreate, len(reports))
	for i, r := range reports {
		occurrences[i] = s.occurrence(alerts[i], r, by)
	}
	if err := s.client.AlertOccurrence.CreateBulk(occurrences...).Exec(ctx); err != nil {
		return err
	}
	return s.announce(ctx, alerts...)
}
