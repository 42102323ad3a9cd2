package job

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"entgo.io/ent/dialect"
	"github.com/riverqueue/river"
)

const (
	periodicQueue    = "periodic"
	periodicAttempts = 3
	periodicTimeout  = 10 * time.Minute
	// A finished run is remembered for a day, and stands until then in the way
	// of another in the same interval.
	maxInterval = 24 * time.Hour
)

// Every has a function run once in each interval, by one replica and one at a
// time: a run that lasts longer than the interval takes the place of the next.
// Intervals are counted from the zero time, in UTC; a run begins up to jitter
// after its interval does, or when a replica starts in an interval that had no
// run. A run that fails is tried twice more. Every replica must register the
// same; one of them, which River elects, keeps the time. When that one is
// killed, up to 22 s pass until another does.
//
// The function's context carries no scope.
func (q *Queue) Every(name string, interval, jitter time.Duration, run func(context.Context) error) error {
	if interval < time.Second || interval > maxInterval {
		return fmt.Errorf("job: every %q: an interval of %s: from %s to %s", name, interval, time.Second, maxInterval)
	}
	if jitter < 0 || jitter >= interval {
		return fmt.Errorf("job: every %q: jitter %s must be less than the interval", name, jitter)
	}
	p := payload{kind: "every:" + name, encoded: []byte("{}")}
	options := Options{Queue: periodicQueue, MaxAttempts: periodicAttempts, Timeout: periodicTimeout}
	err := q.register(p.kind, options, false, func(ctx context.Context, a attempt) error {
		busy, err := q.overlaps(ctx, a)
		if err != nil || busy {
			return err
		}
		return run(ctx)
	})
	if err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.periodic = append(q.periodic, river.NewPeriodicJob(
		schedule{interval, jitter},
		func() (river.JobArgs, *river.InsertOpts) {
			return p, &river.InsertOpts{
				MaxAttempts: periodicAttempts, Queue: periodicQueue,
				UniqueOpts: river.UniqueOpts{ByPeriod: interval},
			}
		},
		&river.PeriodicJobOpts{RunOnStart: true},
	))
	return nil
}

// overlaps reports whether another run is under way. Of two first attempts the
// older goes on.
func (q *Queue) overlaps(ctx context.Context, a attempt) (busy bool, err error) {
	query := `SELECT EXISTS (SELECT 1 FROM river_job WHERE kind = $1 AND state = 'running' AND id <> $2 AND (id < $3 OR $4))`
	if q.db.Dialect() == dialect.SQLite {
		query = `SELECT EXISTS (SELECT 1 FROM river_job WHERE kind = ? AND state = 'running' AND id <> ? AND (id < ? OR ?))`
	}
	err = q.db.System().QueryRowContext(ctx, query, a.row.Kind, a.row.ID, a.row.ID, a.row.Attempt > 1).Scan(&busy)
	if err != nil {
		return false, fmt.Errorf("look for another run: %w", err)
	}
	return busy, nil
}

// schedule names the beginnings of the intervals, each a little late.
type schedule struct{ interval, jitter time.Duration }

// Next implements river.PeriodicSchedule.
func (s schedule) Next(current time.Time) time.Time {
	next := current.UTC().Truncate(s.interval).Add(s.interval)
	if s.jitter > 0 {
		next = next.Add(rand.N(s.jitter)) //nolint:gosec // spreads load, guards nothing
	}
	return next
}
