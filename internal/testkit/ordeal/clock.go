package ordeal

import (
	"context"
	"sync"
	"time"
)

// clock is a time that is moved, or goes by itself.
type clock struct {
	real bool
	mu   sync.Mutex
	now  time.Time
}

// Now is the time.
func (c *clock) Now() time.Time {
	if c.real {
		return time.Now()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// by is the clock of a machine that is wrong by so much.
func (c *clock) by(skew time.Duration) func() time.Time {
	return func() time.Time { return c.Now().Add(skew) }
}

// agreed is the time that all replicas agree on.
func (c *clock) agreed(context.Context) (time.Time, error) { return c.Now(), nil }

// to moves the clock, never back.
func (c *clock) to(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.now) {
		c.now = t
	}
}
