package job_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"entgo.io/ent/dialect"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

const (
	victimVariable = "BAILIWICK_TEST_JOB_VICTIM"
	shortLease     = 600 * time.Millisecond
)

func TestMain(m *testing.M) {
	if url := os.Getenv(victimVariable); url != "" {
		if err := victim(url); err != nil {
			fmt.Fprintln(os.Stderr, err) // its parent misses the line it waits for
		}
		return
	}
	m.Run()
}

// victim works one job without end, until it is killed.
func victim(url string) error {
	logger := slog.New(slog.DiscardHandler)
	db, err := database.Open(context.Background(), database.Config{URL: url, Logger: logger})
	if err != nil {
		return err
	}
	q, err := job.New(db, job.Config{Logger: logger, PollInterval: 20 * time.Millisecond, Lease: shortLease})
	if err != nil {
		return err
	}
	if err := job.Register(q, func(context.Context, job.Task[note]) error {
		fmt.Fprintln(os.Stdout, "working")
		select {}
	}, job.Options{}); err != nil {
		return err
	}
	if err := q.Start(context.Background()); err != nil {
		return err
	}
	select {}
}

// kill starts a victim, and kills it while it works.
func kill(t *testing.T, url string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this test binary itself
	cmd.Env = append(os.Environ(), victimVariable+"="+url)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "working\n" {
		t.Errorf("the victim said %q: %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if cmd.Wait() == nil {
		t.Error("the victim ended by itself")
	}
}

func TestTheJobOfAKilledProcessIsRescued(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		url := testdb.URL(t, engine)
		db := testdb.Open(t, database.Config{URL: url})
		var died atomic.Int64
		q := newQueue(t, db, job.Config{Lease: shortLease, Observe: func(_ string, o job.Outcome, _ time.Duration) {
			if o == job.Died {
				died.Add(1)
			}
		}})
		done := make(chan job.Task[note], 1)
		register(t, q, job.Options{}, func(_ context.Context, task job.Task[note]) error {
			done <- task
			return nil
		})
		enqueue(t, q, note{N: 7}, job.EnqueueOptions{})
		kill(t, url)
		killed := time.Now()
		start(t, q)
		select {
		case task := <-done:
			if task.Args.N != 7 || task.Attempt != 2 || died.Load() != 1 {
				t.Errorf("%+v, %d deaths", task, died.Load())
			}
			t.Logf("worked %s after the kill, with a lease of %s", time.Since(killed), shortLease)
		case <-time.After(patience):
			t.Fatal("not rescued")
		}
	})
}

func TestAJobThatKillsItsProcessIsGivenUp(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		url := testdb.URL(t, engine)
		db := testdb.Open(t, database.Config{URL: url})
		var discarded atomic.Int64
		q := newQueue(t, db, job.Config{Lease: shortLease, Observe: func(_ string, o job.Outcome, _ time.Duration) {
			if o == job.Discarded {
				discarded.Add(1)
			}
		}})
		register(t, q, job.Options{MaxAttempts: 1}, func(context.Context, job.Task[note]) error {
			t.Error("worked more often than allowed")
			return nil
		})
		enqueue(t, q, note{}, job.EnqueueOptions{})
		kill(t, url)
		start(t, q)
		await(t, "the job to be given up", func() bool { return discarded.Load() == 1 })
	})
}

// A job of a process that is alive, however long it takes, is nobody else's;
// neither is one whose process has lost its row in a crash of the server.
func TestTheJobOfALivingProcessIsLeftAlone(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		url := testdb.URL(t, engine)
		var runs, other atomic.Int64
		release := make(chan struct{})
		worker := newQueue(t, testdb.Open(t, database.Config{URL: url}), job.Config{Lease: shortLease})
		register(t, worker, job.Options{}, func(context.Context, job.Task[note]) error {
			runs.Add(1)
			<-release
			return nil
		})
		start(t, worker)
		enqueue(t, worker, note{}, job.EnqueueOptions{})
		await(t, "the job", func() bool { return runs.Load() == 1 })

		db := testdb.Open(t, database.Config{URL: url})
		watcher := newQueue(t, db, job.Config{Lease: shortLease})
		register(t, watcher, job.Options{}, func(context.Context, job.Task[note]) error {
			other.Add(1)
			return nil
		})
		start(t, watcher)
		if _, err := db.System().ExecContext(t.Context(), "DELETE FROM river_client"); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		await(t, "three leases to pass", func() bool { return time.Since(begin) > 3*shortLease })
		if other.Load() != 0 || runs.Load() != 1 {
			t.Fatalf("worked %d times here and %d times elsewhere", runs.Load(), other.Load())
		}
		close(release)
	})
}

// A process that cannot give its sign of life must let go of its jobs before
// others take them.
func TestAProcessThatLosesTheDatabaseInterruptsItsJobs(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		url := testdb.URL(t, engine)
		q := newQueue(t, testdb.Open(t, database.Config{URL: url}), job.Config{Lease: shortLease})
		running, interrupted := make(chan int, 8), make(chan struct{}, 8)
		register(t, q, job.Options{MaxAttempts: 1}, func(ctx context.Context, task job.Task[note]) error {
			running <- task.Attempt
			if len(interrupted) > 0 {
				return nil
			}
			<-ctx.Done()
			interrupted <- struct{}{}
			return ctx.Err()
		})
		start(t, q)
		enqueue(t, q, note{}, job.EnqueueOptions{})
		<-running
		other := testdb.Open(t, database.Config{URL: url})
		tx, err := other.System().BeginTx(t.Context(), nil) // on SQLite this alone keeps others from writing
		if err != nil {
			t.Fatal(err)
		}
		if engine == dialect.Postgres {
			if _, err := tx.ExecContext(t.Context(), "LOCK TABLE river_client IN ACCESS EXCLUSIVE MODE"); err != nil {
				t.Fatal(err)
			}
		}
		cut := time.Now()
		await(t, "the interruption", func() bool { return len(interrupted) == 1 })
		t.Logf("interrupted %s after the database went, with a lease of %s", time.Since(cut), shortLease)
		if err := q.Healthy(t.Context()); err == nil {
			t.Error("healthy without a lease")
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		select {
		case attempt := <-running:
			if attempt != 1 {
				t.Errorf("attempt %d: the interrupted one counted", attempt)
			}
		case <-time.After(patience):
			t.Fatal("not worked again")
		}
	})
}

func TestStopHandsBackWhatDoesNotEnd(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		url := testdb.URL(t, engine)
		outcomes := make(chan job.Outcome, 8)
		leaving := newQueue(t, testdb.Open(t, database.Config{URL: url}), job.Config{
			Observe: func(_ string, o job.Outcome, _ time.Duration) { outcomes <- o },
		})
		running := make(chan struct{})
		register(t, leaving, job.Options{MaxAttempts: 1}, func(ctx context.Context, _ job.Task[note]) error {
			close(running)
			<-ctx.Done()
			return ctx.Err()
		})
		start(t, leaving)
		enqueue(t, leaving, note{}, job.EnqueueOptions{})
		<-running
		// The lease never expires within the test: the job must be given back.
		staying := newQueue(t, testdb.Open(t, database.Config{URL: url}), job.Config{Lease: time.Hour})
		done := make(chan job.Task[note], 1)
		register(t, staying, job.Options{MaxAttempts: 1}, func(_ context.Context, task job.Task[note]) error {
			done <- task
			return nil
		})
		start(t, staying)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := leaving.Stop(over); err != nil {
			t.Fatal(err)
		}
		stopped := time.Now()
		if o := <-outcomes; o != job.HandedBack {
			t.Fatal(o)
		}
		select {
		case task := <-done:
			if task.Attempt != 1 {
				t.Errorf("attempt %d: the one that was handed back counted", task.Attempt)
			}
			t.Logf("worked elsewhere %s after the stop", time.Since(stopped))
		case <-time.After(patience):
			t.Fatal("not handed back")
		}
	})
}

func TestStopWaitsForRunningJobs(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		var finished atomic.Bool
		q := newQueue(t, db, job.Config{})
		running, release := make(chan struct{}), make(chan struct{})
		register(t, q, job.Options{}, func(ctx context.Context, _ job.Task[note]) error {
			close(running)
			<-release
			if ctx.Err() != nil {
				return errors.New("interrupted")
			}
			finished.Store(true)
			return nil
		})
		start(t, q)
		enqueue(t, q, note{}, job.EnqueueOptions{})
		<-running
		stopped := make(chan error, 1)
		go func() { stopped <- q.Stop(context.WithoutCancel(t.Context())) }()
		select {
		case err := <-stopped:
			t.Fatal("stopped under a running job:", err)
		case <-time.After(100 * time.Millisecond):
		}
		// What comes meanwhile is left for others.
		enqueue(t, q, note{}, job.EnqueueOptions{})
		close(release)
		if err := <-stopped; err != nil || !finished.Load() {
			t.Fatal(err, finished.Load())
		}
		depths, err := q.Depths(t.Context())
		if err != nil || len(depths) != 1 || depths[0].Available != 1 || depths[0].Running != 0 {
			t.Fatal(depths, err)
		}
	})
}
