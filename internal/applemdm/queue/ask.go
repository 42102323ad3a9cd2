package queue

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/applemdm"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/job"
)

// defaultInterval is how often inventory is asked for where no setting says.
const defaultInterval = 24 * time.Hour

// Ask is the job that asks the devices of an organization for their inventory,
// whose time it is.
type Ask struct{ job.Tenant }

// Kind implements job.Args.
func (Ask) Kind() string { return "applemdm.ask" }

// questions are the commands that make up an inventory.
func questions(t command.Target) []command.Command {
	return []command.Command{
		command.DeviceInformation{Queries: command.Queries(t)}, command.SecurityInfo{},
		command.InstalledApplicationList{}, command.ProfileList{}, command.CertificateList{}, command.AvailableOSUpdates{},
	}
}

// RequestInventory asks a device for its inventory now.
func (s *Service) RequestInventory(ctx context.Context, deviceID string) (*ent.Device, error) {
	d, channel, err := s.Channel(ctx, deviceID)
	if err != nil {
		return nil, err
	}
	return d, s.AskFor(ctx, d, channel)
}

// AskFor queues the questions that a device can answer and has not been asked
// yet, and sets the time of the next.
func (s *Service) AskFor(ctx context.Context, d *ent.Device, channel *ent.DeviceChannel) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		asked, err := s.client.DeviceCommand.Query().
			Where(devicecommand.ChannelID(channel.ID), devicecommand.Inventory(true)).Modify(Waiting).
			Select(devicecommand.FieldRequestType).Strings(ctx)
		if err != nil {
			return err
		}
		known := map[string]bool{}
		for _, name := range asked {
			known[name] = true
		}
		var rows []*ent.DeviceCommandCreate
		for _, c := range questions(TargetOf(d)) {
			if known[command.RequestType(c)] || command.Validate(c, TargetOf(d)) != nil {
				continue
			}
			row, err := s.build(ctx, channel, c, Options{Priority: Routine}, true)
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		if len(rows) > 0 {
			if err := s.client.DeviceCommand.CreateBulk(rows...).Exec(ctx); err != nil {
				return err
			}
		}
		interval, err := s.interval(ctx, channel.OrganizationID)
		if err != nil {
			return err
		}
		next := s.now().Add(jitter(interval))
		if err := s.client.DeviceChannel.Update().Where(devicechannel.ID(channel.ID)).SetNextInventoryAt(next).Exec(ctx); err != nil {
			return err
		}
		return s.Want(ctx, channel)
	})
}

func (s *Service) interval(ctx context.Context, organization string) (time.Duration, error) {
	mdm, err := s.client.AppleMdm.Query().Where(applemdm.OrganizationID(organization)).Only(ctx)
	if ent.IsNotFound(err) {
		return defaultInterval, nil
	}
	if err != nil {
		return 0, err
	}
	return time.Duration(mdm.InventoryIntervalHours) * time.Hour, nil
}

// jitter spreads a duration over a tenth more or less, so that a fleet does
// not move in step.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64())) //nolint:gosec // spreads work, keeps no secret
}

// AskDue asks every device of the scope whose time it is.
func (s *Service) AskDue(ctx context.Context) error {
	for {
		due, err := s.client.DeviceChannel.Query().Where(devicechannel.NextInventoryAtLTE(s.now())).Limit(tendBatch).All(ctx)
		if err != nil || len(due) == 0 {
			return err
		}
		for _, channel := range due {
			if channel.Status != devicechannel.StatusEnrolled || channel.Kind != devicechannel.KindDevice {
				err = s.client.DeviceChannel.Update().Where(devicechannel.ID(channel.ID)).ClearNextInventoryAt().Exec(ctx)
			} else {
				var d *ent.Device
				if d, err = s.client.Device.Query().Where(device.ID(channel.DeviceID)).Only(ctx); err == nil {
					err = s.AskFor(ctx, d, channel)
				}
			}
			if err != nil {
				return err
			}
		}
	}
}
