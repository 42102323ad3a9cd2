// Package limit keeps what vendors allow: so many calls in a stretch of time,
// so many at once, and none for a while after they have asked for that. It
// counts in the database, so that the limits hold for all replicas together,
// and by the database's time, so that replicas whose clocks differ agree.
//
// A limit is often shared by tenants. Each may use what the others leave, but
// the last quarter is for those who have had less than their fair share, so
// that one who calls without end starves nobody.
//
// [Limiter.Gate] stands before an account's calls. A call takes one short
// transaction, and where threads are limited two statements more; nothing is
// locked while the vendor works.
package limit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ratelimit"
	"github.com/bailiwick/bailiwick/ent/rateshare"
	"github.com/bailiwick/bailiwick/ent/rateslot"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Clock is a time that all replicas agree on, whatever their own clocks say.
type Clock func(ctx context.Context) (time.Time, error)

// Config is what a [Limiter] needs; all of it is required.
type Config struct {
	DB       *database.DB
	Policies Policies
	Clock    Clock // that of the database: [database.Clock.Read]
	Logger   *slog.Logger
}

// Validate reports what is missing or cannot work.
func (c Config) Validate() error {
	if c.DB == nil || c.Policies == nil || c.Clock == nil || c.Logger == nil {
		return errors.New("limit: database, policies, clock or logger is missing")
	}
	return c.Policies.Validate()
}

// Limiter counts calls. It is safe for concurrent use, by any number of
// replicas.
type Limiter struct {
	config Config
	db     *database.DB
	client *ent.Client
	stale  sync.Map // of the keys of accounts whose use is to be measured
}

// New returns a limiter, or what is wrong with its configuration.
func New(c Config) (*Limiter, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Limiter{config: c, db: c.DB, client: c.DB.Client()}, nil
}

// system is a context for counting. A vendor's limit spans tenants, and is
// nobody's transaction.
func system(ctx context.Context) context.Context {
	return tenancy.System(database.Detached(ctx), "count calls against a limit that tenants share")
}

func (l *Limiter) now(ctx context.Context) (time.Time, error) {
	t, err := l.config.Clock(ctx)
	return t.UTC().Truncate(time.Microsecond), err
}

// take counts a call of a tenant, if it may be made; or says how long to wait.
// It reports whether others' use of the account should be measured anew.
func (l *Limiter) take(ctx context.Context, key, tenant string, p Policy) (wait time.Duration, stale bool, err error) {
	now, err := l.now(ctx)
	if err != nil {
		return 0, false, err
	}
	err = l.db.InTx(system(ctx), func(ctx context.Context) error {
		limit, err := l.locked(ctx, key, now)
		if err != nil {
			return err
		}
		share, err := l.share(ctx, key, tenant)
		if err != nil {
			return err
		}
		state := stateOf(limit, share, p, now)
		if wait, err = l.verdict(ctx, state, key, tenant); err != nil || wait > 0 {
			return err
		}
		stale = p.MeasureEvery > 0 && state.stale()
		err = l.client.RateLimit.UpdateOne(limit).SetWindow(add(state.all)).AddUnmeasured(1).Exec(ctx)
		if err != nil {
			return err
		}
		counted := add(state.its)
		if share == nil {
			return l.client.RateShare.Create().SetKey(key).SetTenant(tenant).SetWindow(counted).SetSlice(counted.Slice).Exec(ctx)
		}
		return l.client.RateShare.UpdateOne(share).SetWindow(counted).SetSlice(counted.Slice).Exec(ctx)
	})
	if err != nil {
		return 0, false, fmt.Errorf("limit: count a call: %w", err)
	}
	return wait, stale, nil
}

// ask says how long a tenant would have to wait for a call, and counts nothing.
func (l *Limiter) ask(ctx context.Context, key, tenant string, p Policy) (time.Duration, error) {
	now, err := l.now(ctx)
	if err != nil {
		return 0, err
	}
	ctx = system(ctx)
	limit, err := l.client.RateLimit.Query().Where(ratelimit.Key(key)).Only(ctx)
	if ent.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("limit: read a limit: %w", err)
	}
	share, err := l.share(ctx, key, tenant)
	if err != nil {
		return 0, fmt.Errorf("limit: read a share: %w", err)
	}
	return l.verdict(ctx, stateOf(limit, share, p, now), key, tenant)
}

// state is how a limit stands at a time.
type state struct {
	policy   Policy
	now      time.Time
	limit    *ent.RateLimit
	all, its schema.RateWindow
	calls    int // that the window may have
}

func stateOf(limit *ent.RateLimit, share *ent.RateShare, p Policy, now time.Time) state {
	// Never before what was counted last: all shares are in the same slice then.
	slice := max(sliceAt(now, p.Window), limit.Window.Slice)
	s := state{policy: p, now: now, limit: limit, all: advance(limit.Window, slice), calls: p.Calls}
	if share != nil {
		s.its = share.Window
	}
	s.its = advance(s.its, slice)
	if limit.Budget != nil && limit.MeasuredAt != nil && now.Sub(*limit.MeasuredAt) < p.Window {
		s.calls = min(s.calls, *limit.Budget)
	}
	return s
}

// stale reports whether others' use of the account is not known well enough.
func (s state) stale() bool {
	return s.limit.MeasuredAt == nil || s.limit.Unmeasured >= s.policy.MeasureAfter ||
		s.now.Sub(*s.limit.MeasuredAt) >= s.policy.MeasureEvery
}

// verdict is how long to wait; 0 admits the call.
func (l *Limiter) verdict(ctx context.Context, s state, key, tenant string) (time.Duration, error) {
	if s.limit.PausedUntil != nil && s.limit.PausedUntil.After(s.now) {
		return s.limit.PausedUntil.Sub(s.now), nil
	}
	ok, fewer := Admits(s.all, s.its, 1, s.calls)
	if ok && total(s.all) >= s.calls-s.calls/4 {
		// Only now does it matter how many there are.
		others, err := l.client.RateShare.Query().
			Where(rateshare.Key(key), rateshare.TenantNEQ(tenant), rateshare.SliceGT(s.all.Slice-slicesCounted)).Count(ctx)
		if err != nil {
			return 0, err
		}
		ok, fewer = Admits(s.all, s.its, others+1, s.calls)
	}
	if ok {
		return 0, nil
	}
	return max(freedAt(s.all, fewer, s.policy.Window).Sub(s.now), time.Millisecond), nil
}

// pause keeps everybody from calling for a while. It never shortens a pause.
func (l *Limiter) pause(ctx context.Context, key string, d time.Duration) error {
	now, err := l.now(ctx)
	if err != nil {
		return err
	}
	err = l.db.InTx(system(ctx), func(ctx context.Context) error {
		limit, err := l.locked(ctx, key, now)
		if err != nil || (limit.PausedUntil != nil && limit.PausedUntil.After(now.Add(d))) {
			return err
		}
		return l.client.RateLimit.UpdateOne(limit).SetPausedUntil(now.Add(d)).Exec(ctx)
	})
	if err != nil {
		return fmt.Errorf("limit: pause: %w", err)
	}
	return nil
}

// locked is a limit that nobody else counts against until the transaction ends.
// It is made if need be.
func (l *Limiter) locked(ctx context.Context, key string, now time.Time) (*ent.RateLimit, error) {
	query := l.client.RateLimit.Query().Where(ratelimit.Key(key))
	query.Modify(database.ForUpdate)
	limit, err := query.Clone().Only(ctx)
	if !ent.IsNotFound(err) {
		return limit, err
	}
	// Without an error if another one makes it, which would end the transaction.
	insert, args := sql.Dialect(l.db.Dialect()).Insert(ratelimit.Table).
		Columns(ratelimit.FieldID, ratelimit.FieldCreatedAt, ratelimit.FieldUpdatedAt,
			ratelimit.FieldKey, ratelimit.FieldWindow, ratelimit.FieldUnmeasured).
		Values(schema.NewID("rate")(), now, now, key, `{"slice":0,"counts":null}`, 0).
		OnConflict(sql.ConflictColumns(ratelimit.FieldKey), sql.DoNothing()).Query()
	if err := l.db.Driver().Exec(ctx, insert, args, nil); err != nil {
		return nil, err
	}
	return query.Only(ctx)
}

// share is a tenant's part of a limit; nil if it has had none.
func (l *Limiter) share(ctx context.Context, key, tenant string) (*ent.RateShare, error) {
	share, err := l.client.RateShare.Query().Where(rateshare.Key(key), rateshare.Tenant(tenant)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, nil //nolint:nilnil // none is no error
	}
	return share, err
}

// forgotten is how long what nobody has called for is kept.
const forgotten = 48 * time.Hour

// Forget deletes what no longer matters. The context needs no scope.
func (l *Limiter) Forget(ctx context.Context) error {
	now, err := l.now(ctx)
	if err != nil {
		return err
	}
	ctx, old := system(ctx), now.Add(-forgotten)
	_, shares := l.client.RateShare.Delete().Where(rateshare.UpdatedAtLT(old)).Exec(ctx)
	_, limits := l.client.RateLimit.Delete().Where(ratelimit.UpdatedAtLT(old)).Exec(ctx)
	_, slots := l.client.RateSlot.Delete().Where(rateslot.UpdatedAtLT(old)).Exec(ctx)
	return errors.Join(shares, limits, slots)
}
