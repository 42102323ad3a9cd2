// Package job runs work outside of the request that caused it: deliveries,
// synchronisation, clean-up. It keeps River, which does the queueing on both
// engines, behind an interface of its own.
//
// A job is a type, its [Args], and a worker for it ([Register]). It is enqueued
// in the caller's transaction ([Queue.Enqueue]), so that it exists exactly when
// the change that called for it does, and is then worked at least once: a
// replica that dies gives its jobs back, so what a worker does to the world
// must bear repetition.
//
// Workers start without a tenancy scope. Args that act for a tenant embed
// [Tenant] and adopt it with [TenantContext]; args of a job that a user waits
// for embed [Visible], and its progress can be followed through the API.
package job

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river"
)

// Args is what a job needs to know, kept as a JSON object. It must hold no
// secret: args are stored as they are.
type Args interface {
	// Kind names the job in the database and in metrics, such as
	// "ticket.deliver". It must not change while jobs of the kind exist, nor
	// depend on the value.
	Kind() string
}

// Task is one attempt at a job.
type Task[T Args] struct {
	Args        T
	ID          int64 // the queue's number of the job, for logs
	Attempt     int   // from 1; a snoozed or handed back attempt does not count
	MaxAttempts int
	EnqueuedAt  time.Time
	Progress    *Progress // of a [Visible] job; nil for others
}

// Last reports whether a failure of this attempt is final.
func (t Task[T]) Last() bool { return t.Attempt >= t.MaxAttempts }

// Options say how jobs of a kind are worked. The zero value is useful.
type Options struct {
	// Queue bounds how many jobs run at a time ([Config.Workers]). Slow jobs
	// and fast ones belong into different queues. Empty means DefaultQueue.
	Queue string

	// MaxAttempts is how often the job is tried before it is given up; zero
	// means 25, which with the default Backoff takes about 14 hours.
	MaxAttempts int

	// Timeout ends the context of an attempt; zero means a minute. The attempt
	// then counts as failed.
	Timeout time.Duration

	// Backoff is how long to wait after the attempt-th attempt, from 1, failed
	// with an error. A job that was found dead is retried at once. Nil means
	// [Doubling] up to an hour.
	Backoff func(attempt int, err error) time.Duration

	// UniqueBy says when a job is the same as one that is not finished yet, and
	// is therefore not enqueued again. [EnqueueOptions.UniqueKey] goes before it.
	UniqueBy UniqueBy

	// UniqueWhileWaiting ends a job's being unique when it is about to be worked:
	// its equal, enqueued from then on, is worked after or beside it. So nothing
	// is missed by a worker that reads the state it works on. If it fails and its
	// equal waits, it is not tried again; else it is unique again until it is.
	UniqueWhileWaiting bool
}

// DefaultQueue is the queue of kinds that name none.
const DefaultQueue = "default"

const (
	defaultMaxAttempts = 25
	defaultTimeout     = time.Minute
)

// UniqueBy is what makes two jobs of a kind the same.
type UniqueBy int

// What makes two jobs of a kind the same.
const (
	Nothing   UniqueBy = iota // each is a job of its own
	EqualArgs                 // their args are equal
)

// EnqueueOptions concern one job.
type EnqueueOptions struct {
	// At is the earliest time to work it; zero is now.
	At time.Time

	// UniqueKey drops the job if one of its kind and [Tenant] with the same key
	// is waiting, running or to be retried. Unless its kind is
	// [Options.UniqueWhileWaiting], what happens while that one runs is not lost only if its worker reads the state after it has started, and the caller
	// can bear that the last moments are missed; else leave it empty.
	UniqueKey string

	// Priority orders the jobs of a queue: 1 (the first, and the default) to 4.
	Priority int
}

// Snooze is returned by a worker to put the job off without counting the
// attempt.
func Snooze(d time.Duration) error { return river.JobSnooze(max(d, 0)) }

// Cancel is returned by a worker to give the job up for good: trying again
// could not help.
func Cancel(reason error) error {
	if reason == nil {
		reason = errors.New("cancelled by its worker")
	}
	return river.JobCancel(reason)
}

// Outcome is how an attempt ended.
type Outcome string

// The outcomes.
const (
	Succeeded  Outcome = "succeeded"
	Failed     Outcome = "failed"      // it will be tried again
	Discarded  Outcome = "discarded"   // it failed, and was the last attempt
	Cancelled  Outcome = "cancelled"   // given up by the worker
	Snoozed    Outcome = "snoozed"     // put off by the worker
	HandedBack Outcome = "handed_back" // this process stops, or lost touch with the database
	Died       Outcome = "died"        // its process did; it will be tried again
)

func (o Options) withDefaults() Options {
	if o.Queue == "" {
		o.Queue = DefaultQueue
	}
	if o.MaxAttempts == 0 {
		o.MaxAttempts = defaultMaxAttempts
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Backoff == nil {
		o.Backoff = Doubling(time.Hour)
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.MaxAttempts < 0:
		return fmt.Errorf("%d attempts", o.MaxAttempts)
	case o.Timeout < 0:
		return fmt.Errorf("a timeout of %s", o.Timeout)
	case o.UniqueBy != Nothing && o.UniqueBy != EqualArgs:
		return fmt.Errorf("unique by %d", o.UniqueBy)
	}
	return nil
}

// Doubling is a back-off of two seconds, doubled each time up to a limit, give or
// take a tenth.
func Doubling(limit time.Duration) func(attempt int, err error) time.Duration {
	return func(attempt int, _ error) time.Duration {
		d := min(2*time.Second<<min(attempt-1, 16), limit)
		return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64())) //nolint:gosec // spreads load, guards nothing
	}
}
