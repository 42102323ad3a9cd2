package queue

import (
	"context"
	"slices"
	"strings"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/ent/devicesecret"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/guard"
)

// Instruction is what devices are told: a command of one kind for each.
type Instruction struct {
	Options
	// Make is the command for a device, given its own channel: of the device what
	// [TargetOf] reads, of the channel what says whose it is, and its unlock token.
	// It is validated afterwards. A *fault.Error concerns that device alone.
	Make func(ctx context.Context, d *ent.Device, own *ent.DeviceChannel) (command.Command, error)
	// Replaces withdraws commands of the kind that devices do not have yet: of two
	// locks that reach a Mac at once, only one would set its PIN.
	Replaces bool
	// Needs is the kind of secret without which in keeping a device is refused,
	// with the words of Lacking; empty for none.
	Needs   devicesecret.Kind
	Lacking string
}

// Same tells every device the same.
func Same(c command.Command, o Options) Instruction {
	return Instruction{Options: o, Make: func(context.Context, *ent.Device, *ent.DeviceChannel) (command.Command, error) { return c, nil }}
}

// Told is what became of one device: its command, or why it has none.
type Told struct {
	DeviceID string
	Command  *ent.DeviceCommand // nil if it was refused
	PIN      command.Secret     // that the command holds; empty for none
	Refusal  *fault.Error       // nil if it was told

	device  *ent.Device
	channel *ent.DeviceChannel
	command command.Command
}

// TellOne queues a command for a device's own channel, and answers the PIN that
// it holds. It is NOT_FOUND for a device out of reach, PRECONDITION_FAILED for
// one that is not enrolled, and else as [command.Validate] says.
func (s *Service) TellOne(ctx context.Context, deviceID string, what Instruction) (queued *ent.DeviceCommand, pin command.Secret, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		told, err := s.consider(ctx, []string{deviceID}, what)
		if err != nil {
			return err
		}
		if told[0].Refusal != nil {
			return told[0].Refusal
		}
		if err := s.tell(ctx, told, what, ""); err != nil {
			return err
		}
		queued, pin = told[0].Command, told[0].PIN
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	return queued, pin, nil
}

// tell queues the commands that were considered, and has the devices notified. A
// job's id makes the commands its own.
func (s *Service) tell(ctx context.Context, told []*Told, what Instruction, jobID string) error {
	// In one order, whoever asks: two callers then wait for each other at worst.
	told = slices.Clone(told)
	slices.SortFunc(told, func(a, b *Told) int { return strings.Compare(a.DeviceID, b.DeviceID) })
	var rows []*ent.DeviceCommandCreate
	var kind command.Command
	var channels []*ent.DeviceChannel
	for _, t := range told {
		if t.Refusal != nil {
			continue
		}
		row, err := s.build(ctx, t.channel, t.command, what.Options, false)
		if err != nil {
			return err
		}
		if jobID != "" {
			row.SetJobID(jobID)
		}
		rows, channels, kind = append(rows, row), append(channels, t.channel), t.command
	}
	if what.Replaces {
		if err := s.replace(ctx, channels, command.RequestType(kind)); err != nil {
			return err
		}
	}
	queued, err := s.client.DeviceCommand.CreateBulk(rows...).Save(ctx)
	if err != nil {
		return err
	}
	for _, t := range told {
		if t.Refusal == nil {
			t.Command, queued = queued[0], queued[1:]
		}
	}
	return s.Want(ctx, channels...)
}

// replace withdraws what channels wait for of a kind. What replaces it is in the
// log.
func (s *Service) replace(ctx context.Context, channels []*ent.DeviceChannel, requestType string) error {
	ids := make([]string, 0, len(channels))
	for _, c := range channels {
		ids = append(ids, c.ID)
	}
	return s.client.DeviceCommand.Update().
		Where(devicecommand.ChannelIDIn(ids...), Waiting, devicecommand.RequestType(requestType), devicecommand.StatusIn(withdrawable()...)).
		SetStatus(devicecommand.StatusCancelled).SetResultAt(s.now()).Exec(guard.WithoutTrail(ctx))
}

func errNotEnrolled() error {
	missing := fault.New(fault.PreconditionFailed, "the device is not enrolled")
	missing.Field = "input.deviceId"
	return missing
}
