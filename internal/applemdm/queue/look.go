package queue

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/tenancy"
)

// session is a channel that has been recognized, and what a look found.
type session struct {
	*ent.DeviceChannel
	next     *ent.DeviceCommand // what it is given next, as far as readBrief reads it; nil for none
	reported string             // the request type of the command that was reported on; empty for none of the channel's
}

// blank stands in a statement for a value that each run of it gives.
type blank string

// The blanks. Those of the tenant are filled from the scope.
const (
	blankKey          blank = "key"
	blankFingerprint  blank = "fingerprint"
	blankNow          blank = "now"
	blankToday        blank = "today"
	blankReported     blank = "reported"
	blankChannel      blank = "channel"
	blankCommand      blank = "command"
	blankProvider     blank = "?provider"
	blankOrganization blank = "?organization"
)

// statement is one that is built once, and filled in for each run: building it
// costs more than running it.
type statement struct {
	text   string
	blanks []any // a value, or a blank
}

// statements are those of an ordinary session.
type statements struct {
	polling, reporting statement // find a channel with its next command, for a device that polls and one that reports
	sighting           statement // writes that a channel was seen; empty on SQLite
	giving             statement // gives a command out
	ending, putOff     statement // keep that a command is over, or put off
}

func newStatements(engine string) (s statements, err error) {
	s.sighting = newSighting(engine)
	for _, each := range []struct {
		into  *statement
		built querier
	}{
		{&s.polling, channelAndNext(engine, true)}, {&s.reporting, channelAndNext(engine, false)},
		{&s.giving, givingOut(engine)}, {&s.ending, ending(engine, true)}, {&s.putOff, ending(engine, false)},
	} {
		if *each.into, err = newStatement(each.built); err != nil {
			return statements{}, err
		}
	}
	return s, nil
}

// newSighting is the statement that writes that a channel was seen, and its
// device if it is that device's own; PostgreSQL writes both in one. It names the
// tenant in both tables, as the guard would.
func newSighting(engine string) statement {
	if engine != dialect.Postgres {
		return statement{}
	}
	return statement{`WITH spoken AS (
  UPDATE device_channels SET last_seen_at = $1, updated_at = $1
  WHERE id = $2 AND organization_id = $3 AND provider_id = $4 RETURNING device_id, kind
) UPDATE devices SET last_seen_at = $1, last_seen_on = $5, updated_at = $1 FROM spoken
  WHERE devices.id = spoken.device_id AND spoken.kind = 'DEVICE' AND devices.organization_id = $3 AND devices.provider_id = $4`,
		[]any{blankNow, blankChannel, blankOrganization, blankProvider, blankToday}}
}

// givingOut is the statement that a command is given out by, while it waits.
func givingOut(engine string) *sql.UpdateBuilder {
	build := sql.Dialect(engine)
	q := build.Select().From(build.Table(devicecommand.Table))
	q.Where(sql.EQ(q.C(devicecommand.FieldID), blankCommand))
	Waiting(q)
	return build.Update(devicecommand.Table).Set(devicecommand.FieldUpdatedAt, blankNow).
		Set(devicecommand.FieldStatus, string(devicecommand.StatusSent)).Set(devicecommand.FieldSentAt, blankNow).
		Add(devicecommand.FieldAttempts, 1).FromSelect(confined(q))
}

// ending is the statement that keeps a brief report by, unless the command is
// unknown, never given out, or over. What is put off is not over.
func ending(engine string, over bool) *sql.UpdateBuilder {
	build := sql.Dialect(engine)
	q := build.Select().From(build.Table(devicecommand.Table))
	unended(q, blankReported, blankChannel)
	update := build.Update(devicecommand.Table).Set(devicecommand.FieldUpdatedAt, blankNow)
	if over {
		update.Set(devicecommand.FieldStatus, string(devicecommand.StatusAcknowledged)).
			Set(devicecommand.FieldResultAt, blankNow).SetNull(devicecommand.FieldErrorChain)
	} else {
		update.Set(devicecommand.FieldStatus, string(devicecommand.StatusNotNow))
	}
	return update.FromSelect(confined(q))
}

// unended keeps the command that a channel reports on, unless it was never given
// out, or is over: whether the CommandUUID and the channel's id are values or
// blanks.
func unended(q *sql.Selector, commandUUID, channelID any) {
	q.Where(sql.And(
		sql.EQ(q.C(devicecommand.FieldCommandUUID), commandUUID), sql.EQ(q.C(devicecommand.FieldChannelID), channelID),
		sql.GT(q.C(devicecommand.FieldAttempts), 0),
		sql.In(q.C(devicecommand.FieldStatus), string(devicecommand.StatusPending), string(devicecommand.StatusSent),
			string(devicecommand.StatusNotNow), string(devicecommand.StatusExpired)),
	))
}

// confined keeps what is selected to the organization of the scope, as the
// guard confines what ent sends.
func confined(q *sql.Selector) *sql.Selector {
	guard.Filter(guard.Organization, tenancy.ForOrganizations(tenancy.ServicePrincipal("device"), string(blankProvider), string(blankOrganization)))(q)
	return q
}

// querier is what ent's builders have in common.
type querier interface {
	Query() (string, []any)
	Err() error
}

// newStatement keeps what a builder has built.
func newStatement(q querier) (statement, error) {
	text, args := q.Query()
	for i, arg := range args {
		if text, ok := arg.(string); ok && (blank(text) == blankProvider || blank(text) == blankOrganization) {
			args[i] = blank(text)
		}
	}
	return statement{text, args}, q.Err()
}

// fill gives a statement's arguments for the scope in a context, which must be
// that of one organization.
func (s statement) fill(ctx context.Context, values map[blank]any) ([]any, error) {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return nil, err
	}
	organization, one := scope.Organization()
	if !one {
		return nil, errors.New("queue: a device is recognized in the scope of its organization")
	}
	args := make([]any, len(s.blanks))
	for i, arg := range s.blanks {
		switch b, _ := arg.(blank); b {
		case "":
			args[i] = arg
		case blankProvider:
			args[i] = scope.Provider()
		case blankOrganization:
			args[i] = organization
		default:
			args[i] = values[b]
		}
	}
	return args, nil
}

// channelAndNext finds what a session needs of a channel, whether its identity
// is revoked, its next command, and the request type of the one that is
// reported on.
func channelAndNext(engine string, polled bool) *sql.Selector {
	build := sql.Dialect(engine)
	q := build.Select().From(build.Table(devicechannel.Table))
	q.Select(q.Columns(
		devicechannel.FieldID, devicechannel.FieldOrganizationID, devicechannel.FieldProviderID, devicechannel.FieldDeviceID,
		devicechannel.FieldKind, devicechannel.FieldStatus, devicechannel.FieldFingerprint, devicechannel.FieldLastSeenAt,
	)...)
	q.Where(sql.EQ(q.C(devicechannel.FieldKey), blankKey))
	q.AppendSelectExpr(orEmpty(revoked(q, blankFingerprint)))
	commands := build.Table(devicecommand.Table)
	next := build.Select().AppendSelectExpr(inBrief(commands)).From(commands).
		Where(sql.ColumnsEQ(commands.C(devicecommand.FieldChannelID), q.C(devicechannel.FieldID)))
	offer(next, blankNow, polled)
	q.AppendSelectExpr(orEmpty(next))
	confined(q)
	if polled {
		return q
	}
	commands = build.Table(devicecommand.Table)
	return q.AppendSelectExpr(orEmpty(build.Select(commands.C(devicecommand.FieldRequestType)).From(commands).Where(sql.And(
		sql.ColumnsEQ(commands.C(guard.OrganizationColumn), q.C(guard.OrganizationColumn)),
		sql.ColumnsEQ(commands.C(devicecommand.FieldChannelID), q.C(devicechannel.FieldID)),
		sql.EQ(commands.C(devicecommand.FieldCommandUUID), blankReported),
	))))
}

// recognize is [Service.Recognize] for a report, which finds the next command
// and the one reported on in the same statement. A CommandUUID that is empty
// stands for none: then the device has polled.
func (s *Service) recognize(ctx context.Context, key, fingerprint, reported string) (*session, error) {
	statement := s.polling
	if reported != "" {
		statement = s.reporting
	}
	args, err := statement.fill(ctx, map[blank]any{
		blankKey: key, blankFingerprint: fingerprint, blankNow: s.now(), blankReported: reported,
	})
	if err != nil {
		return nil, err
	}
	found := &session{DeviceChannel: &ent.DeviceChannel{}}
	c := found.DeviceChannel
	var held stdsql.NullString
	var seen stdsql.NullTime
	var revoked, next string
	into := []any{&c.ID, &c.OrganizationID, &c.ProviderID, &c.DeviceID, &c.Kind, &c.Status, &held, &seen, &revoked, &next}
	if reported != "" {
		into = append(into, &found.reported)
	}
	switch ok, err := s.row(ctx, statement.text, args, into); {
	case err != nil:
		return nil, fmt.Errorf("recognize a device: %w", err)
	case !ok:
		return nil, errNoChannel
	}
	c.Fingerprint = held.String
	if seen.Valid {
		c.LastSeenAt = &seen.Time
	}
	found.next = readBrief(c, next)
	if err := s.judge(ctx, c, fingerprint, revoked != ""); err != nil {
		return nil, err
	}
	return found, nil
}

// exec runs a statement that writes, and answers how many rows it has changed.
func (s *Service) exec(ctx context.Context, statement statement, values map[blank]any) (int64, error) {
	args, err := statement.fill(ctx, values)
	if err != nil {
		return 0, err
	}
	var result stdsql.Result
	if err := s.DB.Driver().Exec(ctx, statement.text, args, &result); err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// row reads the one row that a query has, or none.
func (s *Service) row(ctx context.Context, query string, args, into []any) (found bool, err error) {
	var rows sql.Rows
	if err := s.DB.Driver().Query(ctx, query, args, &rows); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if !rows.Next() {
		return false, rows.Err()
	}
	return true, rows.Scan(into...)
}
