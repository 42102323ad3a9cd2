package database_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

// machine is a clock that is wrong.
type machine struct {
	mu  sync.Mutex
	off time.Duration
}

func (m *machine) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Add(m.off)
}

func (m *machine) set(off time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.off = off
}

// TestClock: replicas whose machines disagree have one time with PostgreSQL;
// with SQLite it is their machine's.
func TestClock(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db := testdb.New(t, engine)
		fast, slow := &machine{off: 10 * time.Minute}, &machine{off: -10 * time.Minute}
		for _, m := range []*machine{fast, slow} {
			c := db.Clock(m.now)
			require.WithinDuration(t, m.now(), c.Now(), time.Minute, "nothing has been read")
			now, err := c.Read(t.Context())
			require.NoError(t, err)
			want := time.Now() // the test's server runs on this machine
			if engine != "postgres" {
				want = m.now()
			}
			require.WithinDuration(t, want, now, time.Minute)
			require.WithinDuration(t, want, c.Now(), time.Minute)
			for last := now; last.Before(now.Add(time.Millisecond)); {
				next := c.Now()
				require.False(t, next.Before(last))
				last = next
			}
		}
	})
}

// TestClockWithoutServer: what is known is carried on; what was never known is
// an error, and not a guess.
func TestClockWithoutServer(t *testing.T) {
	testdb.OnPostgres(t, func(t *testing.T) {
		db := testdb.New(t, "postgres")
		over, cancel := context.WithCancel(t.Context())
		cancel()
		c := db.Clock(time.Now)
		_, err := c.Read(over)
		require.ErrorIs(t, err, context.Canceled)

		_, err = c.Read(t.Context())
		require.NoError(t, err)
		_, err = c.Read(over)
		require.NoError(t, err, "the reading is fresh")
	})
}

// TestClockRun: a machine that is set wrong while it runs is told so, once, and
// the time goes on as before.
func TestClockRun(t *testing.T) {
	testdb.OnPostgres(t, func(t *testing.T) {
		log := &lines{}
		db := testdb.Open(t, database.Config{
			URL: testdb.URL(t, "postgres"), Logger: slog.New(slog.NewTextHandler(log, nil)),
		})
		m := &machine{off: -time.Hour}
		c := db.Clock(m.now)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		require.Eventually(t, func() bool { return log.count("clock differs") == 1 }, 20*time.Second, 5*time.Millisecond)
		m.set(0)
		require.Eventually(t, func() bool { return time.Until(c.Now()).Abs() < time.Minute }, 20*time.Second, 5*time.Millisecond)
		require.Equal(t, 1, log.count("clock differs"))
		cancel()
		require.NoError(t, <-ended)
	})
}

// lines is a log that tests can read.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(words string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.text.Bytes(), []byte(words))
}
