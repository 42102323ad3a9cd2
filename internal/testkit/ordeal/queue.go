package ordeal

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/ticket"
)

// queue keeps lanes in memory, in the order of River's: by time, and then as
// they came, each key at most once. Other jobs are dropped.
type queue struct {
	mu      sync.Mutex
	waiting []waiting
	clock   *clock
}

type waiting struct {
	ticket.Lane
	job.EnqueueOptions
}

// Enqueue implements ticket.Enqueuer.
func (q *queue) Enqueue(_ context.Context, args job.Args, o job.EnqueueOptions) error {
	lane, ok := args.(ticket.Lane)
	if !ok {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	e := waiting{lane, o}
	if e.At.IsZero() {
		e.At = q.clock.Now()
	}
	for _, w := range q.waiting {
		if w.Organization == e.Organization && w.UniqueKey == e.UniqueKey {
			return nil
		}
	}
	q.waiting = append(q.waiting, e)
	slices.SortStableFunc(q.waiting, func(a, b waiting) int { return a.At.Compare(b.At) })
	return nil
}

// next takes the first lane that is due.
func (q *queue) next() (ticket.Lane, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 || q.waiting[0].At.After(q.clock.Now()) {
		return ticket.Lane{}, false
	}
	first := q.waiting[0]
	q.waiting = q.waiting[1:]
	return first.Lane, true
}

// first is when the next lane is due; zero if none waits.
func (q *queue) first() time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return time.Time{}
	}
	return q.waiting[0].At
}
