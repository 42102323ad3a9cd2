package ticket_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	entticket "github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/secret"
	kit "github.com/bailiwick/bailiwick/internal/testkit/replica"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
	"github.com/bailiwick/bailiwick/tenancy"
)

// workerVariable makes this test binary a worker on the database that it names.
const workerVariable = "BAILIWICK_TICKET_TEST_WORKER"

func TestMain(m *testing.M) {
	if url := os.Getenv(workerVariable); url != "" {
		if err := work(context.Background(), url); err != nil {
			fmt.Fprintln(os.Stderr, err) // its parent misses the tickets
		}
		return
	}
	m.Run()
}

// hasty is a configuration for real time.
func hasty() ticket.Config {
	c := ticket.DefaultConfig()
	c.CallTimeout, c.Lease = 900*time.Millisecond, time.Second
	c.LookupPauses = []time.Duration{20 * time.Millisecond, 50 * time.Millisecond}
	c.Backoff, c.MaxBackoff = 10*time.Millisecond, 200*time.Millisecond
	c.RecheckHeld, c.ThrottlePause = 100*time.Millisecond, 50*time.Millisecond
	return c
}

// work delivers whatever is due until the process is killed, or the one that
// started it is gone.
func work(ctx context.Context, url string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent
		cancel()
	}()
	quiet := slog.New(slog.DiscardHandler)
	db, err := database.Open(ctx, database.Config{URL: url, Logger: quiet, MaxConns: 4})
	if err != nil {
		return err
	}
	master, err := secret.ParseMasterKey(secret.NewText(masterKey))
	if err != nil {
		return err
	}
	r, err := kit.New(kit.Config{
		DB: db, Key: master, Jobs: &jobs{}, Policies: lifted(), LimitClock: db.Clock(time.Now).Read, Clock: time.Now, Ticket: hasty(),
		Drivers: psa.Drivers{psa.Syncro: syncro.Driver(syncro.Config{
			AllowLoopback: true, Timeout: callTimeout, MaxPages: 20, Logger: quiet, Clock: time.Now,
		})},
	})
	if err != nil {
		return err
	}
	client := db.Client()
	system := tenancy.System(ctx, "a test's worker finds what is due")
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		now := time.Now().UTC()
		due, err := client.Ticket.Query().
			Where(entticket.NextAttemptAtLTE(now), entticket.Or(entticket.LeaseUntilIsNil(), entticket.LeaseUntilLTE(now))).
			Limit(8).All(system)
		if err != nil {
			return err
		}
		var group sync.WaitGroup
		for _, t := range due {
			group.Go(func() {
				tenant := job.Tenant{Provider: t.ProviderID, Organization: t.OrganizationID}
				if err := r.Tickets.Deliver(job.TenantContext(ctx, tenant, "ticketing"), t.ID); err != nil {
					fmt.Fprintln(os.Stderr, "deliver:", err)
				}
			})
		}
		group.Wait()
		<-tick.C
	}
	return nil
}

// start runs a worker in a process of its own.
func start(t *testing.T, url string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	child := exec.Command(self)
	child.Env = append(os.Environ(), workerVariable+"="+url)
	child.Stderr = os.Stderr
	_, err = child.StdinPipe() // closed by our death
	require.NoError(t, err)
	require.NoError(t, child.Start())
	return child
}

// kill is kill -9.
func kill(child *exec.Cmd) {
	_ = child.Process.Kill() // it may have ended
	_ = child.Wait()
}

// TestKilled: two processes deliver, and are killed again and again wherever
// they are.
func TestKilled(t *testing.T) {
	const incidents, kills, patience = 24, 10, time.Minute
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		url := testdb.URL(t, engine)
		w := newWorld(t, testdb.Open(t, database.Config{URL: url}))
		w.clock.real = true
		// The answers are slow, so that many deaths find a call under way.
		w.server.Inject(standin.Fault{Method: "POST", Action: standin.CommitSlow, Delay: 15 * time.Millisecond, Count: -1})
		random := rand.New(rand.NewPCG(1, 2))
		children := []*exec.Cmd{start(t, url), start(t, url)}
		t.Cleanup(func() {
			for _, c := range children {
				kill(c)
			}
		})
		until := func(what string, done func() bool) {
			t.Helper()
			require.Eventually(t, done, patience, time.Millisecond, what)
		}
		calls := func() int { return len(w.server.Requests("", "")) }
		slay := func(times int) {
			for range times {
				limit := calls() + 1 + random.IntN(12)
				until("calls before the next death", func() bool { return calls() >= limit || len(w.waiting()) == 0 })
				n := random.IntN(len(children))
				kill(children[n])
				children[n] = start(t, url)
			}
		}
		var all []*ent.Alert
		ctxOf := func(n int) (*tenant, context.Context) { return w.tenants[n%2], w.tenants[n%2].in[n/2%2] }
		for n := range incidents {
			_, ctx := ctxOf(n)
			all = append(all, w.raise(ctx, fmt.Sprint("key ", n)))
		}
		slay(kills / 2)
		for n, a := range all {
			_, ctx := ctxOf(n)
			w.worsen(ctx, a.DedupeKey)
		}
		slay(kills / 2)
		until("tickets at rest", func() bool { return len(w.waiting()) == 0 })
		for n, a := range all {
			_, ctx := ctxOf(n)
			w.resolve(ctx, a)
		}
		slay(2)
		until("tickets at rest", func() bool { return len(w.waiting()) == 0 })
		for n, a := range all {
			one, _ := ctxOf(n)
			require.Equal(t, "Resolved", w.requireOnce(one, a, "Initial Issue", "More severe", "Resolved").Status)
		}
		for _, one := range w.tenants {
			require.Len(t, w.server.Tickets(one.token), incidents/2)
		}
	})
}
