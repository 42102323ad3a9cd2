package membership

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/internal/applemdm/message"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/batch"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/tenancy"
)

// newcomer is a device that wants to enrol, and of which nothing may be known.
type newcomer struct {
	Arriving
	*message.Authenticate

	identity, user  string // of its certificate, and whose device that says it is; filled in once it is known to be unknown
	device, channel string // the ids that it gets
}

func (n *newcomer) tenant() string { return n.Organization }

// introduction are the statements that take newcomers in: $1 is the provider, and
// of what is written $2 now.
type introduction struct {
	unknown database.Statement[*newcomer]
	taken   database.Writes[*newcomer] // answers how many identities it has bound
}

func newIntroduction(engine string) introduction {
	said := []database.Column[*newcomer]{
		{Name: "organization", Text: (*newcomer).tenant},
		{Name: "fingerprint", Text: func(n *newcomer) string { return n.Fingerprint }},
		{Name: "channel_key", Text: func(n *newcomer) string { return n.DeviceID() }},
		{Name: "serial", Text: func(n *newcomer) string { return serialOf(n.Authenticate) }},
		{Name: "udid", Text: func(n *newcomer) string { return n.UDID }},
	}
	return introduction{
		// Neither has the identity been used, nor is there a channel or device of
		// what the message says.
		unknown: database.NewStatement(engine, 2, said, func(given string) string {
			return `SELECT n, i.id, COALESCE(i.user_id, '') FROM ` + given + `
JOIN device_identities AS i ON i.organization_id = given.organization AND i.provider_id || '' = $1 AND i.fingerprint = given.fingerprint
WHERE i.device_id IS NULL AND i.revoked_at IS NULL
AND NOT EXISTS (SELECT 1 FROM device_channels AS c WHERE c.organization_id = given.organization AND c.provider_id || '' = $1 AND c.key = given.channel_key)
AND NOT EXISTS (SELECT 1 FROM devices AS d WHERE d.organization_id = given.organization AND d.provider_id || '' = $1 AND d.serial_number = given.serial)
AND NOT EXISTS (SELECT 1 FROM devices AS d WHERE d.organization_id || '' = given.organization AND d.provider_id = $1 AND d.udid = given.udid AND given.udid <> '')`
		}),
		taken: database.NewWrites(engine, 3, append(slices.Clone(said), []database.Column[*newcomer]{
			{Name: "device", Text: func(n *newcomer) string { return n.device }},
			{Name: "channel", Text: func(n *newcomer) string { return n.channel }},
			{Name: "identity", Text: func(n *newcomer) string { return n.identity }},
			{Name: "owner", Text: func(n *newcomer) string { return n.user }},
			{Name: "topic", Text: func(n *newcomer) string { return n.Authenticate.Topic }},
			{Name: "called", Text: func(n *newcomer) string { return nameOf(n.Authenticate) }},
			{Name: "platform", Text: func(n *newcomer) string { return string(platform(n.Authenticate)) }},
			{Name: "model", Text: func(n *newcomer) string { return n.ModelName }},
			{Name: "model_identifier", Text: func(n *newcomer) string { return modelIdentifier(n.Authenticate) }},
			{Name: "os_version", Text: func(n *newcomer) string { return n.OSVersion }},
			{Name: "build_version", Text: func(n *newcomer) string { return n.BuildVersion }},
			{Name: "personal", Text: func(n *newcomer) string { return strconv.FormatBool(n.UserEnrollment()) }},
		}...), `INSERT INTO devices (id, organization_id, provider_id, created_at, updated_at, serial_number, udid, user_id,
name, platform, model, model_identifier, os_version, build_version, user_enrollment)
SELECT given.device, given.organization, $1, $2, $2, given.serial, given.udid, NULLIF(given.owner, ''),
given.called, given.platform, given.model, given.model_identifier, given.os_version, given.build_version, given.personal = 'true' FROM @given`,
			`INSERT INTO device_channels (id, organization_id, provider_id, created_at, updated_at, device_id, key, status, fingerprint, topic)
SELECT given.channel, given.organization, $1, $2, $2, given.device, given.channel_key, 'AUTHENTICATED', given.fingerprint, given.topic FROM @given`,
			`UPDATE device_identities SET device_id = given.device, updated_at = $2 FROM @given
WHERE device_identities.id = given.identity AND device_identities.organization_id = given.organization AND device_identities.provider_id || '' = $1
AND device_identities.device_id IS NULL AND device_identities.revoked_at IS NULL`),
	}
}

// introduced begins the enrolment of a device of which nothing is known, together
// with others, and reports whether it did. Any other device it leaves alone, also
// one that becomes known meanwhile, or whose organization lacks room.
func (s *Service) introduced(ctx context.Context, a Arriving, m *message.Authenticate) (bool, error) {
	provider, organization, err := tenancy.One(ctx)
	if err != nil || organization != a.Organization || on(a.Topic, m.Topic) != nil || !storable(m) {
		return false, err
	}
	done, err := s.newcomers.Do(ctx, provider, &newcomer{Arriving: a, Authenticate: m})
	if s.undone(ctx, err) {
		return false, nil
	}
	return done, err
}

// introduceAll works newcomers together, and answers who has come in.
func (s *Service) introduceAll(ctx context.Context, provider string, items []*newcomer) ([]batch.Outcome[bool], error) {
	ctx = queue.Among(ctx, provider, items, (*newcomer).tenant)
	unknown, err := s.unknown(ctx, provider, single(items))
	if err != nil {
		return nil, err
	}
	outcomes := make([]batch.Outcome[bool], len(items))
	if len(unknown) == 0 {
		return outcomes, nil
	}
	var in []*newcomer
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		if in, err = seated(ctx, unknown); err != nil || len(in) == 0 {
			return err
		}
		bound, err := s.introduction.taken.Exec(ctx, s.DB, in, provider, s.now())
		if err != nil {
			return fmt.Errorf("take devices in: %w", err)
		}
		if bound != int64(len(in)) {
			return errOvertaken
		}
		return nil
	})
	for i, n := range items {
		outcomes[i].Value = slices.Contains(in, n)
	}
	return outcomes, err
}

// unknown keeps the newcomers of which nothing is known, with their identities.
func (s *Service) unknown(ctx context.Context, provider string, items []*newcomer) (unknown []*newcomer, err error) {
	err = s.introduction.unknown.Query(ctx, s.DB, items, func(scan func(...any) error) error {
		var at int
		var identity, user string
		if err := scan(&at, &identity, &user); err != nil {
			return err
		}
		n := items[at-1]
		n.identity, n.user, n.device, n.channel = identity, user, device.DefaultID(), devicechannel.DefaultID()
		unknown = append(unknown, n)
		return nil
	}, provider)
	if err != nil {
		return nil, fmt.Errorf("look for devices: %w", err)
	}
	slices.SortFunc(unknown, func(a, b *newcomer) int { // so that replicas do not wait for each other in a circle
		return strings.Compare(a.Organization+" "+a.DeviceID(), b.Organization+" "+b.DeviceID())
	})
	return unknown, nil
}

// single keeps the first of those that say they are the same device, or that the
// same certificate stands behind.
func single(items []*newcomer) (kept []*newcomer) {
	seen := map[[3]string]bool{}
	for _, n := range items {
		marks := [][3]string{
			{n.Organization, "certificate", n.Fingerprint}, {n.Organization, "key", n.DeviceID()}, {n.Organization, "serial number", serialOf(n.Authenticate)},
		}
		if slices.ContainsFunc(marks, func(mark [3]string) bool { return seen[mark] }) {
			continue
		}
		for _, mark := range marks {
			seen[mark] = true
		}
		kept = append(kept, n)
	}
	return kept
}

// seated keeps the newcomers of organizations that have room for all of theirs.
// They come in the order of their organizations.
func seated(ctx context.Context, sorted []*newcomer) (in []*newcomer, err error) {
	for len(sorted) > 0 {
		first, others := sorted[0], slices.IndexFunc(sorted, func(n *newcomer) bool { return n.Organization != sorted[0].Organization })
		if others < 0 {
			others = len(sorted)
		}
		err := first.Seat(ctx, "", others)
		if err != nil && fault.CodeOf(err) != fault.Forbidden {
			return nil, err
		}
		if err == nil {
			in = append(in, sorted[:others]...)
		}
		sorted = sorted[others:]
	}
	return in, nil
}

// storable reports whether a message says what a device can be kept with.
func storable(m *message.Authenticate) bool {
	for _, field := range []struct {
		value   string
		refused func(string) error
	}{
		{nameOf(m), device.NameValidator}, {serialOf(m), device.SerialNumberValidator}, {m.UDID, device.UdidValidator},
		{m.ModelName, device.ModelValidator}, {modelIdentifier(m), device.ModelIdentifierValidator},
		{m.OSVersion, device.OsVersionValidator}, {m.BuildVersion, device.BuildVersionValidator},
	} {
		if field.refused(field.value) != nil || !utf8.ValidString(field.value) || strings.ContainsRune(field.value, 0) {
			return false
		}
	}
	return true
}
