package membership

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/internal/applemdm/message"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/batch"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/tenancy"
)

// finisher is a device that may complete its enrolment with a TokenUpdate.
type finisher struct {
	*message.TokenUpdate
	organization string
	by           queue.Sender

	channel *ent.DeviceChannel // its id, its device's and its tenant, once it is known to be awaited
	signed  int64              // see [queue.Sender.Signed]
	unlock  []byte             // the unlock token, sealed; empty for none
}

func (f *finisher) tenant() string { return f.organization }

// completion are the statements that complete enrolments: $1 is the provider, and
// of what is written $2 now, and $3 the day.
type completion struct {
	awaited database.Statement[*finisher]
	written database.Writes[*finisher] // answers how many channels it has written
}

func newCompletion(engine string) completion {
	organization := database.Column[*finisher]{Name: "organization", Text: (*finisher).tenant}
	fingerprint := database.Column[*finisher]{Name: "fingerprint", Text: func(f *finisher) string { return f.by.Fingerprint }}
	return completion{
		// As Recognize and its callers judge, but for renewals.
		awaited: database.NewStatement(engine, 2, []database.Column[*finisher]{
			organization, fingerprint,
			{Name: "channel_key", Text: func(f *finisher) string { return f.DeviceID() }},
			{Name: "topic", Text: func(f *finisher) string { return f.Topic }},
		}, func(given string) string {
			return `SELECT n, c.id, c.device_id FROM ` + given + `
JOIN device_channels AS c ON c.organization_id = given.organization AND c.provider_id || '' = $1 AND c.key = given.channel_key
WHERE c.status = 'AUTHENTICATED' AND c.kind = 'DEVICE' AND c.fingerprint = given.fingerprint AND c.topic = given.topic
AND NOT EXISTS (SELECT 1 FROM device_identities AS i WHERE i.organization_id = given.organization AND i.provider_id || '' = $1
  AND i.fingerprint = given.fingerprint AND i.revoked_at IS NOT NULL)`
		}),
		written: database.NewWrites(engine, 4, []database.Column[*finisher]{
			organization, fingerprint,
			{Name: "channel", Text: func(f *finisher) string { return f.channel.ID }},
			{Name: "device", Text: func(f *finisher) string { return f.channel.DeviceID }},
			{Name: "signed", Text: func(f *finisher) string { return strconv.FormatInt(f.signed, 10) }},
			{Name: "magic", Text: func(f *finisher) string { return f.PushMagic }},
			{Name: "token", Data: func(f *finisher) []byte { return f.Token }},
			{Name: "unlock", Data: func(f *finisher) []byte { return f.unlock }},
		}, `UPDATE devices SET enrolled = true, first_enrolled_at = COALESCE(devices.first_enrolled_at, $2), last_enrolled_at = $2,
last_seen_at = $2, last_seen_on = $3, checkout_at = NULL, missing_since = NULL, updated_at = $2,
certificate_not_after = (SELECT i.not_after FROM device_identities AS i
  WHERE i.organization_id = given.organization AND i.provider_id || '' = $1 AND i.fingerprint = given.fingerprint) FROM @given
WHERE devices.id = given.device AND devices.organization_id = given.organization AND devices.provider_id || '' = $1`,
			`UPDATE device_channels SET status = 'ENROLLED', push_token = given.token, push_magic = given.magic, push_dead = false,
unlock_token = CASE WHEN length(given.unlock) > 0 THEN given.unlock ELSE device_channels.unlock_token END,
last_seen_at = $2, signed_second = CAST(given.signed AS BIGINT), arrived_at = $2, updated_at = $2 FROM @given
WHERE device_channels.id = given.channel AND device_channels.organization_id = given.organization AND device_channels.provider_id || '' = $1
AND device_channels.status || '' = 'AUTHENTICATED' AND device_channels.fingerprint = given.fingerprint`),
	}
}

// completed completes the enrolment of a device that has just begun it, together
// with others, and answers its channel. It is nil for any other device, of which
// nothing is changed, and for a message that says more than an ordinary one.
func (s *Service) completed(ctx context.Context, by queue.Sender, m *message.TokenUpdate) (*ent.DeviceChannel, error) {
	provider, organization, err := tenancy.One(ctx)
	if err != nil || m.ChannelUserID() != "" || m.AwaitingConfiguration != nil {
		return nil, err
	}
	channel, err := s.finishers.Do(ctx, provider, &finisher{TokenUpdate: m, organization: organization, by: by})
	if s.undone(ctx, err) {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	return channel, err
}

// completeAll works devices together that may complete their enrolment, and
// answers the channels of those that have.
func (s *Service) completeAll(ctx context.Context, provider string, items []*finisher) ([]batch.Outcome[*ent.DeviceChannel], error) {
	ctx = queue.Among(ctx, provider, items, (*finisher).tenant)
	awaited, err := s.awaited(ctx, provider, items)
	if err != nil {
		return nil, err
	}
	awaited = s.lock(ctx, awaited)
	outcomes := make([]batch.Outcome[*ent.DeviceChannel], len(items))
	if len(awaited) == 0 {
		return outcomes, nil
	}
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		now := s.now()
		written, err := s.completion.written.Exec(ctx, s.DB, awaited, provider, now, now.Truncate(24*time.Hour))
		if err != nil {
			return fmt.Errorf("complete enrolments: %w", err)
		}
		if written != int64(len(awaited)) {
			return errOvertaken
		}
		return nil
	})
	for i, f := range items {
		if slices.Contains(awaited, f) {
			outcomes[i].Value = f.channel
		}
	}
	return outcomes, err
}

// awaited keeps the devices whose enrolment has begun, and is to be completed,
// with their channels: one of those that speak of the same.
func (s *Service) awaited(ctx context.Context, provider string, items []*finisher) (awaited []*finisher, err error) {
	known := map[string]bool{}
	err = s.completion.awaited.Query(ctx, s.DB, items, func(scan func(...any) error) error {
		var at int
		channel := &ent.DeviceChannel{ProviderID: provider, Kind: devicechannel.KindDevice}
		if err := scan(&at, &channel.ID, &channel.DeviceID); err != nil {
			return err
		}
		if f := items[at-1]; !known[channel.ID] {
			known[channel.ID] = true
			channel.OrganizationID, f.channel = f.organization, channel
			f.signed = f.by.Signed(channel, s.now()) // the first that counts with this identity
			awaited = append(awaited, f)
		}
		return nil
	}, provider)
	if err != nil {
		return nil, fmt.Errorf("look for enrolments: %w", err)
	}
	slices.SortFunc(awaited, func(a, b *finisher) int { return strings.Compare(a.channel.ID, b.channel.ID) })
	return awaited, nil
}

// lock seals the unlock tokens of devices. Whose cannot be sealed is left out:
// its message fails by itself.
func (s *Service) lock(ctx context.Context, items []*finisher) []*finisher {
	return slices.DeleteFunc(items, func(f *finisher) bool {
		if len(f.UnlockToken) == 0 {
			return false
		}
		var err error
		f.unlock, err = s.seal(ctx, f.channel, devicechannel.FieldUnlockToken, f.UnlockToken)
		return err != nil
	})
}
