package limit

import (
	"context"
	"fmt"

	"github.com/bailiwick/bailiwick/ent/predicate"
	"github.com/bailiwick/bailiwick/ent/ratelimit"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Measure asks the vendor, where it can tell, how much of the account everybody
// has used, and leaves to others what they use. It does so only if the last
// measurement is old by time or by calls, and no other replica is at it.
func (g *Gate) Measure(ctx context.Context, vendor psa.Vendor) error {
	meter, can := vendor.(psa.Meter)
	if !can {
		return nil
	}
	// Not of the gate: a driver may keep one gate for an account's later clients.
	if _, stale := g.limiter.stale.LoadAndDelete(g.key); !stale {
		return nil
	}
	mine, err := g.limiter.beginMeasuring(ctx, g.key, g.policy)
	if err != nil || !mine {
		return err
	}
	usage, err := meter.Usage(ctx)
	if err != nil {
		return fmt.Errorf("limit: read the account's use: %w", err)
	}
	return g.limiter.measured(ctx, g.key, g.policy, usage)
}

// beginMeasuring reports whether it is the caller who is to measure.
func (l *Limiter) beginMeasuring(ctx context.Context, key string, p Policy) (bool, error) {
	now, err := l.now(ctx)
	if err != nil {
		return false, err
	}
	due := []predicate.RateLimit{
		ratelimit.MeasuredAtIsNil(), ratelimit.MeasuredAtLTE(now.Add(-p.MeasureEvery)), ratelimit.UnmeasuredGTE(p.MeasureAfter),
	}
	n, err := l.client.RateLimit.Update().Where(ratelimit.Key(key), ratelimit.Or(due...)).
		SetMeasuredAt(now).SetUnmeasured(0).Save(system(ctx))
	if err != nil {
		return false, fmt.Errorf("limit: begin to measure: %w", err)
	}
	return n == 1, nil
}

// measured keeps what is left to us, now that the use is known. What we have
// made is in the use, so the rest is others'.
func (l *Limiter) measured(ctx context.Context, key string, p Policy, u psa.Usage) error {
	now, err := l.now(ctx)
	if err != nil {
		return err
	}
	err = l.db.InTx(system(ctx), func(ctx context.Context) error {
		limit, err := l.locked(ctx, key, now)
		if err != nil {
			return err
		}
		ours := total(stateOf(limit, nil, p, now).all)
		return l.client.RateLimit.UpdateOne(limit).SetBudget(Budget(u.Threshold, u.Used-ours)).SetMeasuredAt(now).Exec(ctx)
	})
	if err != nil {
		return fmt.Errorf("limit: keep what was measured: %w", err)
	}
	return nil
}
