package job_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

const patience = 30 * time.Second

type note struct {
	job.Tenant
	N int `json:"n"`
}

func (note) Kind() string { return "test.note" }

// await polls until the condition holds.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}

func newQueue(t *testing.T, db *database.DB, c job.Config) *job.Queue {
	t.Helper()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.PollInterval == 0 {
		c.PollInterval = 20 * time.Millisecond
	}
	q, err := job.New(db, c)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func register[T job.Args](t *testing.T, q *job.Queue, o job.Options, work func(context.Context, job.Task[T]) error) {
	t.Helper()
	if err := job.Register(q, work, o); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, q *job.Queue) {
	t.Helper()
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := q.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
}

func enqueue(t *testing.T, q *job.Queue, args job.Args, o job.EnqueueOptions) {
	t.Helper()
	if err := q.Enqueue(t.Context(), args, o); err != nil {
		t.Fatal(err)
	}
}

// tenant creates a provider with an organization that has one user.
func tenant(t *testing.T, db *database.DB, name string) job.Tenant {
	t.Helper()
	client := db.Client()
	system := tenancy.System(t.Context(), "fixture")
	p := client.Provider.Create().SetName(name).SaveX(system)
	o := client.Organization.Create().SetName(name).SetProviderID(p.ID).SaveX(system)
	return job.Tenant{Provider: p.ID, Organization: o.ID}
}

func TestEnqueueFollowsTheTransaction(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		a := tenant(t, db, "A")
		var worked atomic.Int64
		q := newQueue(t, db, job.Config{})
		register(t, q, job.Options{}, func(_ context.Context, task job.Task[note]) error {
			worked.Add(int64(task.Args.N))
			return nil
		})
		start(t, q)
		ctx := job.TenantContext(t.Context(), a, "test")
		boom := errors.New("boom")
		err := db.InTx(ctx, func(ctx context.Context) error {
			return errors.Join(q.Enqueue(ctx, note{N: 100}, job.EnqueueOptions{}), boom)
		})
		if !errors.Is(err, boom) {
			t.Fatal(err)
		}
		if err := db.InTx(ctx, func(ctx context.Context) error {
			return q.Enqueue(ctx, note{N: 1}, job.EnqueueOptions{})
		}); err != nil {
			t.Fatal(err)
		}
		await(t, "the committed job", func() bool { return worked.Load() != 0 })
		if depths, err := q.Depths(t.Context()); err != nil || len(depths) > 1 {
			t.Fatal(depths, err)
		}
		if worked.Load() != 1 {
			t.Fatalf("worked %d: the job that was rolled back ran", worked.Load())
		}
	})
}

func TestACommitWakesTheWorker(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		// A poll would come too late for the test.
		q := newQueue(t, db, job.Config{PollInterval: time.Hour})
		done := make(chan time.Time, 1)
		register(t, q, job.Options{}, func(context.Context, job.Task[note]) error {
			done <- time.Now()
			return nil
		})
		start(t, q)
		a := tenant(t, db, "A")
		var committed time.Time
		if err := db.InTx(job.TenantContext(t.Context(), a, "test"), func(ctx context.Context) error {
			defer func() { committed = time.Now() }()
			return q.Enqueue(ctx, note{}, job.EnqueueOptions{})
		}); err != nil {
			t.Fatal(err)
		}
		select {
		case at := <-done:
			t.Logf("began %s after the commit", at.Sub(committed))
		case <-time.After(patience):
			t.Fatal("not woken")
		}
	})
}

func TestAnotherReplicaIsWoken(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		var worked atomic.Int64
		replica := newQueue(t, db, job.Config{PollInterval: time.Hour})
		register(t, replica, job.Options{Queue: "slow"}, func(context.Context, job.Task[note]) error {
			worked.Add(1)
			return nil
		})
		start(t, replica)
		enqueuer := newQueue(t, db, job.Config{Notify: func(_ context.Context, queue string) error {
			if queue != "slow" {
				t.Errorf("notified of queue %q", queue)
			}
			return nil
		}})
		register(t, enqueuer, job.Options{Queue: "slow"}, func(context.Context, job.Task[note]) error { return nil })
		enqueue(t, enqueuer, note{}, job.EnqueueOptions{})
		replica.Wake("slow")
		await(t, "the job", func() bool { return worked.Load() == 1 })
	})
}

func TestTwoReplicasWorkEachJobOnce(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		url := testdb.URL(t, engine)
		var mu sync.Mutex
		times := map[int]int{}
		by := map[int]int{}
		var queues []*job.Queue
		for replica := range 2 {
			q := newQueue(t, testdb.Open(t, database.Config{URL: url}), job.Config{})
			register(t, q, job.Options{}, func(_ context.Context, task job.Task[note]) error {
				mu.Lock()
				defer mu.Unlock()
				times[task.Args.N]++
				by[replica]++
				return nil
			})
			start(t, q)
			queues = append(queues, q)
		}
		const jobs = 200
		for n := range jobs {
			enqueue(t, queues[n%2], note{N: n}, job.EnqueueOptions{})
		}
		await(t, "all jobs", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(times) == jobs
		})
		await(t, "an empty queue", func() bool {
			depths, err := queues[0].Depths(t.Context())
			return err == nil && len(depths) == 0
		})
		mu.Lock()
		defer mu.Unlock()
		for n, count := range times {
			if count != 1 {
				t.Errorf("job %d ran %d times", n, count)
			}
		}
		t.Logf("shared as %v", by)
	})
}

func TestFailuresAreTriedAgainOnTheirSchedule(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		var mu sync.Mutex
		var attempts []int
		var asked []int
		var ended tally
		q := newQueue(t, db, job.Config{Observe: ended.observe})
		boom := errors.New("boom")
		register(t, q, job.Options{
			MaxAttempts: 3,
			Backoff: func(attempt int, err error) time.Duration {
				mu.Lock()
				defer mu.Unlock()
				if attempt < 3 && (attempt != 2) != errors.Is(err, boom) {
					t.Errorf("attempt %d failed with %v", attempt, err)
				}
				asked = append(asked, attempt)
				return time.Duration(attempt) * 30 * time.Millisecond
			},
		}, func(_ context.Context, task job.Task[note]) error {
			mu.Lock()
			defer mu.Unlock()
			attempts = append(attempts, task.Attempt)
			if task.Last() != (task.Attempt == 3) {
				t.Errorf("attempt %d last: %v", task.Attempt, task.Last())
			}
			if task.Attempt == 2 {
				panic("no error, a panic")
			}
			return boom
		})
		start(t, q)
		enqueue(t, q, note{}, job.EnqueueOptions{})
		await(t, "the job to be discarded", func() bool { return ended.outcomes()[job.Discarded] == 1 })
		outcomes := ended.outcomes()
		mu.Lock()
		defer mu.Unlock()
		if len(attempts) != 3 || len(asked) != 2 || outcomes[job.Failed] != 2 {
			t.Fatal(attempts, asked, outcomes)
		}
	})
}

// tally counts how the attempts at jobs have ended. It is safe for concurrent use.
type tally struct {
	mu     sync.Mutex
	counts map[job.Outcome]int
}

// observe is for [job.Config].
func (c *tally) observe(_ string, o job.Outcome, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[job.Outcome]int{}
	}
	c.counts[o]++
}

// outcomes are the counts so far.
func (c *tally) outcomes() map[job.Outcome]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

func TestSnoozeAndCancel(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		var snoozes atomic.Int64
		var ended tally
		q := newQueue(t, db, job.Config{Observe: ended.observe})
		register(t, q, job.Options{MaxAttempts: 1}, func(_ context.Context, task job.Task[note]) error {
			if task.Attempt != 1 {
				t.Errorf("attempt %d: a snoozed attempt counted", task.Attempt)
			}
			if snoozes.Add(1) < 3 {
				return job.Snooze(10 * time.Millisecond)
			}
			return job.Cancel(errors.New("pointless"))
		})
		start(t, q)
		enqueue(t, q, note{}, job.EnqueueOptions{})
		await(t, "the cancellation", func() bool { return ended.outcomes()[job.Cancelled] == 1 })
		outcomes := ended.outcomes()
		if outcomes[job.Snoozed] != 2 || len(outcomes) != 2 {
			t.Fatal(outcomes)
		}
	})
}

type sync1 struct {
	Organization string `json:"organization"`
}

func (sync1) Kind() string { return "test.sync" }

func TestEqualJobsAreEnqueuedOnce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		q := newQueue(t, db, job.Config{})
		var syncs, notes atomic.Int64
		register(t, q, job.Options{UniqueBy: job.EqualArgs}, func(context.Context, job.Task[sync1]) error {
			syncs.Add(1)
			return nil
		})
		register(t, q, job.Options{}, func(context.Context, job.Task[note]) error {
			notes.Add(1)
			return nil
		})
		for range 3 {
			enqueue(t, q, sync1{"a"}, job.EnqueueOptions{})
			enqueue(t, q, sync1{"b"}, job.EnqueueOptions{})
			enqueue(t, q, note{N: 1}, job.EnqueueOptions{})
		}
		for n := range 3 {
			enqueue(t, q, note{N: n}, job.EnqueueOptions{UniqueKey: "x"})
			enqueue(t, q, note{N: n}, job.EnqueueOptions{UniqueKey: "y"})
			enqueue(t, q, note{Tenant: job.Tenant{Provider: "p", Organization: "a"}}, job.EnqueueOptions{UniqueKey: "x"})
			enqueue(t, q, note{Tenant: job.Tenant{Provider: "p", Organization: "b"}}, job.EnqueueOptions{UniqueKey: "x"})
		}
		depths, err := q.Depths(t.Context())
		if err != nil || len(depths) != 1 || depths[0].Available != 2+3+2+2 {
			t.Fatal(depths, err)
		}
		start(t, q)
		await(t, "the jobs", func() bool { return syncs.Load() == 2 && notes.Load() == 7 })
		await(t, "an empty queue", func() bool {
			depths, err := q.Depths(t.Context())
			return err == nil && len(depths) == 0
		})
		// Once finished, one stands in nobody's way.
		enqueue(t, q, sync1{"a"}, job.EnqueueOptions{})
		await(t, "the job again", func() bool { return syncs.Load() == 3 })
	})
}

func TestAJobIsNotWorkedBeforeItsTime(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		q := newQueue(t, db, job.Config{})
		worked := make(chan time.Time, 1)
		register(t, q, job.Options{}, func(context.Context, job.Task[note]) error {
			worked <- time.Now()
			return nil
		})
		start(t, q)
		at := time.Now().Add(700 * time.Millisecond)
		enqueue(t, q, note{}, job.EnqueueOptions{At: at})
		select {
		case began := <-worked:
			if began.Before(at.Add(-5 * time.Millisecond)) {
				t.Fatalf("%s early", at.Sub(began))
			}
		case <-time.After(patience):
			t.Fatal("not worked")
		}
	})
}

func TestATenantsJobSeesNoOtherTenant(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		tenants := []job.Tenant{tenant(t, db, "A"), tenant(t, db, "B")}
		client := db.Client()
		q := newQueue(t, db, job.Config{})
		type seen struct {
			unscoped error
			orgs     []*ent.Organization
			foreign  error
		}
		results := make(chan map[int]seen, 2)
		register(t, q, job.Options{MaxAttempts: 1}, func(ctx context.Context, task job.Task[note]) error {
			var s seen
			_, s.unscoped = client.Organization.Query().All(ctx)
			ctx = job.TenantContext(ctx, task.Args.Tenant, "test")
			s.orgs = client.Organization.Query().AllX(ctx)
			_, s.foreign = client.Organization.Get(ctx, tenants[1-task.Args.N].Organization)
			results <- map[int]seen{task.Args.N: s}
			return nil
		})
		start(t, q)
		for n, tenant := range tenants {
			// Enqueued by the other tenant's request: only the args count.
			ctx := job.TenantContext(t.Context(), tenants[1-n], "test")
			if err := db.InTx(ctx, func(ctx context.Context) error {
				return q.Enqueue(ctx, note{Tenant: tenant, N: n}, job.EnqueueOptions{})
			}); err != nil {
				t.Fatal(err)
			}
		}
		for range tenants {
			select {
			case result := <-results:
				for n, s := range result {
					if !errors.Is(s.unscoped, tenancy.ErrNoScope) {
						t.Errorf("a worker began with a scope: %v", s.unscoped)
					}
					if len(s.orgs) != 1 || s.orgs[0].ID != tenants[n].Organization {
						t.Errorf("tenant %d sees %v", n, s.orgs)
					}
					if !ent.IsNotFound(s.foreign) {
						t.Errorf("tenant %d reads the other's organization: %v", n, s.foreign)
					}
				}
			case <-time.After(patience):
				t.Fatal("not worked")
			}
		}
	})
}

func TestHealth(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		var ahead atomic.Int64
		q := newQueue(t, db, job.Config{
			Workers: map[string]int{job.DefaultQueue: 1},
			Clock:   func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
		})
		blocked := make(chan struct{})
		var running atomic.Bool
		register(t, q, job.Options{}, func(ctx context.Context, _ job.Task[note]) error {
			running.Store(true)
			select {
			case <-blocked:
			case <-ctx.Done():
			}
			return nil
		})
		if q.Healthy(t.Context()) == nil {
			t.Fatal("healthy before its start")
		}
		start(t, q)
		await(t, "health", func() bool { return q.Healthy(t.Context()) == nil })
		// A queue whose workers are all busy looks for nothing, and is healthy.
		enqueue(t, q, note{}, job.EnqueueOptions{})
		await(t, "the job", running.Load)
		ahead.Store(int64(time.Hour))
		await(t, "health of a busy queue", func() bool { return q.Healthy(t.Context()) == nil })
		depths, err := q.Depths(t.Context())
		if err != nil || len(depths) != 1 || depths[0].Running != 1 {
			t.Fatal(depths, err)
		}
		close(blocked)
	})
}

func TestRiverSpeaksThroughTheLoggerFromWarningsOn(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		var log lockedBuffer
		q := newQueue(t, db, job.Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		register(t, q, job.Options{MaxAttempts: 1}, func(context.Context, job.Task[note]) error { return errors.New("boom") })
		start(t, q)
		enqueue(t, q, note{}, job.EnqueueOptions{})
		await(t, "the failure in the log", func() bool { return bytes.Contains(log.Bytes(), []byte("boom")) })
		for _, quiet := range []string{"level=INFO", "level=DEBUG"} {
			if bytes.Contains(log.Bytes(), []byte(quiet)) {
				t.Errorf("logged at %s:\n%s", quiet, log.Bytes())
			}
		}
	})
}

func TestWrongUseIsRefused(t *testing.T) {
	db := testdb.New(t, "sqlite3")
	if _, err := job.New(db, job.Config{}); err == nil {
		t.Error("no logger, no error")
	}
	q := newQueue(t, db, job.Config{})
	work := func(context.Context, job.Task[note]) error { return nil }
	if q.Enqueue(t.Context(), note{}, job.EnqueueOptions{}) == nil {
		t.Error("an unknown kind was enqueued")
	}
	register(t, q, job.Options{}, work)
	if job.Register(q, work, job.Options{}) == nil {
		t.Error("a kind was registered twice")
	}
	if q.Every("x", time.Millisecond, 0, nil) == nil || q.Every("x", time.Minute, time.Hour, nil) == nil {
		t.Error("an impossible interval was accepted")
	}
	enqueue(t, q, note{}, job.EnqueueOptions{})
	if job.Register(q, func(context.Context, job.Task[sync1]) error { return nil }, job.Options{}) == nil {
		t.Error("a kind was registered after the first use")
	}
	if q.Stop(t.Context()) != nil {
		t.Error("a queue that was not started cannot be stopped")
	}
}

type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.buffer.Bytes())
}

// A job that is unique while it waits can be enqueued again once it is worked.
func TestUniqueWhileWaiting(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		q := newQueue(t, db, job.Config{})
		running, release := make(chan struct{}, 4), make(chan struct{})
		register(t, q, job.Options{UniqueWhileWaiting: true}, func(context.Context, job.Task[note]) error {
			running <- struct{}{}
			<-release
			return nil
		})
		once := job.EnqueueOptions{UniqueKey: "x"}
		enqueue(t, q, note{N: 1}, once)
		enqueue(t, q, note{N: 2}, once)
		depths, err := q.Depths(t.Context())
		if err != nil || len(depths) != 1 || depths[0].Available != 1 {
			t.Fatal(depths, err)
		}
		start(t, q)
		<-running
		enqueue(t, q, note{N: 3}, once)
		<-running
		close(release)
		await(t, "an empty queue", func() bool {
			depths, err := q.Depths(t.Context())
			return err == nil && len(depths) == 0
		})
		if len(running) != 0 {
			t.Error("worked more often than enqueued")
		}
	})
}

// One that is unique while it waits and fails is unique again until it is tried
// again, so that there is one at a time however often it is wanted.
func TestUniqueWhileWaitingToBeTriedAgain(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		var ended tally
		q := newQueue(t, db, job.Config{Observe: ended.observe})
		running, release := make(chan struct{}, 4), make(chan struct{})
		options := job.Options{UniqueWhileWaiting: true, Backoff: func(int, error) time.Duration { return time.Hour }}
		register(t, q, options, func(context.Context, job.Task[note]) error {
			running <- struct{}{}
			<-release
			return errors.New("nobody there")
		})
		depths := func(retryable int) func() bool {
			return func() bool {
				depths, err := q.Depths(t.Context())
				return err == nil && len(depths) == 1 && depths[0] == job.Depth{Queue: job.DefaultQueue, Retryable: retryable}
			}
		}
		once := job.EnqueueOptions{UniqueKey: "x"}
		enqueue(t, q, note{N: 1}, once)
		start(t, q)
		<-running
		release <- struct{}{}
		await(t, "a job to be tried again", depths(1))
		enqueue(t, q, note{N: 2}, once)
		enqueue(t, q, note{N: 3}, job.EnqueueOptions{UniqueKey: "another"})
		<-running
		release <- struct{}{}
		await(t, "another job beside it", depths(2))

		// Wanted while it runs, it is there twice; the first to fail gives way.
		enqueue(t, q, note{N: 4}, job.EnqueueOptions{UniqueKey: "y"})
		<-running
		enqueue(t, q, note{N: 5}, job.EnqueueOptions{UniqueKey: "y"})
		<-running
		release <- struct{}{}
		release <- struct{}{}
		await(t, "one of them", depths(3))
		outcomes := ended.outcomes()
		if outcomes[job.Failed]+outcomes[job.Cancelled] != 4 || len(running) != 0 {
			t.Error(outcomes, len(running))
		}
	})
}
