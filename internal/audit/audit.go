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
func (l *Log) Record(ctx context.Context, e Entry) error {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return err
	}
	if e.ProviderID == "" {
		e.ProviderID = scope.Provider()
	}
	if e.OrganizationID == "" {
		e.OrganizationID, _ = scope.Organization()
	}
	if len(e.Targets) > maxTargets {
		e.Targets = e.Targets[:maxTargets]
	}
	client := ClientFrom(ctx)
	ctx = guard.WithoutTrail(ctx)
	create := l.client.SystemLogEvent.Create().
		SetEventType(e.EventType).
		SetOutcome(e.Outcome).
		SetSeverity(severity(e.Outcome)).
		SetOutcomeReason(e.Reason).
		SetProviderID(e.ProviderID).
		SetActorType(actorType(e.Actor)).
		SetActorID(e.Actor.AdministratorID).
		SetActorDisplayName(cut(e.Actor.Name, 255)).
		SetAPIKeyID(e.Actor.APIKeyID).
		SetTargets(e.Targets).
		SetClientAddress(cut(client.Address, 64)).
		SetUserAgent(cut(client.UserAgent, 512)).
		SetRequestID(cut(client.RequestID, 64))
	if e.OrganizationID != "" {
		create.SetOrganizationID(e.OrganizationID)
	}
	if err := create.Exec(ctx); err != nil {
		return fmt.Errorf("record system-log event: %w", err)
	}
	return nil
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
