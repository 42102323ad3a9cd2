package limit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/bailiwick/bailiwick/ent/rateslot"
	"github.com/bailiwick/bailiwick/schema"
)

const (
	// lookAgain is how soon a call looks again for a free place, at first and at
	// most.
	lookAgain, lookAgainMax = 10 * time.Millisecond, 200 * time.Millisecond
	// giveBack bounds giving a place back.
	giveBack = 10 * time.Second
)

// hold takes one of the places for calls under way, and waits a moment for one.
// It reports false if none became free. A place that is not left is free again
// after the policy's lease.
func (l *Limiter) hold(ctx context.Context, key string, p Policy) (leave func(), ok bool, err error) {
	holder := uuid.NewString()
	patience := time.NewTimer(p.Patience)
	defer patience.Stop()
	for pause := lookAgain; ; pause = min(2*pause, lookAgainMax) {
		number, err := l.seize(ctx, key, holder, p)
		if err != nil {
			return nil, false, fmt.Errorf("limit: find a free place: %w", err)
		}
		if number > 0 {
			return func() { l.leave(ctx, key, number, holder) }, true, nil
		}
		// At random, so that those who wait do not come all at once.
		again := time.NewTimer(pause/2 + rand.N(pause)) //nolint:gosec // spreads load, hides nothing
		select {
		case <-again.C:
		case <-patience.C:
			again.Stop()
			return nil, false, nil
		case <-ctx.Done():
			again.Stop()
			return nil, false, ctx.Err()
		}
	}
}

// seize takes a free place, from any on, and answers its number; 0 if all are
// taken.
func (l *Limiter) seize(ctx context.Context, key, holder string, p Policy) (int, error) {
	now, err := l.now(ctx)
	if err != nil {
		return 0, err
	}
	ctx = system(ctx)
	for {
		first := rand.IntN(p.Threads) //nolint:gosec // spreads load, hides nothing
		for n := range p.Threads {
			number := (first+n)%p.Threads + 1
			taken, err := l.client.RateSlot.Update().
				Where(rateslot.Key(key), rateslot.Number(number), rateslot.Or(rateslot.HeldUntilIsNil(), rateslot.HeldUntilLTE(now))).
				SetHolder(holder).SetHeldUntil(now.Add(p.Lease)).Save(ctx)
			if err != nil {
				return 0, err
			}
			if taken == 1 {
				return number, nil
			}
		}
		if furnished, err := l.furnish(ctx, key, p, now); err != nil || !furnished {
			return 0, err
		}
	}
}

// furnish makes the places of a key. It reports false if they were there.
func (l *Limiter) furnish(ctx context.Context, key string, p Policy, now time.Time) (bool, error) {
	there, err := l.client.RateSlot.Query().Where(rateslot.Key(key)).Count(ctx)
	if err != nil || there >= p.Threads {
		return false, err
	}
	insert := sql.Dialect(l.db.Dialect()).Insert(rateslot.Table).
		Columns(rateslot.FieldID, rateslot.FieldCreatedAt, rateslot.FieldUpdatedAt, rateslot.FieldKey, rateslot.FieldNumber)
	for n := range p.Threads {
		insert.Values(schema.NewID("rslot")(), now, now, key, n+1)
	}
	query, args := insert.OnConflict(sql.ConflictColumns(rateslot.FieldKey, rateslot.FieldNumber), sql.DoNothing()).Query()
	return true, l.db.Driver().Exec(ctx, query, args, nil)
}

// leave gives a place back, even if the call's time is up.
func (l *Limiter) leave(ctx context.Context, key string, number int, holder string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBack)
	defer cancel()
	err := l.client.RateSlot.Update().
		Where(rateslot.Key(key), rateslot.Number(number), rateslot.Holder(holder)).
		ClearHolder().ClearHeldUntil().Exec(system(ctx))
	if err != nil {
		l.config.Logger.WarnContext(ctx, "give back a place for calls", "limit", key, "error", err)
	}
}
