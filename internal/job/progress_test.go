package job_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	entjob "github.com/bailiwick/bailiwick/ent/job"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

type rollout struct {
	job.Visible
	Case string `json:"case"`
}

func (rollout) Kind() string { return "test.rollout" }

// track enqueues visible work in one transaction with its Job.
func track(t *testing.T, db *database.DB, q *job.Queue, tenant job.Tenant, which string, total int) *ent.Job {
	t.Helper()
	var j *ent.Job
	if err := db.InTx(job.TenantContext(t.Context(), tenant, "test"), func(ctx context.Context) (err error) {
		if j, err = q.Track(ctx, "rollout", total); err != nil {
			return err
		}
		return q.Enqueue(ctx, rollout{Visible: job.Visible{Tenant: tenant, Job: j.ID}, Case: which}, job.EnqueueOptions{})
	}); err != nil {
		t.Fatal(err)
	}
	return j
}

func TestUsersSeeHowFarAJobIs(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		a, b := tenant(t, db, "A"), tenant(t, db, "B")
		q := newQueue(t, db, job.Config{})
		half, goOn := make(chan struct{}), make(chan struct{})
		register(t, q, job.Options{MaxAttempts: 2, Backoff: func(int, error) time.Duration { return 0 }},
			func(ctx context.Context, task job.Task[rollout]) error {
				switch task.Args.Case {
				case "watched":
					if err := task.Progress.Step(ctx, 5, 0); err != nil {
						return err
					}
					close(half)
					<-goOn
					return task.Progress.Step(ctx, 10, 0)
				case "partial":
					return task.Progress.Step(ctx, 10, 3)
				case "fault":
					return fault.New(fault.Unavailable, "the vendor is down").Wrap(errors.New("dial tcp 10.0.0.1"))
				case "secret":
					return errors.New("pq: password of admin is hunter2")
				default:
					panic("unknown case")
				}
			})
		start(t, q)
		inA := job.TenantContext(t.Context(), a, "test")
		client := db.Client()
		status := func(id string) *ent.Job { return client.Job.GetX(inA, id) }

		watched := track(t, db, q, a, "watched", 10)
		if watched.Status != entjob.StatusQueued || watched.Total != 10 || *watched.OrganizationID != a.Organization {
			t.Fatal(watched)
		}
		<-half
		if j := status(watched.ID); j.Status != entjob.StatusRunning || j.Done != 5 || j.StartedAt == nil {
			t.Fatal(j)
		}
		if _, err := client.Job.Get(job.TenantContext(t.Context(), b, "test"), watched.ID); !ent.IsNotFound(err) {
			t.Fatal("another tenant sees the job:", err)
		}
		close(goOn)
		for which, want := range map[string]struct {
			status       entjob.Status
			done, failed int
			message      string
		}{
			"partial": {entjob.StatusPartial, 10, 3, ""},
			"fault":   {entjob.StatusFailed, 0, 0, "the vendor is down"},
			"secret":  {entjob.StatusFailed, 0, 0, "an internal error; the log has the details"},
		} {
			id := track(t, db, q, a, which, 10).ID
			await(t, which, func() bool { return status(id).FinishedAt != nil })
			if j := status(id); j.Status != want.status || j.Done != want.done || j.Failed != want.failed || j.Error != want.message {
				t.Errorf("%s: %v", which, j)
			}
		}
		await(t, "success", func() bool { return status(watched.ID).FinishedAt != nil })
		if j := status(watched.ID); j.Status != entjob.StatusSucceeded || j.Done != 10 {
			t.Fatal(j)
		}
	})
}

func TestProgressIsWrittenNowAndThen(t *testing.T) {
	var writes atomic.Int64
	url := testdb.URL(t, "sqlite3")
	db := testdb.Open(t, database.Config{URL: url, Observe: func(_ context.Context, query string, _ time.Duration, _ error) {
		if len(query) > 6 && query[:6] == "UPDATE" {
			writes.Add(1)
		}
	}})
	a := tenant(t, db, "A")
	q := newQueue(t, db, job.Config{Clock: func() time.Time { return time.Unix(1_800_000_000, 0) }})
	register(t, q, job.Options{}, func(ctx context.Context, task job.Task[rollout]) error {
		for n := range 1000 {
			if err := task.Progress.Step(ctx, n+1, 0); err != nil {
				return err
			}
		}
		return nil
	})
	start(t, q)
	j := track(t, db, q, a, "", 1000)
	ctx := job.TenantContext(t.Context(), a, "test")
	await(t, "the end", func() bool { return db.Client().Job.GetX(ctx, j.ID).FinishedAt != nil })
	if got := db.Client().Job.GetX(ctx, j.ID); got.Done != 1000 || got.Status != entjob.StatusSucceeded {
		t.Error(got)
	}
	if writes.Load() != 3 { // its beginning, one step, its end
		t.Errorf("%d writes", writes.Load())
	}
}

func TestACancelledJobEnds(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		a := tenant(t, db, "A")
		cancelled := make(chan error, 1)
		q := newQueue(t, db, job.Config{})
		register(t, q, job.Options{}, func(ctx context.Context, task job.Task[rollout]) error {
			inA := job.TenantContext(ctx, task.Args.Tenant, "test")
			db.Client().Job.UpdateOneID(task.Args.Job).SetStatus(entjob.StatusCancelled).ExecX(inA)
			err := task.Progress.Step(ctx, 1, 0)
			cancelled <- err
			return err
		})
		start(t, q)
		j := track(t, db, q, a, "", 5)
		select {
		case err := <-cancelled:
			if !errors.Is(err, job.ErrCancelled) {
				t.Fatal(err)
			}
		case <-time.After(patience):
			t.Fatal("not worked")
		}
		await(t, "an empty queue", func() bool {
			depths, err := q.Depths(t.Context())
			return err == nil && len(depths) == 0
		})
		if got := db.Client().Job.GetX(job.TenantContext(t.Context(), a, "test"), j.ID); got.Status != entjob.StatusCancelled {
			t.Fatal(got)
		}
	})
}
