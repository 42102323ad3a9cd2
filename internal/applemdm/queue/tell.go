package queue

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/ent/devicesecret"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/database"
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

	what    Instruction
	pending *audit.Pending // the event of the change, nil if it has none to be recorded with it
	device  *ent.Device
	channel *ent.DeviceChannel
	command command.Command
}

// TellOne queues a command for a device's own channel, and answers the PIN that
// it holds. It is NOT_FOUND for a device out of reach, PRECONDITION_FAILED for
// one that is not enrolled, and else as [command.Validate] says. Without a
// transaction in the context it shares one with others of the same reach that
// come at the same time; that one also holds the system-log event that the
// context has pending.
func (s *Service) TellOne(ctx context.Context, deviceID string, what Instruction) (*ent.DeviceCommand, command.Secret, error) {
	told, err := s.tellOne(ctx, deviceID, what)
	switch {
	case err != nil:
		return nil, "", err
	case told.Refusal != nil:
		return nil, "", told.Refusal
	}
	return told.Command, told.PIN, nil
}

func (s *Service) tellOne(ctx context.Context, deviceID string, what Instruction) (told *Told, err error) {
	if err := what.validate(s.now()); err != nil {
		return nil, err
	}
	if _, within := database.TxFrom(ctx); !within {
		return s.tellTogether(ctx, deviceID, what)
	}
	told = &Told{DeviceID: deviceID, what: what}
	return told, s.DB.InTx(ctx, func(ctx context.Context) error {
		if err := s.consider(ctx, []*Told{told}); err != nil || told.Refusal != nil {
			return err
		}
		if err := s.tell(ctx, []*Told{told}, ""); err != nil {
			return err
		}
		s.wanted(ctx, channelsOf([]*Told{told})...)
		return nil
	})
}

// tell queues the commands that were considered, with the events of those who have
// one, and has the devices notified, but for the job that does it. A job's id makes
// the commands its own. Without a transaction it is one statement on PostgreSQL, if
// nothing is to be replaced.
func (s *Service) tell(ctx context.Context, told []*Told, jobID string) error {
	told = slices.DeleteFunc(slices.Clone(told), func(t *Told) bool { return t.Refusal != nil })
	if len(told) == 0 {
		return nil
	}
	// In one order, whoever asks: two callers then wait for each other at worst.
	slices.SortFunc(told, func(a, b *Told) int { return strings.Compare(a.DeviceID, b.DeviceID) })
	now, posts := s.now(), make([]post, len(told))
	for i, t := range told {
		row, err := s.build(ctx, t.channel, t.command, t.what.Options, now)
		if err != nil {
			return err
		}
		if jobID != "" {
			row.JobID = &jobID
		}
		t.Command, posts[i] = row, post{DeviceCommand: row}
		if t.pending != nil {
			posts[i].event = t.pending.Event(t.touched())
		}
	}
	if err := s.replace(ctx, told); err != nil {
		return err
	}
	queued, err := s.post(ctx, posts, s.telling)
	if err != nil {
		return err
	}
	for _, t := range told {
		switch {
		case !queued[t.Command.ID]: // it has left since it was considered
			t.Command, t.Refusal = nil, errNotEnrolled()
		case t.pending != nil:
			t.pending.Record(ctx)
		default:
			guard.Touch(ctx, t.touched())
		}
	}
	return nil
}

// replace withdraws what channels wait for of the kinds that are replaced. What
// replaces it is in the log.
func (s *Service) replace(ctx context.Context, told []*Told) error {
	channels := map[string][]string{} // by request type
	var locked []string
	for _, t := range told {
		if t.what.Replaces {
			kind := command.RequestType(t.command)
			channels[kind] = append(channels[kind], t.channel.ID)
			locked = append(locked, t.channel.ID)
		}
	}
	if len(locked) == 0 {
		return nil
	}
	// Whoever replaces something of one of them at the same time waits here, so that
	// of the two the later sees the earlier.
	_, err := s.client.DeviceChannel.Query().Where(devicechannel.IDIn(locked...)).Order(devicechannel.ByID()).
		Modify(database.ForNoKeyUpdate).Select(devicechannel.FieldID).Strings(ctx)
	if err != nil {
		return err
	}
	for _, kind := range slices.Sorted(maps.Keys(channels)) {
		err := s.client.DeviceCommand.Update().
			Where(devicecommand.ChannelIDIn(channels[kind]...), Waiting, devicecommand.RequestType(kind), devicecommand.StatusIn(withdrawable()...)).
			SetStatus(devicecommand.StatusCancelled).SetResultAt(s.now()).Exec(guard.WithoutTrail(ctx))
		if err != nil {
			return err
		}
	}
	return nil
}

// channelsOf are the channels of the devices that were told something for now.
func channelsOf(told []*Told) []*ent.DeviceChannel {
	var channels []*ent.DeviceChannel
	for _, t := range told {
		if t.Refusal == nil && !(post{DeviceCommand: t.Command}).later() {
			channels = append(channels, t.channel)
		}
	}
	return channels
}

func errNotEnrolled() *fault.Error {
	missing := fault.New(fault.PreconditionFailed, "the device is not enrolled")
	missing.Field = "input.deviceId"
	return missing
}
