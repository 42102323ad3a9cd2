package queue

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"entgo.io/ent/dialect"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/internal/applemdm/message"
	"github.com/bailiwick/bailiwick/internal/batch"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/tenancy"
)

// step is what an ordinary session writes, all of it or nothing.
type step struct {
	channel *ent.DeviceChannel
	// reported is the CommandUUID of the channel's command that has ended, as
	// verdict says; empty for none. One that was never given out, or is over, stays
	// as it is.
	reported string
	verdict  devicecommand.Status // ACKNOWLEDGED or NOT_NOW
	signed   int64                // when its message was; see Sender.Signed
	seen     bool                 // that the channel has spoken is written, and of its device if the channel is its own
	next     string               // the id of the command that is given out if it still waits; empty for none
}

// The parts of a step.
const (
	partEnds = 1 << iota
	partSeen
	partGives
	allParts = partEnds | partSeen | partGives
)

func (t step) parts() (parts int) {
	if t.reported != "" {
		parts |= partEnds
	}
	if t.seen {
		parts |= partSeen
	}
	if t.next != "" {
		parts |= partGives
	}
	return parts
}

// columns are what a statement is given of steps. What a step leaves out is empty.
func columns() []database.Column[step] {
	return []database.Column[step]{
		{Name: "organization_id", Text: func(t step) string { return t.channel.OrganizationID }},
		{Name: "channel_id", Text: func(t step) string {
			if t.reported == "" && !t.seen {
				return ""
			}
			return t.channel.ID
		}},
		{Name: "device_id", Text: func(t step) string {
			if !t.seen || t.channel.Kind != devicechannel.KindDevice {
				return ""
			}
			return t.channel.DeviceID
		}},
		{Name: "signed", Text: func(t step) string { return strconv.FormatInt(t.signed, 10) }},
		{Name: "reported", Text: func(t step) string { return t.reported }},
		{Name: "verdict", Text: func(t step) string { return string(t.verdict) }},
		{Name: "next", Text: func(t step) string { return t.next }},
	}
}

// stepping writes steps with certain parts. $1 is now, $2 the provider, and $3 the
// day, of those that write who was seen. Each names the tenant in every table, as
// the guard would, and the last one answers the ids of the commands that were given
// out.
func stepping(engine string, parts int) database.Writes[step] {
	var writes []string
	if parts&partEnds != 0 {
		writes = append(writes, `UPDATE device_commands SET updated_at = $1, status = given.verdict,
  result_at = CASE WHEN given.verdict = 'ACKNOWLEDGED' THEN $1 ELSE device_commands.result_at END,
  error_chain = CASE WHEN given.verdict = 'ACKNOWLEDGED' THEN NULL ELSE device_commands.error_chain END
FROM @given WHERE given.reported <> '' AND device_commands.organization_id = given.organization_id AND device_commands.provider_id || '' = $2
  AND device_commands.command_uuid = given.reported AND device_commands.channel_id = given.channel_id
  AND device_commands.attempts > 0 AND device_commands.status || '' IN ('PENDING', 'SENT', 'NOT_NOW', 'EXPIRED')`)
	}
	if parts&partSeen != 0 {
		writes = append(writes, `UPDATE device_channels SET last_seen_at = $1, signed_second = CAST(given.signed AS BIGINT), updated_at = $1
FROM @given WHERE device_channels.id = given.channel_id AND device_channels.organization_id = given.organization_id AND device_channels.provider_id || '' = $2`,
			`UPDATE devices SET last_seen_at = $1, last_seen_on = $3, updated_at = $1
FROM @given WHERE devices.id = given.device_id AND devices.organization_id = given.organization_id AND devices.provider_id || '' = $2`)
	}
	if parts&partGives != 0 {
		writes = append(writes, `UPDATE device_commands SET updated_at = $1, status = 'SENT', sent_at = $1, attempts = device_commands.attempts + 1
FROM @given WHERE device_commands.id = given.next AND device_commands.organization_id = given.organization_id AND device_commands.provider_id || '' = $2
  AND device_commands.status || '' IN ('PENDING', 'SENT', 'NOT_NOW')
RETURNING id`)
	}
	first := 3
	if parts&partSeen != 0 {
		first++
	}
	return database.NewWrites(engine, first, columns(), writes...)
}

// write is what steps are written by, in the context's transaction if there is
// one, with the others that come meanwhile if not. It answers whether the step's
// command was given out.
func (s *Service) write(ctx context.Context, t step) (given bool, err error) {
	provider, _, err := tenancy.One(ctx)
	if err != nil {
		return false, err
	}
	if _, within := database.TxFrom(ctx); !within {
		return s.steps.Do(ctx, provider, t)
	}
	outcomes, err := s.writeAll(ctx, provider, []step{t})
	if err != nil {
		return false, err
	}
	return outcomes[0].Value, nil
}

// stepAll writes steps within a provider in a transaction of their own.
func (s *Service) stepAll(ctx context.Context, provider string, steps []step) (outcomes []batch.Outcome[bool], err error) {
	ctx = Among(ctx, provider, steps, func(t step) string { return t.channel.OrganizationID })
	if s.DB.Dialect() == dialect.Postgres {
		return s.writeAll(ctx, provider, steps) // one statement
	}
	err = s.DB.InTx(ctx, func(ctx context.Context) (err error) {
		outcomes, err = s.writeAll(ctx, provider, steps)
		return err
	})
	return outcomes, err
}

// writeAll writes steps in the scope and the transaction of the context.
func (s *Service) writeAll(ctx context.Context, provider string, steps []step) ([]batch.Outcome[bool], error) {
	parts := 0
	for _, t := range steps {
		parts |= t.parts()
	}
	outcomes := make([]batch.Outcome[bool], len(steps))
	if parts == 0 {
		return outcomes, nil
	}
	now := s.now()
	leading := []any{now, provider}
	if parts&partSeen != 0 {
		leading = append(leading, now.Truncate(day))
	}
	var err error
	if parts&partGives != 0 {
		err = s.stepping[parts].Query(ctx, s.DB, steps, func(scan func(...any) error) error {
			var id string
			if err := scan(&id); err != nil {
				return err
			}
			// Of two requests of one device, one gets the command.
			first := slices.IndexFunc(steps, func(t step) bool { return t.next == id })
			outcomes[first].Value = true
			return nil
		}, leading...)
	} else {
		_, err = s.stepping[parts].Exec(ctx, s.DB, steps, leading...)
	}
	if err != nil {
		return nil, fmt.Errorf("write what devices have done: %w", err)
	}
	return outcomes, nil
}

// verdictOf is what a brief report makes of its command.
func verdictOf(status message.Status) devicecommand.Status {
	if status == message.NotNow {
		return devicecommand.StatusNotNow
	}
	return devicecommand.StatusAcknowledged
}
