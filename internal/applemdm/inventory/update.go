package inventory

import (
	"context"
	"strings"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/deviceosupdate"
	"github.com/bailiwick/bailiwick/internal/applemdm/result"
)

// offered keeps the answer to AvailableOSUpdates: what is no longer offered is
// gone, and how far an update is stays known.
func (s *Store) offered(ctx context.Context, c *ent.DeviceCommand, list []result.AvailableUpdate) error {
	stored, err := s.updates(ctx, c)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, u := range list {
		if u.ProductKey == "" || len(u.ProductKey) > long || seen[u.ProductKey] {
			continue
		}
		seen[u.ProductKey] = true
		name := u.HumanReadableName
		if name == "" {
			name = u.ProductName
		}
		name, u.Version, u.Build = fit(name, long), fit(u.Version, short), fit(u.Build, short)
		row := stored[u.ProductKey]
		if row == nil {
			err = s.client.DeviceOsUpdate.Create().SetOrganizationID(c.OrganizationID).SetDeviceID(c.DeviceID).SetProductKey(u.ProductKey).
				SetName(name).SetVersion(u.Version).SetBuild(u.Build).SetIsCritical(is(u.IsCritical)).SetRestartRequired(is(u.RestartRequired)).
				Exec(ctx)
		} else if row.Name != name || row.Version != u.Version || row.Build != u.Build ||
			row.IsCritical != is(u.IsCritical) || row.RestartRequired != is(u.RestartRequired) {
			err = row.Update().SetName(name).SetVersion(u.Version).SetBuild(u.Build).
				SetIsCritical(is(u.IsCritical)).SetRestartRequired(is(u.RestartRequired)).Exec(ctx)
		}
		if err != nil {
			return err
		}
	}
	var gone []string
	for key, row := range stored {
		if !seen[key] {
			gone = append(gone, row.ID)
		}
	}
	return batches(gone, func(ids []string) error {
		_, err := s.client.DeviceOsUpdate.Delete().Where(deviceosupdate.IDIn(ids...)).Exec(ctx)
		return err
	})
}

// underway keeps the answer to OSUpdateStatus. An update that is no longer
// under way is only offered again.
func (s *Store) underway(ctx context.Context, c *ent.DeviceCommand, list []result.UpdateStatus) error {
	stored, err := s.updates(ctx, c)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, u := range list {
		if u.ProductKey == "" || len(u.ProductKey) > long || seen[u.ProductKey] {
			continue
		}
		u.Status = fit(u.Status, short)
		seen[u.ProductKey] = true
		row := stored[u.ProductKey]
		if row == nil {
			err = s.client.DeviceOsUpdate.Create().SetOrganizationID(c.OrganizationID).SetDeviceID(c.DeviceID).SetProductKey(u.ProductKey).
				SetStatus(u.Status).SetNillablePercentDownloaded(u.DownloadPercentComplete).SetIsDownloaded(is(u.IsDownloaded)).Exec(ctx)
		} else {
			err = row.Update().SetStatus(u.Status).SetNillablePercentDownloaded(u.DownloadPercentComplete).
				SetIsDownloaded(is(u.IsDownloaded)).Exec(ctx)
		}
		if err != nil {
			return err
		}
	}
	for key, row := range stored {
		if !seen[key] && row.Status != "" {
			if err := row.Update().ClearStatus().ClearPercentDownloaded().Exec(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxDescription bounds what an alert says, in bytes.
const maxDescription = 4000

// scheduled raises an alert for an update that the device will not install.
func (s *Store) scheduled(ctx context.Context, c *ent.DeviceCommand, list []result.ScheduledUpdate) error {
	for _, u := range list {
		if u.InstallAction != "Error" {
			continue
		}
		var why []string
		for _, e := range u.ErrorChain {
			why = append(why, e.ErrorDomain+": "+e.USEnglishDescription)
		}
		err := s.Alarms.Alarm(ctx, c.OrganizationID, c.DeviceID, alertUpdateFailed, c.DeviceID+":"+u.ProductKey,
			"The operating system's update failed", fit(strings.Join(why, "\n"), maxDescription))
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) updates(ctx context.Context, c *ent.DeviceCommand) (map[string]*ent.DeviceOsUpdate, error) {
	rows, err := s.client.DeviceOsUpdate.Query().Where(deviceosupdate.DeviceID(c.DeviceID)).All(ctx)
	if err != nil {
		return nil, err
	}
	byKey := make(map[string]*ent.DeviceOsUpdate, len(rows))
	for _, row := range rows {
		byKey[row.ProductKey] = row
	}
	return byKey, nil
}
