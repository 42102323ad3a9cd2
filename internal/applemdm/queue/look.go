package queue

import (
	"context"
	stdsql "database/sql"
	"fmt"

	"entgo.io/ent/dialect"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/batch"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/tenancy"
)

// look is what a device says of itself, by which its session is found.
type look struct {
	organization string
	key          string // of the channel
	by           Sender
	reported     string // the CommandUUID that is reported on; empty for a device that polls
}

// session is a channel that has been recognized, and what a look found.
type session struct {
	*ent.DeviceChannel
	by       Sender
	next     *ent.DeviceCommand // what it is given next, as far as readBrief reads it; nil for none
	reported string             // the request type of the command that was reported on; empty for none of the channel's
	revoked  bool               // its certificate
}

// looking is the statement that finds the sessions of many looks: $1 is now, and
// $2 the provider. It names the tenant in every table, as the guard would.
//
// A device that has polled asks by itself, which begins a session: it may be given
// again what it has put off, and what it never answered. The condition on the
// status is in the words of the partial index device_command_waiting: only a
// literal one lets a planner use it, so that a device's history costs nothing.
func looking(engine string) database.Statement[look] {
	// A planner that knows the table to be small would read all of it.
	channel := `, LATERAL (SELECT * FROM device_channels c
  WHERE c.organization_id = given.organization_id AND c.provider_id = $2 AND c.key = given.key LIMIT 1) AS c`
	if engine != dialect.Postgres {
		channel = ` JOIN device_channels c ON c.organization_id = given.organization_id AND c.provider_id = $2 AND c.key = given.key`
	}
	return database.NewStatement(engine, 3, []database.Column[look]{
		{Name: "organization_id", Text: func(l look) string { return l.organization }},
		{Name: "key", Text: func(l look) string { return l.key }},
		{Name: "fingerprint", Text: func(l look) string { return l.by.Fingerprint }},
		{Name: "reported", Text: func(l look) string { return l.reported }},
	}, func(given string) string {
		return `SELECT given.n, c.id, c.device_id, c.kind, c.status, c.fingerprint, c.last_seen_at, c.signed_second,
COALESCE((SELECT i.id FROM device_identities i
  WHERE i.organization_id = c.organization_id AND i.fingerprint = given.fingerprint AND i.revoked_at IS NOT NULL), ''),
COALESCE((SELECT d.id || ' ' || d.command_uuid || ' ' || d.request_type || ' ' || COALESCE(CAST(d.arguments AS TEXT), '') FROM device_commands d
  WHERE d.channel_id = c.id AND d.organization_id = c.organization_id
    AND (d.status = 'PENDING' OR d.status = 'SENT' OR d.status = 'NOT_NOW') AND (given.reported = '' OR d.status = 'PENDING')
    AND (d.not_before IS NULL OR d.not_before <= $1) AND (d.expires_at IS NULL OR d.expires_at > $1)
  ORDER BY d.priority DESC, d.id LIMIT 1), ''),
COALESCE((SELECT d.request_type FROM device_commands d
  WHERE given.reported <> '' AND d.organization_id = c.organization_id AND d.command_uuid = given.reported AND d.channel_id = c.id), '')
FROM ` + given + channel
	})
}

// recognize is [Service.Recognize] for a report, which finds the next command
// and the one reported on in the same statement, and shares it with the reports
// that come meanwhile. A CommandUUID that is empty stands for none: then the
// device has polled.
func (s *Service) recognize(ctx context.Context, key string, by Sender, reported string) (*session, error) {
	provider, organization, err := tenancy.One(ctx)
	if err != nil {
		return nil, err
	}
	asked := look{organization, key, by, reported}
	found, err := s.looks.Do(ctx, provider, asked)
	if err != nil {
		return nil, err
	}
	if err := s.judge(ctx, found.DeviceChannel, by, found.revoked); err != nil {
		return nil, err
	}
	if found.Fingerprint != by.Fingerprint { // its identity is renewed, which it may have been about to be told again
		return s.looks.Do(ctx, provider, asked)
	}
	return found, nil
}

// Among returns a context in which those of a provider's organizations are in reach
// that devices' messages are for which are worked together, and no other.
func Among[I any](ctx context.Context, provider string, items []I, organization func(I) string) context.Context {
	organizations := make([]string, len(items))
	for i, item := range items {
		organizations[i] = organization(item)
	}
	return tenancy.With(ctx, tenancy.ForOrganizations(tenancy.ServicePrincipal("device"), provider, organizations...))
}

// lookAll finds the sessions of looks within a provider. It is errNoChannel for
// one that has none.
func (s *Service) lookAll(ctx context.Context, provider string, looks []look) ([]batch.Outcome[*session], error) {
	ctx = Among(ctx, provider, looks, func(l look) string { return l.organization })
	outcomes := make([]batch.Outcome[*session], len(looks))
	for i := range outcomes {
		outcomes[i].Err = errNoChannel
	}
	err := s.looking.Query(ctx, s.DB, looks, func(scan func(...any) error) error {
		c := &ent.DeviceChannel{ProviderID: provider}
		found := &session{DeviceChannel: c}
		var n int
		var held stdsql.NullString
		var seen stdsql.NullTime
		var revoked, next string
		if err := scan(&n, &c.ID, &c.DeviceID, &c.Kind, &c.Status, &held, &seen, &c.SignedSecond, &revoked, &next, &found.reported); err != nil {
			return err
		}
		c.OrganizationID, c.Fingerprint, found.by = looks[n-1].organization, held.String, looks[n-1].by
		if seen.Valid {
			c.LastSeenAt = &seen.Time
		}
		found.next, found.revoked = readBrief(c, next), revoked != ""
		outcomes[n-1] = batch.Outcome[*session]{Value: found}
		return nil
	}, s.now(), provider)
	if err != nil {
		return nil, fmt.Errorf("recognize devices: %w", err)
	}
	return outcomes, nil
}
