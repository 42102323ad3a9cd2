package ticket_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

// TestByJobs: with the queue at work, on two replicas where the database
// allows, a ticket is there soon after its alert, and follows it to its end.
func TestByJobs(t *testing.T) {
	const alerts, patience = 40, time.Minute
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		url := testdb.URL(t, engine)
		w := newWorld(t, testdb.Open(t, database.Config{URL: url}))
		w.clock.real = true
		w.config, w.policies = hasty(), lifted()
		w.config.Sweep, w.config.Verify, w.config.Scan = time.Second, time.Second, time.Second
		replicas := 1
		if engine == "postgres" {
			replicas = 2
		}
		var first replica
		for n := range replicas {
			db := w.db
			if n > 0 {
				db = testdb.Open(t, database.Config{URL: url})
			}
			queue, err := job.New(db, job.Config{Logger: slog.New(slog.DiscardHandler)})
			require.NoError(t, err)
			made := w.on(db, queue, w.driver())
			require.NoError(t, made.tickets.Register(queue))
			require.NoError(t, queue.Start(t.Context()))
			t.Cleanup(func() {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				if err := queue.Stop(ctx); err != nil {
					t.Error(err)
				}
			})
			if n == 0 {
				first = made
			}
		}
		one := w.tenants[0]
		w.server.Inject(onCreate(standin.Fault{Action: standin.CommitDrop, Skip: 5, Count: 3}))
		var took []time.Duration
		for n := range alerts {
			key := fmt.Sprint("key ", n)
			began := time.Now()
			a, _, err := first.alerts.Submit(one.in[n%2], alert.Report{Type: alert.Custom, Title: key, DedupeKey: key})
			require.NoError(t, err)
			require.Eventually(t, func() bool { return w.ticketOf(a).ExternalID != "" }, patience, time.Millisecond)
			took = append(took, time.Since(began))
			if n%2 == 0 {
				_, err = first.alerts.Resolve(one.in[0], a.ID, nil)
				require.NoError(t, err)
			}
		}
		require.Eventually(t, func() bool { return len(w.waiting()) == 0 }, patience, 5*time.Millisecond)
		closed := 0
		for _, r := range w.server.Tickets(one.token) {
			if r.Status == "Resolved" {
				closed++
			}
		}
		require.Len(t, w.server.Tickets(one.token), alerts)
		require.Equal(t, alerts/2, closed)
		slices.Sort(took)
		t.Logf("%s: from raising to the vendor's answer: p50 %s, p95 %s, most %s", engine, took[alerts/2], took[alerts*95/100], took[alerts-1])
	})
}
