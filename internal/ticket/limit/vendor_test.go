package limit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket/limit"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask/standin"
)

const user = "api@acme.example"

// office is an Autotask database that enforces its limits, and what opens it.
type office struct {
	server *standin.Server
	url    string
	clock  *clock
}

func newOffice(t *testing.T, change func(*standin.Config)) office {
	t.Helper()
	o := office{clock: newClock()}
	config := standin.Config{
		Accounts: []standin.Account{{
			Database: "Acme", IntegrationCode: "CODE", Username: user, Secret: "secret",
			Companies: []standin.Company{{ID: 7, Name: "Dunder"}},
		}},
		Logger: slog.New(slog.DiscardHandler),
		Clock:  func() time.Time { return o.clock.pass(0) },
	}
	change(&config)
	var err error
	o.server, err = standin.New(config)
	require.NoError(t, err)
	web := httptest.NewServer(o.server)
	t.Cleanup(web.Close)
	o.url = web.URL
	return o
}

func (o office) account() limit.Account {
	return limit.Account{Kind: psa.Autotask, Provider: "provider", Name: user}
}

func (o office) open(t *testing.T, gate psa.Gate) *autotask.Client {
	t.Helper()
	c, err := autotask.New(autotask.Config{
		IntegrationCode: "CODE", DiscoveryURL: o.url + "/atservicesrest", AllowLoopback: true, Timeout: 20 * time.Second,
		PageSize: autotask.DefaultPageSize, MaxPages: autotask.DefaultMaxPages, Gate: gate,
		Logger: slog.New(slog.DiscardHandler), Clock: time.Now,
	}, autotask.Credentials{Username: user, Secret: "secret"})
	require.NoError(t, err)
	return c
}

func hour(calls int) limit.Policy {
	return limit.Policy{
		Calls: calls, Window: time.Hour, Threads: 3, Lease: time.Minute, Patience: 30 * time.Second, Pause: time.Minute, MaxPause: time.Hour,
		MeasureEvery: 5 * time.Minute, MeasureAfter: 10,
	}
}

// vendorRefused reports an answer of the vendor's, which is not our own refusal.
func vendorRefused(err error) bool {
	var e *psa.Error
	return err != nil && (!errors.As(err, &e) || e.Status != 0)
}

// TestThreads: with two replicas at work, the vendor never sees a fourth call at
// the same kind of object.
func TestThreads(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		o := newOffice(t, func(c *standin.Config) { c.Threads = 3 })
		o.server.Inject(standin.Fault{Path: "/Companies/*", Action: standin.CommitSlow, Delay: 3 * time.Millisecond, Count: -1})
		both := replicas(t, engine, 2, nil, limit.Policies{psa.Autotask: hour(5000)})
		var group sync.WaitGroup
		var made atomic.Int64
		for n := range 10 {
			client := o.open(t, both[n%2].Gate(o.account()))
			group.Go(func() {
				for range 6 {
					if _, err := client.Company(t.Context(), "7"); err != nil {
						t.Error(err)
						continue
					}
					made.Add(1)
				}
			})
		}
		group.Wait()
		require.EqualValues(t, 60, made.Load())
	})
}

// TestPlaceOfTheDead: the place of a call whose process died is free again, and
// not before its time is up.
func TestPlaceOfTheDead(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		clock := newClock()
		policy := hour(100)
		policy.Patience = 20 * time.Millisecond
		both := replicas(t, engine, 2, clock.Now, limit.Policies{psa.Autotask: policy})
		o := office{}
		first, second := both[0].Gate(o.account()), both[1].Gate(o.account())
		at := func(path string) psa.Call { return psa.Call{Path: path} }
		var leave func()
		for range 3 {
			var err error
			leave, err = first.Enter(t.Context(), at("/Tickets/1/Notes"))
			require.NoError(t, err)
		}
		_, err := second.Enter(t.Context(), at("/Tickets"))
		require.Equal(t, psa.Throttled, psa.ClassOf(err), "%v", err)
		var e *psa.Error
		require.ErrorAs(t, err, &e)
		require.Positive(t, e.RetryAfter)
		free, err := second.Enter(t.Context(), at("/Companies"))
		require.NoError(t, err)
		free()
		leave()
		again, err := second.Enter(t.Context(), at("/Tickets"))
		require.NoError(t, err)
		again()
		again() // twice is no harm
		clock.pass(policy.Lease)
		for range 3 {
			_, err := second.Enter(t.Context(), at("/Tickets"))
			require.NoError(t, err)
		}
		again() // nor is it to who holds the place now
		_, err = first.Enter(t.Context(), at("/Tickets"))
		require.Equal(t, psa.Throttled, psa.ClassOf(err))
	})
}

// TestNeighbours: the more others use of the database, the less we do, and
// together we stay below half of what it allows.
func TestNeighbours(t *testing.T) {
	const threshold = 400
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		o := newOffice(t, func(c *standin.Config) { c.PerHour = threshold })
		both := replicas(t, engine, 2, o.clock.Now, limit.Policies{psa.Autotask: hour(threshold / 2)})
		call := func(n int) (ours int) {
			for i := range n {
				gate := both[i%2].Gate(o.account())
				client := o.open(t, gate)
				_, err := client.Company(t.Context(), "7")
				require.False(t, vendorRefused(err), "%v", err)
				if err == nil {
					ours++
				}
				if err := gate.Measure(t.Context(), client); vendorRefused(err) {
					t.Error(err)
				}
			}
			return ours
		}
		used := func() int { return len(o.server.Requests("", "")) - len(o.server.Requests("", "/zoneInformation")) }
		call(20)
		require.Less(t, used(), 60)
		o.server.Burn(user, 90)
		o.clock.pass(5 * time.Minute) // they are noticed
		call(200)
		require.LessOrEqual(t, used()+90, threshold/2+12, "beyond half by what is made between measurements")
		require.Greater(t, used()+90, threshold/2-30)
		o.server.Burn(user, threshold) // and then beyond everything
		o.clock.pass(5 * time.Minute)
		before := used()
		call(30)
		require.LessOrEqual(t, used()-before, 12)
	})
}

// TestClocks: a replica's own clock is of no consequence; the database's counts.
func TestClocks(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db := testdb.New(t, engine)
		theirs := db.Clock(time.Now).Read
		before := time.Now().Add(-5 * time.Second)
		var last time.Time
		for range 100 {
			now, err := theirs(t.Context())
			require.NoError(t, err)
			require.False(t, now.Before(last))
			require.True(t, now.After(before) && now.Before(time.Now().Add(5*time.Second)), "the test's server runs on this machine")
			last = now
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := db.Clock(time.Now).Read(over)
		require.Equal(t, engine == "postgres", err != nil, fmt.Sprint("whether it is asked for: ", err))
	})
}
