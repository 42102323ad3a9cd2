// Package audit writes the system log: who did, or tried to do, what, to
// which objects, from where, and how it ended. Events are added and never
// changed.
package audit

import (
	"context"
	"fmt"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/systemlogevent"
	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// maxTargets bounds how many objects one event names; bulk work is a job, and
// has its own results.
const maxTargets = 100

// Client says where a request came from. It is not proof of anything.
type Client struct {
	Address   string // network address, trusted proxies taken out
	UserAgent string
	RequestID string
}

type clientKey struct{}

// WithClient returns a context whose events name the client.
func WithClient(ctx context.Context, c Client) context.Context {
	return context.WithValue(ctx, clientKey{}, c)
}

// ClientFrom returns the context's client; the zero Client if there is none.
func ClientFrom(ctx context.Context) Client {
	c, _ := ctx.Value(clientKey{}).(Client)
	return c
}

// Entry is an event to record.
type Entry struct {
	EventType      string // the operation's name, such as updateOrganization
	Outcome        systemlogevent.Outcome
	Reason         string // the error code, when it did not succeed
	ProviderID     string // taken from the scope if empty
	OrganizationID string // taken from a scope of one organization if empty
	Actor          tenancy.Principal
	Targets        []schema.LogTarget
}

// Log is the system log.
type Log struct{ client *ent.Client }

// New returns the system log behind a client.
func New(client *ent.Client) *Log { return &Log{client: client} }

// Record adds an event, in the ambient transaction if there is one.
func (l *Log) Record(ctx context.Context, e Entry) error { return l.RecordAll(ctx, []Entry{e}) }

// RecordAll is Record for several events, in one statement.
func (l *Log) RecordAll(ctx context.Context, entries []Entry) error {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return err
	}
	client := ClientFrom(ctx)
	rows := make([]*ent.SystemLogEventCreate, 0, len(entries))
	for _, e := range entries {
		rows = append(rows, l.build(scope, client, e))
	}
	if err := l.client.SystemLogEvent.CreateBulk(rows...).Exec(guard.WithoutTrail(ctx)); err != nil {
		return fmt.Errorf("record system-log events: %w", err)
	}
	return nil
}

func (l *Log) build(scope tenancy.Scope, client Client, entry Entry) *ent.SystemLogEventCreate {
	e := event(scope, client, entry)
	return l.client.SystemLogEvent.Create().
		SetID(e.ID).
		SetEventType(e.EventType).
		SetOutcome(e.Outcome).
		SetSeverity(e.Severity).
		SetOutcomeReason(e.OutcomeReason).
		SetProviderID(e.ProviderID).
		SetNillableOrganizationID(e.OrganizationID).
		SetActorType(e.ActorType).
		SetActorID(e.ActorID).
		SetActorDisplayName(e.ActorDisplayName).
		SetAPIKeyID(e.APIKeyID).
		SetTargets(e.Targets).
		SetClientAddress(e.ClientAddress).
		SetUserAgent(e.UserAgent).
		SetRequestID(e.RequestID)
}

// event is an entry as a row, but for its times.
func event(scope tenancy.Scope, client Client, e Entry) *ent.SystemLogEvent {
	row := &ent.SystemLogEvent{
		ID: systemlogevent.DefaultID(), ProviderID: e.ProviderID, EventType: e.EventType, Outcome: e.Outcome,
		Severity: severity(e.Outcome), OutcomeReason: e.Reason,
		ActorType: actorType(e.Actor), ActorID: e.Actor.AdministratorID, ActorDisplayName: cut(e.Actor.Name, 255), APIKeyID: e.Actor.APIKeyID,
		Targets:       e.Targets[:min(len(e.Targets), maxTargets)],
		ClientAddress: cut(client.Address, 64), UserAgent: cut(client.UserAgent, 512), RequestID: cut(client.RequestID, 64),
	}
	if row.ProviderID == "" {
		row.ProviderID = scope.Provider()
	}
	if e.OrganizationID == "" {
		e.OrganizationID, _ = scope.Organization()
	}
	if e.OrganizationID != "" {
		row.OrganizationID = &e.OrganizationID
	}
	return row
}

// Split is an entry as each organization's log is to have it that something was
// touched in: with the organization's own targets. What was touched in none of
// them is the provider's. Within one organization it stays one entry.
func Split(e Entry, touched []guard.Touched) []Entry {
	var organizations []string
	by := map[string][]guard.Touched{}
	for _, t := range touched {
		if by[t.Organization] == nil && t.Organization != "" {
			organizations = append(organizations, t.Organization)
		}
		by[t.Organization] = append(by[t.Organization], t)
	}
	if len(organizations) <= 1 {
		if len(organizations) == 1 {
			e.OrganizationID = organizations[0]
		}
		e.Targets = Targets(touched)
		return []Entry{e}
	}
	if len(by[""]) > 0 {
		organizations = append(organizations, "")
	}
	entries := make([]Entry, 0, len(organizations))
	for _, id := range organizations {
		e.OrganizationID, e.Targets = id, Targets(by[id])
		entries = append(entries, e)
	}
	return entries
}

// Targets converts what a mutation touched into an event's targets.
func Targets(touched []guard.Touched) []schema.LogTarget {
	targets := make([]schema.LogTarget, 0, len(touched))
	for _, t := range touched {
		targets = append(targets, schema.LogTarget{Type: t.Type, ID: t.ID, Op: t.Op})
	}
	return targets
}

// Device is a device as an event's target.
func Device(d *ent.Device) schema.LogTarget {
	name := d.SerialNumber
	if d.Udid != "" && d.Udid != name {
		name += ", UDID " + d.Udid
	}
	return schema.LogTarget{Type: "Device", ID: d.ID, Name: name}
}

func severity(o systemlogevent.Outcome) systemlogevent.Severity {
	if o == systemlogevent.OutcomeSuccess {
		return systemlogevent.SeverityInfo
	}
	return systemlogevent.SeverityWarn
}

func actorType(p tenancy.Principal) string {
	if p.Kind == "" {
		return "ANONYMOUS"
	}
	return string(p.Kind)
}

// cut keeps the first n bytes of a text, on a character boundary.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
