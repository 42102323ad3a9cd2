package database

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"entgo.io/ent/dialect"

	"github.com/bailiwick/bailiwick/tenancy"
)

const (
	// freshFor is how long a reading of the server's time is carried on.
	freshFor = 30 * time.Second
	// leap is how far this machine's two clocks may move apart meanwhile: after
	// a pause of the machine, one of them has not moved. A machine whose time
	// differs from the server's by more is told so in the log.
	leap = time.Second
	// watchEvery is how often [Clock.Run] looks for a leap.
	watchEvery = time.Second
	// readTimeout bounds a reading.
	readTimeout = 5 * time.Second
)

// Clock is the time of the database's server, on which all replicas agree,
// whatever their own clocks say. It is read twice a minute, and carried on in
// between by this process's monotonic clock, which no adjustment of the
// machine's time moves. SQLite has no server, and the time of its machine.
type Clock struct {
	db      *DB
	machine func() time.Time
	reading sync.Mutex // one at a time
	last    atomic.Pointer[reading]
}

// reading is the server's time, and this machine's just before it was asked.
type reading struct{ theirs, ours time.Time }

// at is the server's time when this machine has a time, and whether the
// reading still says so.
func (r *reading) at(now time.Time) (t time.Time, fresh bool) {
	if r == nil {
		return now, false
	}
	passed, wall := now.Sub(r.ours), now.Round(0).Sub(r.ours.Round(0))
	return r.theirs.Add(passed), passed < freshFor && (wall-passed).Abs() < leap
}

// Clock returns the time of the database's server, for a machine that has a
// time of its own: [time.Now].
func (db *DB) Clock(machine func() time.Time) *Clock { return &Clock{db: db, machine: machine} }

// Now is the server's time as far as it is known: by the last reading, however
// old, and before the first one by the machine. It never waits.
func (c *Clock) Now() time.Time {
	t, _ := c.last.Load().at(c.machine())
	return t
}

// Read is the server's time, by a reading that is less than half a minute old.
func (c *Clock) Read(ctx context.Context) (time.Time, error) {
	if t, ok := c.known(); ok {
		return t, nil
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	if t, ok := c.known(); ok { // another has just read it
		return t, nil
	}
	ctx, cancel := context.WithTimeout(tenancy.System(Detached(ctx), "read the time of the database's server"), readTimeout)
	defer cancel()
	next := reading{ours: c.machine()} // before it is asked, so that we are rather fast than slow
	if err := c.db.System().QueryRowContext(ctx, "SELECT clock_timestamp()").Scan(&next.theirs); err != nil {
		return time.Time{}, fmt.Errorf("database: read the server's time: %w", err)
	}
	c.last.Store(&next)
	t, _ := next.at(c.machine())
	return t, nil
}

// known is the time, if it can be told without asking.
func (c *Clock) known() (time.Time, bool) {
	if c.db.Dialect() != dialect.Postgres {
		return c.machine(), true
	}
	return c.last.Load().at(c.machine())
}

// Run keeps the reading fresh until the context ends. That it cannot, or that
// the machine's clock is wrong by more than a second, is reported once.
func (c *Clock) Run(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	told := ""
	for {
		now, err := c.Read(ctx)
		var off time.Duration
		if err == nil {
			off = c.machine().Sub(now)
		}
		trouble := ""
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			trouble = "the time of the database's server is not known"
		case off.Abs() >= leap:
			trouble = "this machine's clock differs from the database's: synchronize both"
		}
		if trouble != "" && trouble != told {
			c.db.logger.WarnContext(ctx, trouble, "by", off.Round(time.Millisecond), "error", err)
		}
		told = trouble
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
