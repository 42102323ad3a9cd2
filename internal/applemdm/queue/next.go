package queue

import (
	"context"
	stdsql "database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/ent/deviceidentity"
	"github.com/bailiwick/bailiwick/internal/guard"
)

// Waiting keeps the commands that a device has not ended, in the words of the
// partial index device_command_waiting: only a literal condition lets a planner
// use it, so that a device's history costs nothing.
func Waiting(s *sql.Selector) {
	status := s.C(devicecommand.FieldStatus)
	s.Where(sql.ExprP("(" + status + " = 'PENDING' OR " + status + " = 'SENT' OR " + status + " = 'NOT_NOW')"))
}

// offer says which commands may be given out now.
type offer struct {
	at time.Time
	// polled: the device asks by itself, which begins a session. It may then be
	// given again what it has put off, and what it never answered.
	polled bool
}

func (o offer) where(s *sql.Selector) {
	Waiting(s)
	if !o.polled {
		s.Where(sql.EQ(s.C(devicecommand.FieldStatus), string(devicecommand.StatusPending)))
	}
	s.Where(sql.And(
		sql.Or(sql.IsNull(s.C(devicecommand.FieldNotBefore)), sql.LTE(s.C(devicecommand.FieldNotBefore), o.at)),
		sql.Or(sql.IsNull(s.C(devicecommand.FieldExpiresAt)), sql.GT(s.C(devicecommand.FieldExpiresAt), o.at)),
	))
	s.OrderBy(sql.Desc(s.C(devicecommand.FieldPriority)), s.C(devicecommand.FieldID)).Limit(1)
}

// look says what is to be found beside a channel.
type look struct {
	offer
	reported string // the CommandUUID of a report; empty for none
}

// session is a channel that has been recognized, and what a look found.
type session struct {
	*ent.DeviceChannel
	next     *ent.DeviceCommand // what it is given next, as far as readBrief reads it; nil for none
	reported string             // the request type of the command that was reported on; empty for none of the channel's
}

// The columns that recognize adds to a channel's.
const (
	columnNext     = "next_command"
	columnReported = "reported_command"
	columnRevoked  = "identity_revoked"
)

// looked are the columns of a channel that a session needs.
func looked() []string {
	return []string{
		devicechannel.FieldID, devicechannel.FieldOrganizationID, devicechannel.FieldProviderID, devicechannel.FieldDeviceID,
		devicechannel.FieldKind, devicechannel.FieldStatus, devicechannel.FieldFingerprint, devicechannel.FieldLastSeenAt,
	}
}

// Recognize finds the channel that a message belongs to: its key and its
// certificate must agree. Another certificate than the channel's is accepted,
// and is then the channel's, if it was issued to the same device: a renewal.
//
// The error is [ErrStranger] for anybody else, and [ErrUnenroll] for a device
// that is to leave.
func (s *Service) Recognize(ctx context.Context, key, fingerprint string) (*ent.DeviceChannel, error) {
	found, err := s.recognize(ctx, key, fingerprint, nil)
	if err != nil {
		return nil, err
	}
	return found.DeviceChannel, nil
}

// recognize is Recognize, and with a look finds the next command and the one
// reported on in the same statement.
func (s *Service) recognize(ctx context.Context, key, fingerprint string, l *look) (*session, error) {
	query := s.client.DeviceChannel.Query().Where(devicechannel.Key(key))
	if l != nil {
		query.Select(looked()...)
	}
	channel, err := query.Modify(func(q *sql.Selector) {
		build := sql.Dialect(q.Dialect())
		identity := build.Table(deviceidentity.Table)
		q.AppendSelectExprAs(orEmpty(build.Select(identity.C(deviceidentity.FieldID)).From(identity).Where(sql.And(
			sql.ColumnsEQ(identity.C(guard.OrganizationColumn), q.C(guard.OrganizationColumn)),
			sql.EQ(identity.C(deviceidentity.FieldFingerprint), fingerprint),
			sql.NotNull(identity.C(deviceidentity.FieldRevokedAt)),
		))), columnRevoked)
		if l == nil {
			return
		}
		commands := build.Table(devicecommand.Table)
		next := build.Select().AppendSelectExpr(inBrief(commands)).From(commands).
			Where(sql.ColumnsEQ(commands.C(devicecommand.FieldChannelID), q.C(devicechannel.FieldID)))
		l.where(next)
		q.AppendSelectExprAs(orEmpty(next), columnNext)
		if l.reported == "" {
			return
		}
		commands = build.Table(devicecommand.Table)
		q.AppendSelectExprAs(orEmpty(build.Select(commands.C(devicecommand.FieldRequestType)).From(commands).Where(sql.And(
			sql.ColumnsEQ(commands.C(guard.OrganizationColumn), q.C(guard.OrganizationColumn)),
			sql.ColumnsEQ(commands.C(devicecommand.FieldChannelID), q.C(devicechannel.FieldID)),
			sql.EQ(commands.C(devicecommand.FieldCommandUUID), l.reported),
		))), columnReported)
	}).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, fmt.Errorf("%w: no channel of this key", ErrStranger)
	}
	if err != nil {
		return nil, err
	}
	found := &session{DeviceChannel: channel}
	if l != nil {
		next, err := added(channel, columnNext)
		if err != nil {
			return nil, err
		}
		found.next = readBrief(channel, next)
	}
	if l != nil && l.reported != "" {
		if found.reported, err = added(channel, columnReported); err != nil {
			return nil, err
		}
	}
	revoked, err := added(channel, columnRevoked)
	if err != nil {
		return nil, err
	}
	if channel.Fingerprint != fingerprint {
		if err := s.renewed(ctx, channel, fingerprint); err != nil {
			return nil, err
		}
	}
	switch {
	case revoked != "":
		return nil, fmt.Errorf("%w: its identity is revoked", ErrUnenroll)
	case channel.Status == devicechannel.StatusCheckedOut:
		return nil, fmt.Errorf("%w: it has checked out", ErrStranger)
	}
	return found, nil
}

// inBrief is what giving a command out takes, as one text: its id, CommandUUID,
// request type and arguments, none of which but the last holds a space.
func inBrief(commands *sql.SelectTable) sql.Querier {
	return sql.ExprFunc(func(b *sql.Builder) {
		for _, column := range []string{devicecommand.FieldID, devicecommand.FieldCommandUUID, devicecommand.FieldRequestType} {
			b.Ident(commands.C(column)).WriteString(" || ' ' || ")
		}
		b.WriteString("COALESCE(CAST(").Ident(commands.C(devicecommand.FieldArguments)).WriteString(" AS TEXT), '')")
	})
}

// readBrief reads what inBrief wrote. Sealed arguments are not in it.
func readBrief(channel *ent.DeviceChannel, text string) *ent.DeviceCommand {
	if text == "" {
		return nil
	}
	c := &ent.DeviceCommand{OrganizationID: channel.OrganizationID, ProviderID: channel.ProviderID, ChannelID: channel.ID, DeviceID: channel.DeviceID}
	var arguments string
	c.ID, text, _ = strings.Cut(text, " ")
	c.CommandUUID, text, _ = strings.Cut(text, " ")
	c.RequestType, arguments, _ = strings.Cut(text, " ")
	c.Arguments = json.RawMessage(arguments)
	return c
}

// orEmpty is a text that a subquery finds, or the empty text: drivers do not
// tell the type of a column that is null.
func orEmpty(subquery sql.Querier) sql.Querier {
	return sql.ExprFunc(func(b *sql.Builder) { b.S("COALESCE((").Join(subquery).S("), '')") })
}

// added is the value of a column that recognize has added.
func added(channel *ent.DeviceChannel, column string) (string, error) {
	value, err := channel.Value(column)
	if err != nil {
		return "", err
	}
	switch v := value.(type) {
	case *stdsql.NullString:
		return v.String, nil
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	}
	return "", fmt.Errorf("queue: column %s is a %T", column, value)
}
