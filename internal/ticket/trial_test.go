package ticket_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent/ticketingerror"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

func TestATestTicketIsNeverMadeTwice(t *testing.T) {
	for name, c := range map[string]struct {
		faults []standin.Fault
		made   int
		code   fault.Code
	}{
		"all well":                      {nil, 1, ""},
		"answer lost":                   {[]standin.Fault{onCreate(standin.Fault{Action: standin.CommitDrop})}, 1, ""},
		"answer lost, search lags once": {[]standin.Fault{onFind(standin.Fault{Action: standin.StaleList}), onCreate(standin.Fault{Action: standin.CommitDrop})}, 1, ""},
		"answer lost, search fails":     {[]standin.Fault{onFind(standin.Fault{Action: standin.Fail500}), onCreate(standin.Fault{Action: standin.CommitGarbage})}, 1, ""},
		"answer lost, search lags":      {[]standin.Fault{onFind(standin.Fault{Action: standin.StaleList, Count: -1}), onCreate(standin.Fault{Action: standin.CommitDrop})}, 1, fault.Unavailable},
		"not executed":                  {[]standin.Fault{onCreate(standin.Fault{Action: standin.Drop})}, 0, fault.Unavailable},
		"throttled":                     {[]standin.Fault{onCreate(standin.Fault{Action: standin.Throttle})}, 0, fault.Unavailable},
		"refused":                       {[]standin.Fault{onCreate(standin.Fault{Action: standin.Unauthorized})}, 0, fault.PreconditionFailed},
		"closing fails once":            {[]standin.Fault{onClose(standin.Fault{Action: standin.Fail500})}, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, db *database.DB) {
				w := newWorld(t, db)
				w.config.TrialPauses = []time.Duration{time.Millisecond, 2 * time.Millisecond}
				one := w.tenants[0]
				for _, f := range c.faults {
					w.server.Inject(f)
				}
				tried, err := w.service(w.driver()).Try(one.all, ticket.Trial{Integration: one.integration, Organization: one.organizations[0]})
				require.Len(t, w.server.Tickets(one.token), c.made)
				require.LessOrEqual(t, len(w.server.Requests("POST", "/tickets")), 1)
				if c.code != "" {
					requireFault(t, err, c.code, "")
					require.Equal(t, 1, w.client.TicketingError.Query().CountX(one.all))
					return
				}
				require.NoError(t, err)
				require.True(t, tried.Remote.Closed)
				require.Equal(t, "Resolved", tried.Status)
				require.Empty(t, tried.Problem)
				require.Zero(t, w.client.Ticket.Query().CountX(one.all), "it is no alert's ticket")
			})
		})
	}
}

func TestATestTicketThatCannotBeClosedIsShown(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		w.server.Inject(onClose(standin.Fault{Action: standin.Fail500, Count: -1}))
		tried, err := w.tickets.Try(one.all, ticket.Trial{Integration: one.integration, Organization: one.organizations[0]})
		require.NoError(t, err)
		require.False(t, tried.Remote.Closed)
		require.NotEmpty(t, tried.Remote.Number)
		require.NotEmpty(t, tried.Problem)
	})
}

func TestErrorsAreCountedAndForgotten(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one, other := w.tenants[0], w.tenants[1]
		w.server.Revoke(one.token, true)
		for range 3 {
			_, _, err := w.tickets.Verify(one.all, one.integration)
			require.NoError(t, err)
		}
		listed := w.client.TicketingError.Query().OnlyX(one.all)
		require.Equal(t, 3, listed.OccurrenceCount)
		require.Equal(t, ticketingerror.ErrorTypeCredentials, listed.ErrorType)
		require.Nil(t, listed.OrganizationID)
		require.Zero(t, w.client.TicketingError.Query().CountX(other.all))
		w.clock.to(w.clock.Now().Add(89 * 24 * time.Hour))
		require.NoError(t, w.tickets.Prune(t.Context()))
		require.Equal(t, 1, w.client.TicketingError.Query().CountX(one.all))
		w.clock.to(w.clock.Now().Add(2 * 24 * time.Hour))
		require.NoError(t, w.tickets.Prune(t.Context()))
		require.Zero(t, w.client.TicketingError.Query().CountX(one.all))
	})
}

func TestARefusedTicketIsItsOwnErrorAndAnOutageIsOne(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		first, second := w.raise(one.in[0], "one"), w.raise(one.in[0], "two")
		w.server.Inject(onCreate(standin.Fault{Action: standin.Fail500, Count: 2}))
		w.drive()
		w.requireOnce(one, first, "Initial Issue")
		w.requireOnce(one, second, "Initial Issue")
		listed := w.client.TicketingError.Query().OnlyX(one.in[0])
		require.Equal(t, 2, listed.OccurrenceCount)
		require.Nil(t, listed.TicketID)
		require.Equal(t, one.organizations[0], *listed.OrganizationID)
		require.Zero(t, w.client.TicketingError.Query().CountX(one.in[1]), "it is nothing to another organization")
	})
}

func TestWhatIsMissingAmongOldOptionsIsReadOnceMore(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		reads := func() int { return len(w.server.Requests("GET", "/settings")) }
		before := reads()
		_, err := w.tickets.Configure(one.all, w.configuration(one))
		require.NoError(t, err)
		require.Equal(t, before, reads(), "what is known is not asked for")
		wrong := w.configuration(one)
		settings(&wrong, func(s *syncro.Settings) { s.ProblemType = "New of today" })
		_, err = w.tickets.Configure(one.all, wrong)
		requireFault(t, err, fault.InvalidArgument, "input.problemType")
		require.Equal(t, before+1, reads())
		w.clock.to(w.clock.Now().Add(time.Hour))
		_, err = w.tickets.Configure(one.all, w.configuration(one))
		require.NoError(t, err)
		require.Equal(t, before+2, reads(), "what is old is not believed")
	})
}

func TestAnOrganizationsConfigurationCountsBeforeTheDefault(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		own := w.configuration(one)
		own.Organization = one.organizations[1]
		settings(&own, func(s *syncro.Settings) { s.Priority = "0 Urgent" })
		_, err := w.tickets.Configure(one.all, own)
		require.NoError(t, err)
		usual, urgent := w.raise(one.in[0], "usual"), w.raise(one.in[1], "urgent")
		w.drive()
		require.Equal(t, "2 Normal", w.requireOnce(one, usual, "Initial Issue").Priority)
		require.Equal(t, "0 Urgent", w.requireOnce(one, urgent, "Initial Issue").Priority)

		_, err = w.tickets.Unconfigure(one.all, one.integration, one.organizations[1], alert.Custom)
		require.NoError(t, err)
		usual = w.raise(one.in[1], "usual again")
		w.drive()
		require.Equal(t, "2 Normal", w.requireOnce(one, usual, "Initial Issue").Priority)
	})
}
