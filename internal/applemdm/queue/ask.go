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
	"github.com/bailiwick/bailiwick/internal/guard"
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
	return d, s.AskEach(ctx, d.OrganizationID, []Asked{{d, channel}}, nil)
}

// MaxAsked is how many devices can be asked at a time.
const MaxAsked = 100

// Asked is a device that is to be asked, and its own channel.
type Asked struct {
	Device  *ent.Device
	Channel *ent.DeviceChannel
}

// AskEach queues the questions that devices of an organization, [MaxAsked] at most,
// can answer and have not been asked yet, sets the time of the next, and has them
// notified: in as many statements for many as for a few. What else the change, if
// it is not nil, says of their channels becomes so.
func (s *Service) AskEach(ctx context.Context, organization string, asked []Asked, change func(*ent.DeviceChannelUpdate)) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		rows, err := s.unasked(ctx, asked)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			queued, err := s.post(ctx, rows, s.posting)
			if err != nil {
				return err
			}
			for _, row := range rows {
				if queued[row.ID] {
					guard.Touch(ctx, row.touched())
				}
			}
		}
		interval, err := s.interval(ctx, organization)
		if err != nil {
			return err
		}
		now := s.now()
		channels := make([]*ent.DeviceChannel, len(asked))
		moments := make([][]string, min(len(asked), spread))
		for i, a := range asked {
			channels[i] = a.Channel
			moments[i%spread] = append(moments[i%spread], a.Channel.ID)
		}
		for _, ids := range moments {
			update := s.client.DeviceChannel.Update().Where(devicechannel.IDIn(ids...)).
				SetNextInventoryAt(now.Add(jitter(interval))).SetPushWantedAt(now)
			if change != nil {
				change(update)
			}
			if err := update.Exec(guard.WithoutTrail(ctx)); err != nil {
				return err
			}
		}
		s.wanted(ctx, channels...)
		return nil
	})
}

// spread is over how many moments the next inventories of devices are spread that
// are asked at once.
const spread = 8

// unasked builds the questions that the devices have not been asked yet.
func (s *Service) unasked(ctx context.Context, asked []Asked) ([]post, error) {
	ids := make([]string, len(asked))
	for i, a := range asked {
		ids[i] = a.Channel.ID
	}
	waiting, err := s.client.DeviceCommand.Query().
		Where(devicecommand.ChannelIDIn(ids...), devicecommand.Inventory(true)).Modify(Waiting).
		Select(devicecommand.FieldChannelID, devicecommand.FieldRequestType).All(ctx)
	if err != nil {
		return nil, err
	}
	known := map[[2]string]bool{}
	for _, c := range waiting {
		known[[2]string{c.ChannelID, c.RequestType}] = true
	}
	now := s.now()
	var rows []post
	for _, a := range asked {
		target := TargetOf(a.Device)
		for _, c := range questions(target) {
			if known[[2]string{a.Channel.ID, command.RequestType(c)}] || command.Validate(c, target) != nil {
				continue
			}
			row, err := s.build(ctx, a.Channel, c, Options{Priority: Routine}, now)
			if err != nil {
				return nil, err
			}
			row.Inventory = true
			rows = append(rows, post{DeviceCommand: row})
		}
	}
	return rows, nil
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
					err = s.AskEach(ctx, d.OrganizationID, []Asked{{d, channel}}, nil)
				}
			}
			if err != nil {
				return err
			}
		}
	}
}
