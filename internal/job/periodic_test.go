package job_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"entgo.io/ent/dialect"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

func TestPeriodicWorkRunsOnceAcrossReplicas(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		url := testdb.URL(t, engine)
		var mu sync.Mutex
		runs := map[string]int{}
		db := testdb.Open(t, database.Config{URL: url})
		for range 2 {
			q := newQueue(t, testdb.Open(t, database.Config{URL: url}), job.Config{})
			for name, interval := range map[string]time.Duration{"often": time.Second, "daily": 24 * time.Hour} {
				if err := q.Every(name, interval, 0, func(ctx context.Context) error {
					if _, err := tenancy.From(ctx); !errors.Is(err, tenancy.ErrNoScope) {
						t.Errorf("a periodic job began with a scope: %v", err)
					}
					mu.Lock()
					defer mu.Unlock()
					runs[name]++
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			start(t, q)
		}
		await(t, "three intervals and a day's", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return runs["often"] >= 4 && runs["daily"] == 1
		})
		mu.Lock()
		defer mu.Unlock()
		second := "substr(scheduled_at, 1, 19)"
		if engine == dialect.Postgres {
			second = "date_trunc('second', scheduled_at)"
		}
		var jobs, intervals int
		if err := db.System().QueryRowContext(t.Context(), "SELECT count(*), count(DISTINCT "+second+
			") FROM river_job WHERE kind = 'every:often'").Scan(&jobs, &intervals); err != nil {
			t.Fatal(err)
		}
		if jobs != intervals || runs["often"] > jobs || runs["daily"] != 1 {
			t.Errorf("%d jobs in %d intervals, runs: %v", jobs, intervals, runs)
		}
	})
}

// A new leader starts in an interval that had its run already.
func TestPeriodicWorkIsNotRepeatedByARestart(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db := testdb.Open(t, database.Config{URL: testdb.URL(t, engine)})
		daily, often := make(chan struct{}, 8), make(chan struct{}, 8)
		for range 2 {
			q := newQueue(t, db, job.Config{})
			for name, runs := range map[string]chan struct{}{"daily": daily, "often": often} {
				interval := map[string]time.Duration{"daily": 24 * time.Hour, "often": time.Second}[name]
				if err := q.Every(name, interval, 0, func(context.Context) error {
					select {
					case runs <- struct{}{}:
					default:
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			for len(often) > 0 {
				<-often
			}
			start(t, q)
			for range 2 { // the leader keeps the time
				select {
				case <-often:
				case <-time.After(patience):
					t.Fatal("nothing runs")
				}
			}
			if err := q.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if len(daily) != 1 {
			t.Fatalf("%d daily runs", len(daily))
		}
	})
}

func TestPeriodicRunsDoNotOverlap(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db := testdb.Open(t, database.Config{URL: testdb.URL(t, engine)})
		q := newQueue(t, db, job.Config{})
		var mu sync.Mutex
		running, most, runs := 0, 0, 0
		if err := q.Every("slow", time.Second, 0, func(ctx context.Context) error {
			mu.Lock()
			running++
			runs++
			most = max(most, running)
			first := runs == 1
			mu.Unlock()
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				running--
			}()
			if first { // lasts over the next two intervals
				select {
				case <-time.After(2500 * time.Millisecond):
				case <-ctx.Done():
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		start(t, q)
		await(t, "a run after the slow one", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return runs > 1
		})
		mu.Lock()
		defer mu.Unlock()
		if most != 1 {
			t.Fatalf("%d runs at a time", most)
		}
	})
}
