package event_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lib/pq" // the driver "postgres"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/event"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

// transaction is what a caller carries in the context: the statement runner
// and what waits for the commit.
type transaction struct {
	*sql.Tx
	committed []func()
}

type transactionKey struct{}

// replica is one process: a bus, its listener and its own database pool.
type replica struct {
	db          *sql.DB
	bus         *event.Bus
	listener    *event.Listener
	reconnected atomic.Int32
}

// onPostgres runs a test with the URL of a server. Only notifications pass
// through it, so that the server's own database will do.
func onPostgres(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	testdb.OnPostgres(t, func(t *testing.T) { test(t, os.Getenv("BAILIWICK_TEST_POSTGRES")) })
}

// named adds an application name, by which the listener's backend is found.
func named(t *testing.T, url, name string) string {
	t.Helper()
	if strings.Contains(url, "://") {
		separator := "?"
		if strings.Contains(url, "?") {
			separator = "&"
		}
		return url + separator + "application_name=" + name
	}
	return url + " application_name=" + name
}

func applicationName(t *testing.T, replica int) string {
	t.Helper()
	test, _, _ := strings.Cut(strings.ToLower(t.Name()), "/") // PostgreSQL keeps 63 bytes
	return fmt.Sprintf("%s_%d_%d", test, os.Getpid(), replica)
}

func newReplica(t *testing.T, url string, number int) *replica {
	t.Helper()
	r := &replica{}
	var err error
	r.db, err = sql.Open("postgres", url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.db.Close() })
	r.bus, err = event.NewBus(
		func(ctx context.Context, run func()) {
			if tx, ok := ctx.Value(transactionKey{}).(*transaction); ok {
				tx.committed = append(tx.committed, run)
				return
			}
			run()
		},
		func(ctx context.Context, channel string, payloads ...string) error {
			const announce = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload"
			if tx, ok := ctx.Value(transactionKey{}).(*transaction); ok {
				_, err := tx.ExecContext(ctx, announce, channel, pq.Array(payloads))
				return err
			}
			_, err := r.db.ExecContext(ctx, announce, channel, pq.Array(payloads))
			return err
		})
	require.NoError(t, err)
	r.listener, err = event.NewListener(r.bus, event.ListenerConfig{
		URL:          named(t, url, applicationName(t, number)),
		Logger:       slog.New(slog.DiscardHandler),
		OnReconnect:  func() { r.reconnected.Add(1) },
		MinReconnect: 10 * time.Millisecond,
		MaxReconnect: 50 * time.Millisecond,
	})
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.listener.Run(ctx); err != nil {
			t.Errorf("listener: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	require.Eventually(t, r.listener.Healthy, patience, 5*time.Millisecond)
	return r
}

// inTx runs a transaction as a caller would, without the process being told of
// the commit if deaf.
func (r *replica) inTx(t *testing.T, commit, deaf bool, run func(ctx context.Context)) {
	t.Helper()
	raw, err := r.db.Begin()
	require.NoError(t, err)
	tx := &transaction{Tx: raw}
	run(context.WithValue(t.Context(), transactionKey{}, tx))
	if !commit {
		require.NoError(t, tx.Rollback())
		return
	}
	require.NoError(t, tx.Commit())
	if !deaf {
		for _, committed := range tx.committed {
			committed()
		}
	}
}

// requireOnly reads the expected ids and then a fence, which another replica
// sends through the database, so that a duplicate or a stray would be seen.
func requireOnly(t *testing.T, other *replica, events <-chan event.Event, ids ...string) {
	t.Helper()
	fence := fmt.Sprintf("fence %p", other)
	require.NoError(t, other.bus.Publish(t.Context(), alert("org_a", fence)))
	var got []string
	for e := next(t, events); e.ID != fence; e = next(t, events) {
		if !strings.HasPrefix(e.ID, "fence") { // its own, which overtakes the database
			got = append(got, e.ID)
		}
	}
	require.Equal(t, ids, got)
}

func TestTwoReplicasHearEachOther(t *testing.T) { onPostgres(t, hearEachOther) }

func hearEachOther(t *testing.T, url string) {
	one, two := newReplica(t, url, 1), newReplica(t, url, 2)
	atOne := one.bus.Subscribe(t.Context(), event.AlertChanged, nil)
	atTwo := two.bus.Subscribe(t.Context(), event.AlertChanged, nil)

	one.inTx(t, true, false, func(ctx context.Context) {
		require.NoError(t, one.bus.Publish(ctx, alert("org_a", "committed")))
		require.Empty(t, atOne, "nothing before the commit")
	})
	one.inTx(t, false, false, func(ctx context.Context) {
		require.NoError(t, one.bus.Publish(ctx, alert("org_a", "rolled back")))
	})
	one.inTx(t, true, true, func(ctx context.Context) {
		require.NoError(t, one.bus.Publish(ctx, alert("org_a", "answer to the commit lost")))
	})
	_, err := one.db.Exec("SELECT pg_notify($1, $2), pg_notify($1, '{}')", event.Channel, "not an event")
	require.NoError(t, err)

	requireOnly(t, one, atTwo, "committed", "answer to the commit lost")
	requireOnly(t, two, atOne, "committed", "answer to the commit lost")
	require.Contains(t, next(t, atTwo).ID, "fence") // replica two's own
	largest := alert("org_a", "largest")
	largest.Payload = strings.Repeat("x", 7800)
	require.NoError(t, one.bus.Publish(t.Context(), largest))
	require.Equal(t, largest, next(t, atTwo))
}

func TestListenerComesBackAndTellsEveryoneToResync(t *testing.T) { onPostgres(t, comeBackAndResync) }

func comeBackAndResync(t *testing.T, url string) {
	one, two := newReplica(t, url, 1), newReplica(t, url, 2)
	atTwo := two.bus.Subscribe(t.Context(), event.AlertChanged, nil)
	var flushed atomic.Int32
	two.bus.Handle(event.AccessChanged, func(e event.Event) {
		if e.Resync {
			flushed.Add(1)
		}
	})

	var killed bool
	require.NoError(t, one.db.QueryRow(
		"SELECT bool_or(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1",
		applicationName(t, 2)).Scan(&killed))
	require.True(t, killed)

	require.True(t, next(t, atTwo).Resync)
	require.Eventually(t, func() bool { return two.reconnected.Load() == 1 }, patience, 5*time.Millisecond)
	require.Eventually(t, two.listener.Healthy, patience, 5*time.Millisecond)
	require.Equal(t, int32(1), flushed.Load())
	require.Zero(t, one.reconnected.Load())

	require.NoError(t, one.bus.Publish(t.Context(), alert("org_a", "after")))
	require.Equal(t, "after", next(t, atTwo).ID)
}

func TestListenerStopsWhileTheDatabaseIsDown(t *testing.T) {
	bus := newBus(t)
	listener, err := event.NewListener(bus, event.ListenerConfig{
		URL:          "postgres://nobody@127.0.0.1:1/none?sslmode=disable",
		Logger:       slog.New(slog.DiscardHandler),
		MinReconnect: time.Millisecond,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- listener.Run(ctx) }()
	require.False(t, listener.Healthy())
	cancel()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(patience):
		t.Fatal("Run does not return")
	}
}

func TestListenerConfigIsChecked(t *testing.T) {
	for _, config := range []event.ListenerConfig{
		{URL: "postgres://localhost/x"},
		{Logger: slog.New(slog.DiscardHandler)},
		{Logger: slog.New(slog.DiscardHandler), URL: "postgres://u:hunter2@ho st:no/x"},
		{Logger: slog.New(slog.DiscardHandler), URL: "postgres://localhost/x", MinReconnect: -1},
	} {
		_, err := event.NewListener(newBus(t), config)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

// Whoever has published an event knows that it was handled in its own process,
// also when the database's echo was faster.
func TestWhoPublishesWaitsForTheEcho(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) {
		r := newReplica(t, url, 1)
		entered, release := make(chan struct{}), make(chan struct{})
		finish := sync.OnceFunc(func() { close(release) })
		defer finish()
		var handled atomic.Int32
		stop := r.bus.Handle(event.AlertChanged, func(event.Event) {
			close(entered)
			<-release
			handled.Add(1)
		})
		defer stop()
		var tx *transaction
		r.inTx(t, true, true, func(ctx context.Context) {
			tx, _ = ctx.Value(transactionKey{}).(*transaction)
			require.NoError(t, r.bus.Publish(ctx, alert("org_a", "one")))
		})
		<-entered
		told := make(chan int32, 1)
		go func() {
			for _, committed := range tx.committed {
				committed()
			}
			told <- handled.Load()
		}()
		select {
		case <-told:
			t.Fatal("it did not wait")
		case <-time.After(50 * time.Millisecond):
		}
		finish()
		require.EqualValues(t, 1, <-told)
	})
}
