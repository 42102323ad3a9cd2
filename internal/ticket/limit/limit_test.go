package limit_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket/limit"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/tenancy"
)

// clock is the database's time, which tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now(context.Context) (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now, nil
}

func (c *clock) pass(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 7, 0, time.UTC)} }

// replicas are limiters on pools of their own of one database.
func replicas(t *testing.T, engine string, n int, now limit.Clock, policies limit.Policies) []*limit.Limiter {
	t.Helper()
	url := testdb.URL(t, engine)
	var all []*limit.Limiter
	for range n {
		db := testdb.Open(t, database.Config{URL: url})
		clock := now
		if clock == nil {
			clock = db.Clock(time.Now).Read
		}
		l, err := limit.New(limit.Config{DB: db, Policies: policies, Clock: clock, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		all = append(all, l)
	}
	return all
}

func account(n int) limit.Account {
	return limit.Account{Kind: psa.Syncro, Provider: "provider", Name: fmt.Sprint("msp", n)}
}

func minute(calls int) limit.Policy {
	return limit.Policy{Calls: calls, Window: time.Minute, Pause: time.Minute, MaxPause: 10 * time.Minute}
}

// enter makes a call, and says how long to wait if it may not be made.
func enter(t *testing.T, g psa.Gate) time.Duration {
	t.Helper()
	leave, err := g.Enter(t.Context(), psa.Call{Path: "/tickets"})
	if err == nil {
		leave()
		return 0
	}
	require.Equal(t, psa.Throttled, psa.ClassOf(err), "%v", err)
	var e *psa.Error
	require.ErrorAs(t, err, &e)
	require.Positive(t, e.RetryAfter)
	return e.RetryAfter
}

// TestOrders: whatever the order in which tenants call, at whichever replica, no
// minute has more calls than allowed, wherever it begins and even if calls
// arrive a slice late; and who has had less than a fair share is admitted while
// any call is left.
func TestOrders(t *testing.T) {
	const calls, steps = 40, 500
	slice := time.Minute / 12
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		for seed := range uint64(4) {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 7))
				tenants := 1 + random.IntN(7)
				clock := newClock()
				both := replicas(t, engine, 2, clock.Now, limit.Policies{psa.Syncro: minute(calls)})
				type admitted struct {
					tenant  int
					at      time.Time
					arrival time.Time
				}
				var all []admitted
				now := clock.pass(0)
				counted := func(a admitted) bool { // in a slice that counts
					return now.UnixNano()/int64(slice)-a.at.UnixNano()/int64(slice) < 14
				}
				for range steps {
					switch random.IntN(12) {
					case 0:
						now = clock.pass(time.Duration(random.Int64N(int64(40 * time.Second))))
					case 1, 2, 3, 4:
						now = clock.pass(time.Duration(random.Int64N(int64(2 * time.Second))))
					}
					tenant := 0 // the noisy one
					if random.IntN(3) == 0 {
						tenant = random.IntN(tenants)
					}
					used, its, seen := 0, 0, map[int]bool{tenant: true}
					for _, a := range all {
						if !counted(a) {
							continue
						}
						used++
						seen[a.tenant] = true
						if a.tenant == tenant {
							its++
						}
					}
					gate := both[random.IntN(2)].Gate(account(tenant))
					peek, err := gate.Wait(t.Context())
					require.NoError(t, err)
					wait := enter(t, gate)
					require.Equal(t, peek, wait, "what was foretold")
					below := its*len(seen) < calls
					switch {
					case used >= calls:
						require.Positive(t, wait, "%d of %d used", used, calls)
					case below || used < calls-calls/4:
						require.Zero(t, wait, "tenant with %d of %d, among %d", its, used, len(seen))
					default:
						require.Positive(t, wait, "tenant with %d of %d, among %d, takes what is kept for others", its, used, len(seen))
					}
					if wait == 0 {
						all = append(all, admitted{tenant, now, now.Add(time.Duration(random.Int64N(int64(slice))))})
					}
				}
				for _, first := range all {
					for name, at := range map[string]func(admitted) time.Time{
						"admitted": func(a admitted) time.Time { return a.at }, "arrived": func(a admitted) time.Time { return a.arrival },
					} {
						n := 0
						for _, a := range all {
							if since := at(a).Sub(at(first)); since >= 0 && since < time.Minute {
								n++
							}
						}
						require.LessOrEqual(t, n, calls, "%s in the minute from %s", name, at(first))
					}
				}
				require.Greater(t, len(all), calls)
			})
		}
	})
}

// TestWaitIsEnough: who waits for as long as told is admitted.
func TestWaitIsEnough(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		clock := newClock()
		l := replicas(t, engine, 1, clock.Now, limit.Policies{psa.Syncro: minute(8)})[0]
		noisy, quiet := l.Gate(account(0)), l.Gate(account(1))
		for range 8 {
			require.Zero(t, enter(t, noisy))
		}
		require.Positive(t, enter(t, noisy))
		clock.pass(enter(t, noisy))
		require.Zero(t, enter(t, noisy))
		require.Zero(t, enter(t, quiet))
		for enter(t, noisy) == 0 {
			clock.pass(time.Second)
		}
		require.Zero(t, enter(t, quiet), "the noisy one leaves some")
		clock.pass(enter(t, noisy))
		require.Zero(t, enter(t, noisy))
	})
}

// TestAtOnce: replicas that call at once make exactly as many calls as allowed,
// on the database's own clock.
func TestAtOnce(t *testing.T) {
	const calls = 60
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		both := replicas(t, engine, 2, nil, limit.Policies{psa.Syncro: minute(calls)})
		var mu sync.Mutex
		made := 0
		var group sync.WaitGroup
		for n := range 8 {
			group.Go(func() {
				gate := both[n%2].Gate(account(n / 2)) // four tenants at two replicas
				for range calls / 4 {
					leave, err := gate.Enter(t.Context(), psa.Call{Path: "/tickets"})
					if err != nil {
						if psa.ClassOf(err) != psa.Throttled {
							t.Error(err)
						}
						continue
					}
					leave()
					mu.Lock()
					made++
					mu.Unlock()
				}
			})
		}
		group.Wait()
		require.Equal(t, calls, made)
	})
}

// TestPause: what the vendor asks for holds at every replica, for everybody who
// shares the limit, and is not shortened.
func TestPause(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		clock := newClock()
		policies := limit.Policies{psa.Syncro: minute(100), psa.ConnectWise: minute(100)}
		both := replicas(t, engine, 2, clock.Now, policies)
		refused, other := both[0].Gate(account(0)), both[1].Gate(account(1))
		refused.Refused(t.Context(), &psa.Error{Class: psa.Throttled, RetryAfter: 90 * time.Second})
		refused.Refused(t.Context(), &psa.Error{Class: psa.Throttled, RetryAfter: 10 * time.Second})
		require.Equal(t, 90*time.Second, enter(t, other))
		closed, err := other.Closed(t.Context())
		require.NoError(t, err)
		require.True(t, closed)
		clock.pass(90*time.Second - time.Millisecond)
		require.Positive(t, enter(t, other))
		clock.pass(time.Millisecond)
		require.Zero(t, enter(t, other))
		require.Zero(t, enter(t, refused))
		refused.Refused(t.Context(), &psa.Error{Class: psa.Throttled})
		require.Equal(t, time.Minute, enter(t, other), "the vendor does not say for how long")
		refused.Refused(t.Context(), &psa.Error{Class: psa.Throttled, RetryAfter: 24 * time.Hour})
		require.Equal(t, 10*time.Minute, enter(t, other), "nobody asks for a day")

		mine := limit.Account{Kind: psa.ConnectWise, Provider: "one", Name: "acme", BaseURL: "https://site"}
		theirs := mine
		theirs.Provider = "two"
		both[0].Gate(mine).Refused(t.Context(), &psa.Error{Class: psa.Throttled})
		require.Positive(t, enter(t, both[1].Gate(mine)))
		require.Zero(t, enter(t, both[1].Gate(theirs)), "no provider pauses another's account")
	})
}

// TestOrganizationsShare: one organization leaves calls of the account to others.
func TestOrganizationsShare(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		l := replicas(t, engine, 1, newClock().Now, limit.Policies{psa.ConnectWise: minute(40)})[0]
		gate := l.Gate(limit.Account{Kind: psa.ConnectWise, Provider: "one", Name: "acme"})
		in := func(organization string) int {
			ctx := tenancy.With(t.Context(), tenancy.ForOrganizations(tenancy.ServicePrincipal("test"), "one", organization))
			for n := 0; ; n++ {
				if _, err := gate.Enter(ctx, psa.Call{}); err != nil {
					return n
				}
			}
		}
		require.Equal(t, 40, in("first"), "alone, it may have all")
		l = replicas(t, engine, 1, newClock().Now, limit.Policies{psa.ConnectWise: minute(40)})[0]
		gate = l.Gate(limit.Account{Kind: psa.ConnectWise, Provider: "one", Name: "acme"})
		_, err := gate.Enter(tenancy.With(t.Context(), tenancy.ForOrganizations(tenancy.ServicePrincipal("test"), "one", "second")), psa.Call{})
		require.NoError(t, err)
		require.Equal(t, 29, in("first"))
		require.Equal(t, 10, in("second"))
	})
}

func TestForget(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		clock := newClock()
		clock.now = time.Now()
		url := testdb.URL(t, engine)
		db := testdb.Open(t, database.Config{URL: url})
		policy := minute(10)
		policy.Threads, policy.Lease, policy.Patience = 2, time.Minute, time.Second
		l, err := limit.New(limit.Config{DB: db, Policies: limit.Policies{psa.Syncro: policy}, Clock: clock.Now, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		require.Zero(t, enter(t, l.Gate(account(0))))
		left := func() int {
			system := tenancy.System(t.Context(), "a test looks at everything")
			c := db.Client()
			return c.RateLimit.Query().CountX(system) + c.RateShare.Query().CountX(system) + c.RateSlot.Query().CountX(system)
		}
		require.NoError(t, l.Forget(t.Context()))
		require.Equal(t, 1+1+2, left())
		clock.pass(72 * time.Hour)
		require.NoError(t, l.Forget(t.Context()))
		require.Zero(t, left())
	})
}

func TestBudget(t *testing.T) {
	for _, c := range []struct{ threshold, others, want int }{
		{10_000, 0, 5000}, {10_000, -30, 5000}, {10_000, 1000, 4000}, {10_000, 4900, 500}, {10_000, 7000, 500},
		{10_000, 9000, 250}, {10_000, 9990, 2}, {10_000, 10_000, 0}, {10_000, 12_000, 0},
	} {
		require.Equal(t, c.want, limit.Budget(c.threshold, c.others), "%+v", c)
	}
}

func TestValidate(t *testing.T) {
	require.NoError(t, limit.DefaultPolicies().Validate())
	for _, change := range []func(*limit.Policy){
		func(p *limit.Policy) { p.Calls = 0 }, func(p *limit.Policy) { p.Window = 0 }, func(p *limit.Policy) { p.Threads = -1 },
		func(p *limit.Policy) { p.Lease = 0 }, func(p *limit.Policy) { p.Patience = 0 }, func(p *limit.Policy) { p.Pause = 0 },
		func(p *limit.Policy) { p.MaxPause = 1 }, func(p *limit.Policy) { p.MeasureAfter = 0 },
	} {
		p := limit.DefaultPolicies()[psa.Autotask]
		change(&p)
		require.Error(t, limit.Policies{psa.Autotask: p}.Validate())
	}
	_, err := limit.New(limit.Config{})
	require.Error(t, err)
}
