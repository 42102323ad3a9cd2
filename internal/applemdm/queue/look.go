package queue

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/batch"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/tenancy"
)

// look is what a device says of itself, by which its session is found.
type look struct {
	organization string
	key          string // of the channel
	fingerprint  string // of the certificate behind the message
	reported     string // the CommandUUID that is reported on; empty for a device that polls
}

// session is a channel that has been recognized, and what a look found.
type session struct {
	*ent.DeviceChannel
	next     *ent.DeviceCommand // what it is given next, as far as readBrief reads it; nil for none
	reported string             // the request type of the command that was reported on; empty for none of the channel's
	revoked  bool               // its certificate
}

// looked are the looks of a statement.
var looked = database.Rows{Name: "looked", Texts: []string{"organization_id", "key", "fingerprint", "reported"}}

// looking is the statement that finds the sessions of many looks: $1 is now, and
// $2 the provider. It names the tenant in every table, as the guard would.
//
// A device that has polled asks by itself, which begins a session: it may be given
// again what it has put off, and what it never answered. The condition on the
// status is in the words of the partial index device_command_waiting: only a
// literal one lets a planner use it, so that a device's history costs nothing.
func looking(engine string) string {
	// A planner that knows the table to be small would read all of it.
	channel := `, LATERAL (SELECT * FROM device_channels c
  WHERE c.organization_id = looked.organization_id AND c.provider_id = $2 AND c.key = looked.key LIMIT 1) AS c`
	if engine != dialect.Postgres {
		channel = ` JOIN device_channels c ON c.organization_id = looked.organization_id AND c.provider_id = $2 AND c.key = looked.key`
	}
	return `SELECT looked.n, c.id, c.device_id, c.kind, c.status, c.fingerprint, c.last_seen_at,
COALESCE((SELECT i.id FROM device_identities i
  WHERE i.organization_id = c.organization_id AND i.fingerprint = looked.fingerprint AND i.revoked_at IS NOT NULL), ''),
COALESCE((SELECT d.id || ' ' || d.command_uuid || ' ' || d.request_type || ' ' || COALESCE(CAST(d.arguments AS TEXT), '') FROM device_commands d
  WHERE d.channel_id = c.id AND d.organization_id = c.organization_id
    AND (d.status = 'PENDING' OR d.status = 'SENT' OR d.status = 'NOT_NOW') AND (looked.reported = '' OR d.status = 'PENDING')
    AND (d.not_before IS NULL OR d.not_before <= $1) AND (d.expires_at IS NULL OR d.expires_at > $1)
  ORDER BY d.priority DESC, d.id LIMIT 1), ''),
COALESCE((SELECT d.request_type FROM device_commands d
  WHERE looked.reported <> '' AND d.organization_id = c.organization_id AND d.command_uuid = looked.reported AND d.channel_id = c.id), '')
FROM ` + looked.SQL(engine, 3) + channel
}

// recognize is [Service.Recognize] for a report, which finds the next command
// and the one reported on in the same statement, and shares it with the reports
// that come meanwhile. A CommandUUID that is empty stands for none: then the
// device has polled.
func (s *Service) recognize(ctx context.Context, key, fingerprint, reported string) (*session, error) {
	provider, organization, err := tenantOf(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.looks.Do(ctx, provider, look{organization, key, fingerprint, reported})
	if err != nil {
		return nil, err
	}
	if err := s.judge(ctx, found.DeviceChannel, fingerprint, found.revoked); err != nil {
		return nil, err
	}
	return found, nil
}

// tenantOf is the provider and the organization of a scope, which must be that of
// one organization.
func tenantOf(ctx context.Context) (provider, organization string, err error) {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return "", "", err
	}
	organization, one := scope.Organization()
	if !one {
		return "", "", errors.New("queue: a device is served in the scope of its organization")
	}
	return scope.Provider(), organization, nil
}

// together is the scope of devices of some of a provider's organizations.
func together(ctx context.Context, provider string, organizations []string) context.Context {
	return tenancy.With(ctx, tenancy.ForOrganizations(tenancy.ServicePrincipal("device"), provider, organizations...))
}

// lookAll finds the sessions of looks within a provider. It is errNoChannel for
// one that has none.
func (s *Service) lookAll(ctx context.Context, provider string, looks []look) ([]batch.Outcome[*session], error) {
	columns := make([][]string, len(looked.Texts))
	for _, l := range looks {
		for i, value := range []string{l.organization, l.key, l.fingerprint, l.reported} {
			columns[i] = append(columns[i], value)
		}
	}
	given, err := looked.Args(s.DB.Dialect(), columns)
	if err != nil {
		return nil, err
	}
	outcomes := make([]batch.Outcome[*session], len(looks))
	for i := range outcomes {
		outcomes[i].Err = errNoChannel
	}
	err = s.rows(together(ctx, provider, columns[0]), s.looking, append([]any{s.now(), provider}, given...), func(rows *sql.Rows) error {
		c := &ent.DeviceChannel{ProviderID: provider}
		found := &session{DeviceChannel: c}
		var n int
		var held stdsql.NullString
		var seen stdsql.NullTime
		var revoked, next string
		if err := rows.Scan(&n, &c.ID, &c.DeviceID, &c.Kind, &c.Status, &held, &seen, &revoked, &next, &found.reported); err != nil {
			return err
		}
		c.OrganizationID, c.Fingerprint = looks[n-1].organization, held.String
		if seen.Valid {
			c.LastSeenAt = &seen.Time
		}
		found.next, found.revoked = readBrief(c, next), revoked != ""
		outcomes[n-1] = batch.Outcome[*session]{Value: found}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("recognize devices: %w", err)
	}
	return outcomes, nil
}

// rows runs a statement and reads each of its rows.
func (s *Service) rows(ctx context.Context, statement string, args []any, read func(*sql.Rows) error) (err error) {
	var rows sql.Rows
	if err := s.DB.Driver().Query(ctx, statement, args, &rows); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := read(&rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
