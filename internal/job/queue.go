package job

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/tenancy"
)

const (
	defaultPollInterval = 200 * time.Millisecond
	defaultLease        = 15 * time.Second
	defaultWorkers      = 8
	defaultGrace        = 5 * time.Second
	maxArgs             = 64 << 10 // bytes
)

// unfinished are the states in which a job stands in the way of its equal.
func unfinished() []rivertype.JobState {
	return []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
		rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}
}

// Config says how the queue runs.
type Config struct {
	// Logger receives what goes wrong. Required.
	Logger *slog.Logger

	// Clock tells the time for progress and health; nil means time.Now. The
	// queue itself goes by the database's time.
	Clock func() time.Time

	// PollInterval is how long a job waits at most where nobody wakes the
	// queue; zero means 200 ms.
	PollInterval time.Duration

	// Lease is how long after its last sign of life a replica counts as dead,
	// and its jobs go to others; they notice within another third of it. A
	// replica that cannot reach the database interrupts its own jobs before.
	// Zero means 15 s.
	Lease time.Duration

	// Grace is how long [Queue.Stop] waits for interrupted workers; zero means 5 s.
	Grace time.Duration

	// Workers is how many jobs of a queue this process runs at a time; a queue
	// that is not named runs 8.
	Workers map[string]int

	// Notify, if set, is called in the transaction of each enqueueing whose job
	// is due at once, so that other replicas can be told to call [Queue.Wake].
	Notify func(ctx context.Context, queue string) error

	// Observe, if set, is told of each attempt. It must be safe for concurrent
	// use, and fast.
	Observe func(kind string, outcome Outcome, took time.Duration)
}

// Validate reports the first setting that cannot work.
func (c Config) Validate() error {
	switch {
	case c.Logger == nil:
		return errors.New("job: no logger")
	case c.PollInterval < 0 || c.Lease < 0 || c.Grace < 0:
		return errors.New("job: a negative duration")
	case c.Lease != 0 && c.Lease < 300*time.Millisecond:
		return fmt.Errorf("job: a lease of %s is too short to be renewed", c.Lease)
	}
	for queue, workers := range c.Workers {
		if workers < 1 {
			return fmt.Errorf("job: %d workers for queue %q", workers, queue)
		}
	}
	return nil
}

// Queue enqueues jobs and works them. It is safe for concurrent use once every
// kind has been registered.
type Queue struct {
	db      *database.DB
	config  Config
	id      string
	workers *river.Workers
	lease   *lease

	mu       sync.Mutex
	kinds    map[string]kind
	periodic []*river.PeriodicJob
	pilot    *pilot
	client   *river.Client[*sql.Tx] // built on first use: it fixes the kinds
	running  bool
	since    time.Time          // when it was started
	leaving  context.CancelFunc // ends the lease's renewal
	left     chan struct{}
}

// kind is a registered kind of job.
type kind struct {
	Options
	visible bool
	work    func(ctx context.Context, a attempt) error
}

// New returns a queue on a migrated database. It does nothing until
// [Queue.Start]; a process may also only enqueue.
func New(db *database.DB, c Config) (*Queue, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	for setting, fallback := range map[*time.Duration]time.Duration{
		&c.PollInterval: defaultPollInterval, &c.Lease: defaultLease, &c.Grace: defaultGrace,
	} {
		if *setting == 0 {
			*setting = fallback
		}
	}
	c.Workers = maps.Clone(c.Workers)
	id := clientID()
	return &Queue{
		db: db, config: c, id: id, workers: river.NewWorkers(), kinds: map[string]kind{},
		lease: newLease(db, id, c.Lease),
	}, nil
}

// Register says how jobs of type T are worked. It must come before the first
// use of the queue. A worker's error has the job tried again, unless it is
// [Snooze] or [Cancel]; so has a panic.
func Register[T Args](q *Queue, worker func(ctx context.Context, t Task[T]) error, o Options) error {
	var zero T
	_, visible := any(zero).(visibleArgs)
	return q.register(zero.Kind(), o, visible, func(ctx context.Context, a attempt) error {
		task := Task[T]{
			ID: a.row.ID, Attempt: a.row.Attempt, MaxAttempts: a.row.MaxAttempts,
			EnqueuedAt: a.row.CreatedAt, Progress: a.progress,
		}
		if err := json.Unmarshal(a.row.EncodedArgs, &task.Args); err != nil {
			return Cancel(fmt.Errorf("decode args: %w", err))
		}
		return worker(ctx, task)
	})
}

func (q *Queue) register(name string, o Options, visible bool, work func(context.Context, attempt) error) error {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return fmt.Errorf("job: register %q: %w", name, err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.client != nil {
		return fmt.Errorf("job: register %q: the queue is in use already", name)
	}
	if _, taken := q.kinds[name]; taken {
		return fmt.Errorf("job: register %q: registered already", name)
	}
	q.kinds[name] = kind{Options: o, visible: visible, work: work}
	river.AddWorkerArgs(q.workers, payload{kind: name}, river.Worker[payload](&worker{queue: q, kind: q.kinds[name]}))
	return nil
}

// Enqueue has a job worked: in the context's transaction if there is one, so
// that a rollback leaves no job, else at once. A job that is the same as an
// unfinished one is not enqueued, which is no error.
func (q *Queue) Enqueue(ctx context.Context, args Args, o EnqueueOptions) error {
	k, known := q.kinds[args.Kind()]
	if !known {
		return fmt.Errorf("job: enqueue %q: no such kind is registered", args.Kind())
	}
	client, err := q.open()
	if err != nil {
		return err
	}
	encoded, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("job: enqueue %q: %w", args.Kind(), err)
	}
	if len(encoded) > maxArgs {
		return fmt.Errorf("job: enqueue %q: args of %d bytes, at most %d", args.Kind(), len(encoded), maxArgs)
	}
	p := payload{kind: args.Kind(), encoded: encoded, unique: uniqueKey(args, o.UniqueKey)}
	insert := &river.InsertOpts{MaxAttempts: k.MaxAttempts, Priority: o.Priority, Queue: k.Queue}
	if o.At.After(q.config.Clock()) {
		insert.ScheduledAt = o.At
	}
	if o.UniqueKey != "" || k.UniqueBy == EqualArgs {
		insert.UniqueOpts = river.UniqueOpts{ByArgs: true, ByState: unfinished()}
	}
	if tx, ok := database.TxFrom(ctx); ok {
		_, err = client.InsertTx(ctx, tx, p, insert)
	} else {
		_, err = client.Insert(ctx, p, insert)
	}
	if err != nil {
		return fmt.Errorf("job: enqueue %q: %w", args.Kind(), err)
	}
	if !insert.ScheduledAt.IsZero() {
		return nil
	}
	if q.config.Notify != nil {
		if err := q.config.Notify(ctx, k.Queue); err != nil {
			return fmt.Errorf("job: enqueue %q: notify: %w", args.Kind(), err)
		}
	}
	database.AfterCommit(ctx, func() { q.Wake(k.Queue) }) //nolint:contextcheck // waking outlives the request
	return nil
}

// Wake looks for due jobs in the named queues at once, or in all of them. It
// does not block.
func (q *Queue) Wake(queues ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running {
		q.pilot.wake(queues)
	}
}

// Start begins to work jobs, and returns. The context bounds the start alone:
// [Queue.Stop] ends the work.
func (q *Queue) Start(ctx context.Context) error {
	client, err := q.open()
	if err != nil {
		return err
	}
	if len(q.kinds) == 0 {
		return errors.New("job: start: no kind is registered")
	}
	if err := q.lease.renew(ctx); err != nil {
		return fmt.Errorf("job: start: %w", err)
	}
	// Whatever scope or transaction the caller has is not the workers'.
	background := tenancy.With(database.Detached(context.WithoutCancel(ctx)), tenancy.Scope{})
	if err := client.Start(background); err != nil {
		return fmt.Errorf("job: start: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	background, q.leaving = context.WithCancel(background)
	q.left = make(chan struct{})
	q.running, q.since = true, q.config.Clock()
	go func() {
		defer close(q.left)
		q.watch(background)
	}()
	return nil
}

// Stop ends the work: nothing new begins, and running jobs may finish until
// the context ends. They are then interrupted, and handed back to be worked
// elsewhere at once, without counting the attempt. It is an error if a worker
// ignores that for [Config.Grace]; its job follows when the lease has expired.
func (q *Queue) Stop(ctx context.Context) error {
	q.mu.Lock()
	started := q.running
	q.running = false
	q.mu.Unlock()
	if !started {
		return nil
	}
	err := q.client.Stop(ctx)
	if err != nil {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), q.config.Grace)
		defer cancel()
		err = q.client.StopAndCancel(grace)
	}
	q.leaving()
	<-q.left
	if err != nil {
		return fmt.Errorf("job: stop: a worker does not stop: %w", err)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), q.config.Grace)
	defer cancel()
	if err := q.lease.end(last); err != nil {
		return fmt.Errorf("job: stop: %w", err)
	}
	return nil
}
