package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Pending is the event of a change whose transaction is not its caller's to
// open, because others share it: whoever commits the change records the event in
// that same transaction. It holds on to who acted, for whom and from where.
type Pending struct {
	entry    Entry
	scope    tenancy.Scope
	client   Client
	taken    atomic.Bool
	recorded atomic.Bool
}

type pendingKey struct{}

// WithPending returns a context that carries an event to be recorded by whoever
// makes the change. What it touched is theirs to say.
func WithPending(ctx context.Context, e Entry) (context.Context, *Pending, error) {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return nil, nil, err
	}
	p := &Pending{entry: e, scope: scope, client: ClientFrom(ctx)}
	return context.WithValue(ctx, pendingKey{}, p), p, nil
}

// Take gives out the context's pending event, once: nil if there is none, or
// another change has it. Whoever takes it and does not get to commit it leaves it
// to who made it.
func Take(ctx context.Context) *Pending {
	p, _ := ctx.Value(pendingKey{}).(*Pending)
	if p == nil || p.taken.Swap(true) {
		return nil
	}
	return p
}

// Recorded reports whether a transaction has committed that recorded it.
func (p *Pending) Recorded() bool { return p.recorded.Load() }

// Record says that it is recorded once the context's transaction has committed.
func (p *Pending) Record(ctx context.Context) {
	database.AfterCommit(ctx, func() { p.recorded.Store(true) })
}

// Event is a pending event's row, with the one thing that its change touched. An
// [Insertion] adds it.
func (p *Pending) Event(touched guard.Touched) *ent.SystemLogEvent {
	return event(p.scope, p.client, Split(p.entry, []guard.Touched{touched})[0])
}

// Columns are what an [Insertion] takes of the items of a statement: the event of
// each, nil for none.
func Columns[I any](of func(I) *ent.SystemLogEvent) []database.Column[I] {
	column := func(name string, text func(*ent.SystemLogEvent) string) database.Column[I] {
		return database.Column[I]{Name: "event_" + name, Text: func(item I) string {
			if e := of(item); e != nil {
				return text(e)
			}
			return ""
		}}
	}
	return []database.Column[I]{
		column("id", func(e *ent.SystemLogEvent) string { return e.ID }),
		column("organization", func(e *ent.SystemLogEvent) string { return *e.OrganizationID }),
		column("type", func(e *ent.SystemLogEvent) string { return e.EventType }),
		column("severity", func(e *ent.SystemLogEvent) string { return string(e.Severity) }),
		column("outcome", func(e *ent.SystemLogEvent) string { return string(e.Outcome) }),
		column("reason", func(e *ent.SystemLogEvent) string { return e.OutcomeReason }),
		column("actor_type", func(e *ent.SystemLogEvent) string { return e.ActorType }),
		column("actor", func(e *ent.SystemLogEvent) string { return e.ActorID }),
		column("actor_name", func(e *ent.SystemLogEvent) string { return e.ActorDisplayName }),
		column("api_key", func(e *ent.SystemLogEvent) string { return e.APIKeyID }),
		column("targets", targetsOf),
		column("address", func(e *ent.SystemLogEvent) string { return e.ClientAddress }),
		column("agent", func(e *ent.SystemLogEvent) string { return e.UserAgent }),
		column("request", func(e *ent.SystemLogEvent) string { return e.RequestID }),
	}
}

func targetsOf(e *ent.SystemLogEvent) string {
	text, err := json.Marshal(e.Targets)
	if err != nil {
		return "[]" // texts alone
	}
	return string(text)
}

// Insertion is the write of events in a statement whose items have [Columns], and
// which finds those whose change is made in a FROM clause of its own: $1 is now,
// and $2 the provider. Every event has an organization.
func Insertion(engine, from string) string {
	return fmt.Sprintf(`INSERT INTO system_log_events (id, organization_id, provider_id, created_at, updated_at, published, event_type, severity, outcome,
outcome_reason, actor_type, actor_id, actor_display_name, api_key_id, targets, client_address, user_agent, request_id)
SELECT given.event_id, given.event_organization, $2, $1, $1, $1, given.event_type, given.event_severity, given.event_outcome,
given.event_reason, given.event_actor_type, given.event_actor, given.event_actor_name, given.event_api_key, %s,
given.event_address, given.event_agent, given.event_request FROM %s WHERE given.event_id <> ''`, database.JSON(engine, "given.event_targets"), from)
}
