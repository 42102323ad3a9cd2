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

// offer finds the command that may be given out at a time, in the midst of a
// session: see looking, which does the same for sessions that begin.
func offer(s *sql.Selector, at time.Time) {
	Waiting(s)
	s.Where(sql.And(
		sql.EQ(s.C(devicecommand.FieldStatus), string(devicecommand.StatusPending)),
		sql.Or(sql.IsNull(s.C(devicecommand.FieldNotBefore)), sql.LTE(s.C(devicecommand.FieldNotBefore), at)),
		sql.Or(sql.IsNull(s.C(devicecommand.FieldExpiresAt)), sql.GT(s.C(devicecommand.FieldExpiresAt), at)),
	))
	s.OrderBy(sql.Desc(s.C(devicecommand.FieldPriority)), s.C(devicecommand.FieldID)).Limit(1)
}

// columnRevoked is added to a channel's columns.
const columnRevoked = "identity_revoked"

// errNoChannel is a key that no channel has.
var errNoChannel = fmt.Errorf("%w: no channel of this key", ErrStranger)

// Recognize finds the channel that a message belongs to: its key and its
// certificate must agree. Another certificate than the channel's is accepted,
// and is then the channel's, if it was issued to the same device: a renewal.
//
// The error is [ErrStranger] for anybody else, [ErrUnenroll] for a device that is
// to leave, and [ErrReplayed].
func (s *Service) Recognize(ctx context.Context, key string, by Sender) (*ent.DeviceChannel, error) {
	channel, err := s.client.DeviceChannel.Query().Where(devicechannel.Key(key)).Modify(func(q *sql.Selector) {
		q.AppendSelectExprAs(orEmpty(revoked(q, by.Fingerprint)), columnRevoked)
	}).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, errNoChannel
	}
	if err != nil {
		return nil, err
	}
	revoked, err := added(channel, columnRevoked)
	if err != nil {
		return nil, err
	}
	if err := s.judge(ctx, channel, by, revoked != ""); err != nil {
		return nil, err
	}
	return channel, nil
}

// judge says whether a channel's message is heard.
func (s *Service) judge(ctx context.Context, channel *ent.DeviceChannel, by Sender, revoked bool) error {
	if channel.Fingerprint != by.Fingerprint {
		if err := s.renewed(ctx, channel, by.Fingerprint); err != nil {
			return err
		}
	}
	switch {
	case revoked:
		return fmt.Errorf("%w: its identity is revoked", ErrUnenroll)
	case channel.Status == devicechannel.StatusCheckedOut:
		return fmt.Errorf("%w: it has checked out", ErrStranger)
	case channel.Status != devicechannel.StatusRemoved && by.replayed(channel, s.now()): // who is to leave is told in any case
		return ErrReplayed
	}
	return nil
}

// revoked finds the identity of a fingerprint in a channel's organization, if
// it has been revoked.
func revoked(channels *sql.Selector, fingerprint any) *sql.Selector {
	build := sql.Dialect(channels.Dialect())
	identity := build.Table(deviceidentity.Table)
	return build.Select(identity.C(deviceidentity.FieldID)).From(identity).Where(sql.And(
		sql.ColumnsEQ(identity.C(guard.OrganizationColumn), channels.C(guard.OrganizationColumn)),
		sql.EQ(identity.C(deviceidentity.FieldFingerprint), fingerprint),
		sql.NotNull(identity.C(deviceidentity.FieldRevokedAt)),
	))
}

// readBrief reads what giving a command out takes, as looking answers it in one
// text: its id, CommandUUID, request type and arguments, none of which but the last
// holds a space. Sealed arguments are not in it.
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
