package queue

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/internal/applemdm/message"
	"github.com/bailiwick/bailiwick/internal/batch"
	"github.com/bailiwick/bailiwick/internal/database"
)

// step is what an ordinary session writes, all of it or nothing.
type step struct {
	channel *ent.DeviceChannel
	// reported is the CommandUUID of the channel's command that has ended, as
	// verdict says; empty for none. One that was never given out, or is over, stays
	// as it is.
	reported string
	verdict  devicecommand.Status // ACKNOWLEDGED or NOT_NOW
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

// stepped are the steps of a statement. What a step leaves out is empty.
var stepped = database.Rows{Name: "stepped", Texts: []string{"organization_id", "channel_id", "device_id", "reported", "verdict", "next"}}

func (t step) columns() []string {
	c := t.channel
	columns := []string{c.OrganizationID, "", "", t.reported, string(t.verdict), t.next}
	if t.reported != "" || t.seen {
		columns[1] = c.ID
	}
	if t.seen && c.Kind == devicechannel.KindDevice {
		columns[2] = c.DeviceID
	}
	return columns
}

// stepping are the statements that write steps with certain parts: one on
// PostgreSQL, and one for each table on SQLite, which has none that writes two. $1
// is now, $2 the provider, and the one after the steps the day. They name the
// tenant in every table, as the guard would, and the last one answers the ids of
// the commands that were given out.
func stepping(engine string, parts int) []string {
	var writes []string
	if parts&partEnds != 0 {
		writes = append(writes, `UPDATE device_commands SET updated_at = $1, status = stepped.verdict,
  result_at = CASE WHEN stepped.verdict = 'ACKNOWLEDGED' THEN $1 ELSE device_commands.result_at END,
  error_chain = CASE WHEN stepped.verdict = 'ACKNOWLEDGED' THEN NULL ELSE device_commands.error_chain END
FROM @steps WHERE stepped.reported <> '' AND device_commands.organization_id = stepped.organization_id AND device_commands.provider_id = $2
  AND device_commands.command_uuid = stepped.reported AND device_commands.channel_id = stepped.channel_id
  AND device_commands.attempts > 0 AND device_commands.status IN ('PENDING', 'SENT', 'NOT_NOW', 'EXPIRED')`)
	}
	if parts&partSeen != 0 {
		writes = append(writes, `UPDATE device_channels SET last_seen_at = $1, updated_at = $1
FROM @steps WHERE device_channels.id = stepped.channel_id AND device_channels.organization_id = stepped.organization_id AND device_channels.provider_id = $2`,
			`UPDATE devices SET last_seen_at = $1, last_seen_on = @day, updated_at = $1
FROM @steps WHERE devices.id = stepped.device_id AND devices.organization_id = stepped.organization_id AND devices.provider_id = $2`)
	}
	if parts&partGives != 0 {
		writes = append(writes, `UPDATE device_commands SET updated_at = $1, status = 'SENT', sent_at = $1, attempts = device_commands.attempts + 1
FROM @steps WHERE device_commands.id = stepped.next AND device_commands.organization_id = stepped.organization_id AND device_commands.provider_id = $2
  AND (device_commands.status = 'PENDING' OR device_commands.status = 'SENT' OR device_commands.status = 'NOT_NOW')
RETURNING id`)
	}
	day := "$" + strconv.Itoa(3+stepped.Count(engine))
	if engine != dialect.Postgres {
		fill := strings.NewReplacer("@steps", stepped.SQL(engine, 3), "@day", day)
		for i := range writes {
			writes[i] = fill.Replace(writes[i])
		}
		return writes
	}
	fill := strings.NewReplacer("@steps", "stepped", "@day", day)
	last := len(writes) - 1
	named := []string{"WITH stepped AS (SELECT * FROM " + stepped.SQL(engine, 3) + ")"}
	for i, write := range writes[:last] {
		named = append(named, fmt.Sprintf("write%d AS (%s)", i, fill.Replace(write)))
	}
	return []string{strings.Join(named, ", ") + " " + fill.Replace(writes[last])}
}

// write is what steps are written by, in the context's transaction if there is
// one, with the others that come meanwhile if not. It answers whether the step's
// command was given out.
func (s *Service) write(ctx context.Context, t step) (given bool, err error) {
	provider, _, err := tenantOf(ctx)
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
	organizations := make([]string, len(steps))
	for i, t := range steps {
		organizations[i] = t.channel.OrganizationID
	}
	ctx = together(ctx, provider, organizations)
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
	columns := make([][]string, len(stepped.Texts))
	parts := 0
	for _, t := range steps {
		parts |= t.parts()
		for i, value := range t.columns() {
			columns[i] = append(columns[i], value)
		}
	}
	outcomes := make([]batch.Outcome[bool], len(steps))
	if parts == 0 {
		return outcomes, nil
	}
	rows, err := stepped.Args(s.DB.Dialect(), columns)
	if err != nil {
		return nil, err
	}
	now := s.now()
	args := append([]any{now, provider}, rows...)
	if parts&partSeen != 0 {
		args = append(args, now.Truncate(day))
	}
	for i, statement := range s.stepping[parts] {
		if parts&partGives == 0 || i < len(s.stepping[parts])-1 {
			if err := s.DB.Driver().Exec(ctx, statement, args, nil); err != nil {
				return nil, fmt.Errorf("write what devices have done: %w", err)
			}
			continue
		}
		err := s.rows(ctx, statement, args, func(rows *sql.Rows) error {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			// Of two requests of one device, one gets the command.
			first := slices.IndexFunc(steps, func(t step) bool { return t.next == id })
			outcomes[first].Value = true
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("write what devices have done: %w", err)
		}
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
