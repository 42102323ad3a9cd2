package queue

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/database"
)

// post is a command that is to wait for its device.
type post struct {
	*ent.DeviceCommand
	event *ent.SystemLogEvent // that tells of it; nil for none
}

// term is when a command may be given out.
type term struct{ from, until time.Time }

func (p post) term() (t term) {
	if p.NotBefore != nil {
		t.from = *p.NotBefore
	}
	if p.ExpiresAt != nil {
		t.until = *p.ExpiresAt
	}
	return t
}

// later reports whether it is not for now.
func (p post) later() bool { return p.NotBefore != nil && p.NotBefore.After(p.CreatedAt) }

// posting queues commands, with the events that tell of them and, if that is
// asked, with the mark that their devices are to be notified: $1 is now, $2 the
// provider, $3 and $4 when they may be given out. It answers the ids of those that
// it has queued: a channel that has left gets none.
func posting(engine string, notify bool) database.Writes[post] {
	enrolled := `@given JOIN device_channels AS c ON c.id = given.channel AND c.organization_id = given.organization
  AND c.provider_id || '' = $2 AND c.status || '' = 'ENROLLED'`
	writes := []string{
		audit.Insertion(engine, enrolled),
		`INSERT INTO device_commands (id, organization_id, provider_id, created_at, updated_at, device_id, channel_id, command_uuid, request_type,
arguments, sealed_arguments, priority, not_before, expires_at, inventory, job_id)
SELECT given.id, given.organization, $2, $1, $1, given.device, given.channel, given.command_uuid, given.request_type,
` + database.JSON(engine, "given.arguments") + `, CASE WHEN length(given.sealed) > 0 THEN given.sealed END,
CAST(given.priority AS BIGINT), $3, $4, given.inventory = 'true', NULLIF(given.job, '')
FROM ` + enrolled + ` RETURNING id`,
	}
	if notify {
		writes = append([]string{`UPDATE device_channels SET push_wanted_at = $1, updated_at = $1 FROM @given
WHERE device_channels.id = given.channel AND device_channels.organization_id = given.organization AND device_channels.provider_id || '' = $2`}, writes...)
	}
	return database.NewWrites(engine, 5, append([]database.Column[post]{
		{Name: "id", Text: func(p post) string { return p.ID }},
		{Name: "organization", Text: func(p post) string { return p.OrganizationID }},
		{Name: "device", Text: func(p post) string { return p.DeviceID }},
		{Name: "channel", Text: func(p post) string { return p.ChannelID }},
		{Name: "command_uuid", Text: func(p post) string { return p.CommandUUID }},
		{Name: "request_type", Text: func(p post) string { return p.RequestType }},
		{Name: "arguments", Text: func(p post) string { return string(p.Arguments) }},
		{Name: "sealed", Data: func(p post) []byte { return p.SealedArguments }},
		{Name: "priority", Text: func(p post) string { return strconv.Itoa(p.Priority) }},
		{Name: "inventory", Text: func(p post) string { return strconv.FormatBool(p.Inventory) }},
		{Name: "job", Text: func(p post) string {
			if p.JobID == nil {
				return ""
			}
			return *p.JobID
		}},
	}, audit.Columns(func(p post) *ent.SystemLogEvent { return p.event })...), writes...)
}

// post queues commands by a statement, in the context's transaction if there is one,
// and answers which it has queued, by id. It is one statement for all that may be
// given out at the same time. Nobody is notified of what is for later.
func (s *Service) post(ctx context.Context, posts []post, statement database.Writes[post]) (queued map[string]bool, err error) {
	var terms []term
	parts := map[term][]post{}
	for _, p := range posts {
		t := p.term()
		if parts[t] == nil {
			terms = append(terms, t)
		}
		parts[t] = append(parts[t], p)
	}
	queued = make(map[string]bool, len(posts))
	for _, t := range terms {
		part, statement := parts[t], statement
		if part[0].later() {
			statement = s.posting
		}
		err := statement.Query(ctx, s.DB, part, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			queued[id] = true
			return err
		}, part[0].CreatedAt, part[0].ProviderID, part[0].NotBefore, part[0].ExpiresAt)
		if err != nil {
			return nil, fmt.Errorf("queue commands: %w", err)
		}
	}
	return queued, nil
}
