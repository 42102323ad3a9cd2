package ticket_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ratelimit"
	entticket "github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
	"github.com/bailiwick/bailiwick/schema"
)

// line is a queue in memory, in the order of River's: by time, and then as they
// came, each key at most once.
type line struct {
	mu      sync.Mutex
	waiting []enqueued
	clock   *clock
}

func (q *line) Enqueue(_ context.Context, args job.Args, o job.EnqueueOptions) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := enqueued{args.(ticket.Lane), o}
	if e.At.IsZero() {
		e.At = q.clock.Now()
	}
	for _, w := range q.waiting {
		if w.Organization == e.Organization && w.UniqueKey == e.UniqueKey {
			return nil
		}
	}
	q.waiting = append(q.waiting, e)
	slices.SortStableFunc(q.waiting, func(a, b enqueued) int { return a.At.Compare(b.At) })
	return nil
}

// next takes the first lane that is due.
func (q *line) next() (enqueued, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 || q.waiting[0].At.After(q.clock.Now()) {
		return enqueued{}, false
	}
	first := q.waiting[0]
	q.waiting = q.waiting[1:]
	return first, true
}

// turn works the first lane that is due.
func (w *world) turn(q *line, worker *ticket.Service) bool {
	w.t.Helper()
	l, ok := q.next()
	if ok {
		require.NoError(w.t, worker.Turn(job.TenantContext(w.t.Context(), l.Tenant, "ticketing"), l.Lane))
	}
	return ok
}

// flood gives an organization many tickets that are due.
func (w *world) flood(one *tenant, organization, tickets int) {
	w.t.Helper()
	ctx := one.in[organization]
	a := w.raise(ctx, "flood")
	first := w.ticketOf(a)
	const batch = 500
	for done := 1; done < tickets; done += batch {
		var all []*ent.TicketCreate
		for n := done; n < min(done+batch, tickets); n++ {
			all = append(all, w.client.Ticket.Create().SetOrganizationID(first.OrganizationID).SetIntegrationID(first.IntegrationID).
				SetAlertID(a.ID).SetMarker(fmt.Sprint("bw:flood", n)).SetGroupKey(fmt.Sprint("flood ", n)).SetNextAttemptAt(*first.NextAttemptAt))
		}
		made, err := w.client.Ticket.CreateBulk(all...).Save(ctx)
		require.NoError(w.t, err)
		var deliveries []*ent.TicketDeliveryCreate
		for _, t := range made {
			deliveries = append(deliveries, w.client.TicketDelivery.Create().SetOrganizationID(t.OrganizationID).SetTicketID(t.ID).
				SetSequence(1).SetAction(ticketdelivery.ActionCreate).SetMarker(t.Marker).SetContent(schema.TicketContent{Title: "flood"}))
		}
		require.NoError(w.t, w.client.TicketDelivery.CreateBulk(deliveries...).Exec(ctx))
	}
}

// requireNoRefusal checks that the vendor has never had to say that it wants no
// more calls.
func (w *world) requireNoRefusal() {
	w.t.Helper()
	refused := w.client.RateLimit.Query().Where(ratelimit.PausedUntilNotNil()).CountX(w.system(w.t.Context()))
	require.Zero(w.t, refused)
}

// TestNoisyNeighbour: thousands of tickets of one organization delay another's
// by a few turns, within the vendor's limits and without touching those that
// wait.
func TestNoisyNeighbour(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		tickets := 2_000
		if engine == "postgres" {
			tickets = 10_000
		}
		url := testdb.URL(t, engine)
		w := newWorldWith(t, testdb.Open(t, database.Config{URL: url}), 180)
		w.clock.to(w.clock.Now().Add(5 * time.Minute)) // the set-up's calls are over
		q := &line{clock: w.clock}
		first, second := w.on(w.db, q, w.driver()), w.on(testdb.Open(t, database.Config{URL: url}), q, w.driver())
		w.replica = first
		one, other := w.tenants[0], w.tenants[1]
		w.flood(one, 0, tickets)
		workers := []*ticket.Service{first.tickets, second.tickets}
		for n := range 4 {
			require.True(t, w.turn(q, workers[n%2]))
		}
		busy := len(w.server.Tickets(one.token))
		require.GreaterOrEqual(t, busy, 60)

		// Another provider's, and another organization's of the same.
		theirs, beside := w.raise(other.in[0], "single"), w.raise(one.in[1], "single")
		turns, began := 0, w.clock.Now()
		for w.ticketOf(theirs).ExternalID == "" || w.ticketOf(beside).ExternalID == "" {
			require.True(t, w.turn(q, workers[turns%2]), "nobody has a turn")
			turns++
		}
		require.LessOrEqual(t, turns, w.config.Lanes+2)
		require.Equal(t, began, w.clock.Now())

		// The minute's calls are used up: nobody is put off one by one.
		for w.turn(q, workers[turns%2]) {
			turns++
		}
		require.Less(t, len(w.server.Tickets(one.token)), 180)
		touched := w.client.Ticket.Query().
			Where(entticket.NextAttemptAtGT(w.clock.Now()), entticket.OrganizationID(one.organizations[0])).CountX(one.all)
		require.LessOrEqual(t, touched, w.config.Lanes)
		require.Less(t, len(q.waiting), 8)
		again := w.client.TicketDelivery.Query().Where(ticketdelivery.AttemptsGT(1)).CountX(w.system(t.Context()))
		require.Zero(t, again, "what was not sent counts as no attempt")
		// And still another provider's single ticket goes out at once.
		late := w.raise(other.in[1], "late")
		for n := 0; w.ticketOf(late).ExternalID == ""; n++ {
			require.Less(t, n, 3)
			require.True(t, w.turn(q, workers[n%2]))
		}
		// Two minutes later the lane has gone on.
		before := len(w.server.Tickets(one.token))
		for until := w.clock.Now().Add(2 * time.Minute); w.clock.Now().Before(until); {
			if !w.turn(q, workers[0]) {
				w.clock.to(w.clock.Now().Add(time.Second))
			}
		}
		require.Greater(t, len(w.server.Tickets(one.token))-before, 150)
		w.requireNoRefusal()
	})
}

// crowd is a vendor that counts how many tickets are being made at a time.
type crowd struct {
	psa.Vendor
	now, most *atomic.Int64
}

func (c crowd) Create(ctx context.Context, d psa.Draft) (psa.Remote, error) {
	defer c.now.Add(-1)
	for n := c.now.Add(1); ; {
		if most := c.most.Load(); n <= most || c.most.CompareAndSwap(most, n) {
			return c.Vendor.Create(ctx, d)
		}
	}
}

// TestLanesAreBounded: however many jobs an organization has, so many workers
// serve it, and what comes to those who find no place is not forgotten.
func TestLanesAreBounded(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.policies = lifted()
		q := &line{clock: w.clock}
		var now, most atomic.Int64
		real := w.driver()
		w.replica = w.on(db, q, psa.Driver{Settings: real.Settings, Open: func(credentials []byte, gate psa.Gate) (psa.Vendor, error) {
			v, err := real.Open(credentials, gate)
			return crowd{v, &now, &most}, err
		}})
		w.server.Inject(onCreate(standin.Fault{Action: standin.CommitSlow, Delay: 2 * time.Millisecond, Count: -1}))
		one := w.tenants[0]
		w.flood(one, 0, 100)
		lane := q.waiting[0].Lane
		var group sync.WaitGroup
		for range 6 {
			group.Go(func() {
				if err := w.tickets.Turn(one.in[0], lane); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		for w.turn(q, w.tickets) {
		}
		require.Len(t, w.server.Tickets(one.token), 100)
		require.EqualValues(t, w.config.Lanes, most.Load())
	})
}

// TestClocksThatDiffer: two replicas whose clocks are two minutes apart keep the
// vendor's limit, and make each ticket once.
func TestClocksThatDiffer(t *testing.T) {
	const alerts = 240
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		url := testdb.URL(t, engine)
		w := newWorldWith(t, testdb.Open(t, database.Config{URL: url}), 180)
		w.clock.to(w.clock.Now().Add(5 * time.Minute))
		q := &line{clock: w.clock}
		w.skew = -time.Minute
		slow := w.on(w.db, q, w.driver())
		w.skew = time.Minute
		fast := w.on(testdb.Open(t, database.Config{URL: url}), q, w.driver())
		both := []replica{slow, fast}
		var raised [2][]*ent.Alert
		for n := range alerts {
			w.replica = both[n%2]
			raised[n/2%2] = append(raised[n/2%2], w.raise(w.tenants[n/2%2].in[n/4%2], fmt.Sprint("key ", n)))
		}
		for n := 0; len(w.waiting()) > 0; n++ {
			require.Less(t, n, 4000)
			var group sync.WaitGroup
			worked := make([]bool, 2)
			for i, r := range both {
				group.Go(func() { worked[i] = w.turn(q, r.tickets) })
			}
			group.Wait()
			if worked[0] || worked[1] {
				continue
			}
			w.clock.to(w.clock.Now().Add(time.Second))
			if n%5 == 0 {
				require.NoError(t, both[n%2].tickets.Sweep(t.Context()))
			}
		}
		for n, all := range raised {
			require.Len(t, w.server.Tickets(w.tenants[n].token), alerts/2)
			for _, a := range all {
				w.requireOnce(w.tenants[n], a, "Initial Issue")
			}
		}
		w.requireNoRefusal()
	})
}

// TestRetryAfterHoldsEverywhere: what the vendor asks of one replica, the others
// heed too, for every account behind the same address.
func TestRetryAfterHoldsEverywhere(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		url := testdb.URL(t, engine)
		w := newWorld(t, testdb.Open(t, database.Config{URL: url}))
		q := &line{clock: w.clock}
		first, second := w.on(w.db, q, w.driver()), w.on(testdb.Open(t, database.Config{URL: url}), q, w.driver())
		w.replica = first
		one, other := w.tenants[0], w.tenants[1]
		w.server.Inject(standin.Fault{Token: one.token, Action: standin.Throttle, RetryAfter: time.Minute})
		a := w.raise(one.in[0], "first")
		require.True(t, w.turn(q, first.tickets))
		sent := len(w.server.Requests("", ""))
		b, c := w.raise(one.in[1], "second"), w.raise(other.in[0], "third")
		began := w.clock.Now()
		for w.turn(q, second.tickets) {
		}
		require.NoError(t, second.tickets.Sweep(t.Context()))
		require.False(t, w.turn(q, second.tickets), "the sweep knows of the pause")
		require.Len(t, w.server.Requests("", ""), sent)
		require.Equal(t, entticket.StatusPending, w.ticketOf(b).Status)
		require.False(t, w.ticketOf(b).NextAttemptAt.After(began), "it was not put off")
		w.clock.to(began.Add(time.Minute - time.Second))
		require.False(t, w.turn(q, second.tickets))
		w.clock.to(began.Add(time.Minute + time.Second))
		for w.turn(q, second.tickets) {
		}
		w.requireOnce(one, a, "Initial Issue")
		w.requireOnce(one, b, "Initial Issue")
		w.requireOnce(other, c, "Initial Issue")
	})
}

// TestSweepIsFair: every organization with due tickets is found, however many
// one of them has; what cannot be delivered now is left.
func TestSweepIsFair(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.config.SweepBatch = 1
		w.replica = w.on(db, w.jobs, w.driver()) // whose jobs are lost
		one, other := w.tenants[0], w.tenants[1]
		w.flood(one, 0, 50)
		w.raise(one.in[1], "single")
		w.raise(other.in[0], "single")
		q := &line{clock: w.clock}
		sweeping := w.on(db, q, w.driver())
		require.NoError(t, sweeping.tickets.Sweep(t.Context()))
		require.NoError(t, sweeping.tickets.Sweep(t.Context()), "again, it adds nothing")
		var found []string
		for _, l := range q.waiting {
			found = append(found, l.Organization)
		}
		require.ElementsMatch(t, []string{one.organizations[0], one.organizations[1], other.organizations[0]}, found)
		q.waiting = nil
		w.client.TicketingIntegration.UpdateOneID(one.integration).SetStatus(ticketingintegration.StatusPaused).ExecX(one.all)
		require.NoError(t, sweeping.tickets.Sweep(t.Context()))
		require.Len(t, q.waiting, 1)
		require.Equal(t, other.organizations[0], q.waiting[0].Organization)
	})
}

// TestLanesOfForeigners: a lane reaches its own organization, whatever its
// arguments name.
func TestLanesOfForeigners(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one, other := w.tenants[0], w.tenants[1]
		w.raise(other.in[0], "theirs")
		for _, lane := range []ticket.Lane{
			{Tenant: job.Tenant{Provider: other.provider, Organization: other.organizations[0]}, Integration: other.integration, Number: 1},
			{Tenant: job.Tenant{Provider: one.provider, Organization: one.organizations[0]}, Integration: other.integration, Number: 1},
			{Tenant: job.Tenant{Provider: one.provider, Organization: other.organizations[0]}, Integration: one.integration, Number: 1},
		} {
			require.NoError(t, w.tickets.Turn(one.in[0], lane))
		}
		require.Empty(t, w.server.Tickets(other.token))
		require.Len(t, w.waiting(), 1)
	})
}
