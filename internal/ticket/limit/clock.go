package limit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"entgo.io/ent/dialect"

	"github.com/bailiwick/bailiwick/internal/database"
)

// Clock is a time that all replicas agree on, whatever their own clocks say.
type Clock func(ctx context.Context) (time.Time, error)

const (
	// freshFor is how long a reading of the database's time is carried on.
	freshFor = 30 * time.Second
	// leap is how far this machine's two clocks may move apart meanwhile: after
	// a pause of the machine, one of them has not moved.
	leap = time.Second
)

// DatabaseClock is the time of the database's server. It is read twice a
// minute, and carried on in between by this process's monotonic clock, which no
// adjustment of the machine's time moves. SQLite has no server, and the time of
// its machine.
func DatabaseClock(db *database.DB) Clock {
	if db.Dialect() != dialect.Postgres {
		return func(context.Context) (time.Time, error) { return time.Now(), nil }
	}
	var mu sync.Mutex
	var theirs, ours time.Time
	return func(ctx context.Context) (time.Time, error) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		passed, wall := now.Sub(ours), now.Round(0).Sub(ours.Round(0))
		if !ours.IsZero() && passed < freshFor && (wall-passed).Abs() < leap {
			return theirs.Add(passed), nil
		}
		if err := db.System().QueryRowContext(system(ctx), "SELECT clock_timestamp()").Scan(&theirs); err != nil {
			return time.Time{}, fmt.Errorf("limit: read the database's time: %w", err)
		}
		ours = now // before it was read, so that we are rather late than early
		return theirs.Add(time.Since(ours)), nil
	}
}
