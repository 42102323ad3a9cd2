package ticket_test

import (
	"strconv"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	entticket "github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

func tenantOf(t *ent.Ticket) job.Tenant {
	return job.Tenant{Provider: t.ProviderID, Organization: t.OrganizationID}
}

func anySQLite(t *testing.T) *database.DB { t.Helper(); return testdb.New(t, dialect.SQLite) }

// TestPollPages: every page is read, what is ours is found among what is not,
// and a poll that fails midway begins again where the last one ended.
func TestPollPages(t *testing.T) {
	const tickets = 60 // three pages of Syncro's
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		f := follow(t, db, psa.Syncro)
		var all []*ent.Alert
		for n := range tickets {
			all = append(all, f.raise(f.tenants[0].in[0], strconv.Itoa(n)))
		}
		f.drive()
		f.poll()
		before := *f.integration(0).PolledUntil
		for _, a := range all {
			f.finish(0, f.ticketOf(a).ExternalID)
		}
		f.clock.to(f.clock.Now().Add(f.config.TwoWay.Poll))
		f.server.Inject(standin.Fault{Method: "GET", Path: "/tickets", Action: standin.Fail500, Skip: 2, Count: 1})
		require.NoError(t, f.tickets.PollDue(t.Context()))
		polling := f.polls()
		require.Len(t, polling, 2)
		failures := 0
		for _, p := range polling {
			if err := f.run(p); err != nil {
				failures++
			}
		}
		require.Equal(t, 1, failures)
		require.True(t, f.integration(0).PolledUntil.Equal(before), "a poll that failed has not read to the end")
		f.settle() // what the first pages showed is read nevertheless
		f.poll()
		require.Equal(t, tickets, f.client.Ticket.Query().Where(entticket.StatusEQ(entticket.StatusClosed)).CountX(f.tenants[0].all))
		require.True(t, f.integration(0).PolledUntil.After(before))
	})
}

// polls takes the polls that wait, and drops other jobs.
func (f *followed) polls() []ticket.Polling {
	var all []ticket.Polling
	for _, args := range f.take() {
		if p, ok := args.(ticket.Polling); ok {
			all = append(all, p)
		}
	}
	return all
}

// TestPollBounds: more than a poll reads, or from longer ago, is found by
// reading every living ticket, some at a time.
func TestPollBounds(t *testing.T) {
	f := follow(t, anySQLite(t), psa.Syncro)
	f.config.TwoWay.PollPages, f.config.TwoWay.ReadBatch = 1, 10
	f.replica = f.with(f.db, f.jobs, f.drivers)
	var all []*ent.Alert
	for n := range 30 {
		all = append(all, f.raise(f.tenants[0].in[0], strconv.Itoa(n)))
	}
	f.drive()
	for _, a := range all {
		f.finish(0, f.ticketOf(a).ExternalID)
	}
	f.poll()
	closed := func() int {
		return f.client.Ticket.Query().Where(entticket.StatusEQ(entticket.StatusClosed)).CountX(f.tenants[0].all)
	}
	require.Less(t, closed(), 30)
	require.NotNil(t, f.integration(0).PolledUntil)
	for range 3 {
		require.NoError(t, f.tickets.Reconcile(t.Context()))
		require.LessOrEqual(t, len(f.jobs.others), 10)
		f.settle()
	}
	require.Equal(t, 30, closed())

	a, made := f.opened(0, "long ago")
	f.finish(0, made.ExternalID)
	f.clock.to(f.clock.Now().Add(5 * f.config.TwoWay.PollReach)) // it was paused, say
	require.NoError(t, f.tickets.PollDue(t.Context()))
	f.settle()
	require.Nil(t, f.alert(a).ResolvedAt)
	require.NoError(t, f.tickets.Reconcile(t.Context()))
	f.settle()
	f.requireClosedThere(0, a)
}

// TestPollPace: who is called is asked less often, and nobody without tickets
// is asked at all.
func TestPollPace(t *testing.T) {
	f := follow(t, anySQLite(t), psa.Autotask)
	f.enable(0)
	due := func() (n int) {
		require.NoError(t, f.tickets.PollDue(t.Context()))
		for _, p := range f.polls() {
			if p.Integration == f.integrations[0] || p.Integration == f.integrations[1] {
				n++
				require.NoError(t, f.run(p))
			}
		}
		return n
	}
	asked := f.requests("GET", "/Tickets/query")
	require.Equal(t, 2, due())
	require.Equal(t, asked, f.requests("GET", "/Tickets/query"), "there are no tickets to ask about")
	f.opened(0, "a")
	f.opened(1, "b")
	require.Zero(t, due())
	f.clock.to(f.clock.Now().Add(f.config.TwoWay.Poll))
	require.Equal(t, 1, due(), "the one that nobody calls about")
	f.clock.to(f.clock.Now().Add(f.config.TwoWay.PollHooked))
	require.Equal(t, 2, due())
	require.Greater(t, f.requests("GET", "/Tickets/query"), asked)
}

// TestThrottled: a vendor that wants no calls is left alone for as long as it
// says.
func TestThrottled(t *testing.T) {
	f := follow(t, anySQLite(t), psa.Syncro)
	a, made := f.opened(0, "disk")
	f.finish(0, made.ExternalID)
	f.clock.to(f.clock.Now().Add(f.config.TwoWay.Poll))
	f.server.Inject(standin.Fault{Method: "GET", Action: standin.Throttle, RetryAfter: 7 * time.Second, Count: 1})
	err := f.run(ticket.Polling{Tenant: job.Tenant{Provider: f.tenants[0].provider}, Integration: f.integrations[0]})
	require.ErrorContains(t, err, "7s")
	require.Nil(t, f.integration(0).PolledUntil)
	listed := f.client.TicketingError.Query().OnlyX(f.tenants[0].all)
	require.Equal(t, "poll", listed.Operation)
	require.Nil(t, listed.OrganizationID)
	require.Zero(t, f.client.TicketingError.Query().CountX(f.tenants[1].all))
	f.poll()
	f.requireClosedThere(0, a)
}
