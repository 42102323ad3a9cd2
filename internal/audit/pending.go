package audit

import (
	"context"
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

// Settled is a pending event with what its change touched.
type Settled struct {
	*Pending
	Touched []guard.Touched
}

// Settle records pending events, in one statement and the context's transaction.
// They may be of several callers of equal reach.
func (l *Log) Settle(ctx context.Context, events []Settled) error {
	var rows []*ent.SystemLogEventCreate
	for _, e := range events {
		for _, entry := range Split(e.entry, e.Touched) {
			rows = append(rows, l.build(e.scope, e.client, entry))
		}
	}
	if len(rows) == 0 {
		return nil
	}
	if err := l.client.SystemLogEvent.CreateBulk(rows...).Exec(guard.WithoutTrail(ctx)); err != nil {
		return fmt.Errorf("record system-log events: %w", err)
	}
	database.AfterCommit(ctx, func() {
		for _, e := range events {
			e.recorded.Store(true)
		}
	})
	return nil
}
