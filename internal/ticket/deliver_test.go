package ticket_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	entticket "github.com/bailiwick/bailiwick/ent/ticket"
	entdelivery "github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket"
)

func TestAlertBecomesTicketAndCloses(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		a := w.raise(one.in[0], "disk")
		require.Equal(t, entticket.StatusPending, w.ticketOf(a).Status)
		w.drive()
		made := w.requireOnce(one, a, "Initial Issue")
		require.Equal(t, "About disk", made.Subject)
		require.Equal(t, "Other", made.ProblemType)
		require.Equal(t, "2 Normal", made.Priority)
		require.Equal(t, one.companies[0], strconv.FormatInt(made.CustomerID, 10))
		require.Equal(t, w.server.Users(one.token)[1].ID, made.UserID)
		require.Equal(t, a.FirstOccurredAt.AddDate(0, 0, 3).Format("2006-01-02"), made.DueDate)
		require.Contains(t, made.Comments[0].Body, "Organization 0 of 0")
		require.True(t, made.Comments[0].Hidden)
		ours := w.ticketOf(a)
		require.Equal(t, entticket.StatusCreated, ours.Status)
		require.Equal(t, strconv.FormatInt(made.Number, 10), ours.ExternalNumber)

		w.raise(one.in[0], "disk") // another occurrence changes nothing
		require.Empty(t, w.waiting())
		w.worsen(one.in[0], "disk")
		w.drive()
		w.requireOnce(one, a, "Initial Issue", "More severe")
		w.resolve(one.in[0], a)
		w.drive()
		made = w.requireOnce(one, a, "Initial Issue", "More severe", "Resolved")
		require.Equal(t, "Resolved", made.Status)
		require.Equal(t, entticket.StatusClosed, w.ticketOf(a).Status)

		require.Empty(t, w.server.Tickets(w.tenants[1].token))
	})
}

func TestResolvedBeforeItWasSent(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		a := w.raise(one.in[0], "short")
		w.worsen(one.in[0], "short")
		w.resolve(one.in[0], a)
		w.drive()
		require.Empty(t, w.server.Tickets(one.token))
		require.Equal(t, entticket.StatusCancelled, w.ticketOf(a).Status)
		states, err := w.client.TicketDelivery.Query().Where(entdelivery.StateNEQ(entdelivery.StateCancelled)).Count(one.all)
		require.NoError(t, err)
		require.Zero(t, states)
	})
}

func TestManyReportsAtOnceAreOneTicket(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		const reports = 50
		var group sync.WaitGroup
		for range reports {
			group.Go(func() {
				if _, _, err := w.alerts.Submit(one.in[0], alert.Report{Type: alert.Custom, Title: "storm", DedupeKey: "storm"}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		a, err := w.client.Alert.Query().Only(one.all)
		require.NoError(t, err)
		require.Equal(t, reports, a.OccurrenceCount)
		w.drive()
		w.requireOnce(one, a, "Initial Issue")
		require.Len(t, w.server.Tickets(one.token), 1)
	})
}

func TestHeldUntilMapped(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		_, err := w.tickets.Map(one.all, one.integration, []ticket.Mapping{{Organization: one.organizations[0]}})
		require.NoError(t, err)
		a := w.raise(one.in[0], "held")
		require.True(t, w.due(w.tickets))
		ours := w.ticketOf(a)
		require.Equal(t, entticket.StatusBlocked, ours.Status)
		require.Contains(t, ours.LastError, "held until")
		require.False(t, w.due(w.tickets))

		set, err := w.tickets.Map(one.all, one.integration, []ticket.Mapping{{Organization: one.organizations[0], Company: &one.companies[0]}})
		require.NoError(t, err)
		require.Equal(t, "Left", set[0].ExternalCompanyName)
		require.True(t, w.due(w.tickets))
		w.requireOnce(one, a, "Initial Issue")
	})
}

func TestRefusedTicketIsBlockedUntilTheConfigurationChanges(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		// The company is deleted at the vendor after it was mapped: a stand-in
		// cannot, so the mapping is bent instead.
		w.client.TicketingCompanyMapping.Update().SetExternalCompanyID("424242").ExecX(one.all)
		a := w.raise(one.in[0], "refused")
		w.drive()
		ours := w.ticketOf(a)
		require.Equal(t, entticket.StatusBlocked, ours.Status)
		require.NotEmpty(t, ours.LastError)
		require.Empty(t, w.server.Tickets(one.token))

		_, err := w.tickets.Map(one.all, one.integration, []ticket.Mapping{{Organization: one.organizations[0], Company: &one.companies[1]}})
		require.NoError(t, err)
		w.drive()
		made := w.requireOnce(one, a, "Initial Issue")
		require.Equal(t, one.companies[1], strconv.FormatInt(made.CustomerID, 10))
	})
}

func TestRetryAndCancel(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		w.client.TicketingCompanyMapping.Update().SetExternalCompanyID("424242").ExecX(one.all)
		retried, cancelled := w.raise(one.in[0], "retried"), w.raise(one.in[0], "cancelled")
		w.drive()
		w.client.TicketingCompanyMapping.Update().SetExternalCompanyID(one.companies[0]).ExecX(one.all)
		for _, foreign := range w.tenants[1].in {
			_, err := w.tickets.Retry(foreign, w.ticketOf(retried).ID)
			require.Equal(t, fault.NotFound, fault.CodeOf(err))
			_, err = w.tickets.Cancel(foreign, w.ticketOf(retried).ID)
			require.Equal(t, fault.NotFound, fault.CodeOf(err))
		}
		_, err := w.tickets.Cancel(one.all, w.ticketOf(cancelled).ID)
		require.NoError(t, err)
		_, err = w.tickets.Cancel(one.all, w.ticketOf(cancelled).ID)
		require.Equal(t, fault.PreconditionFailed, fault.CodeOf(err))
		_, err = w.tickets.Retry(one.all, w.ticketOf(cancelled).ID)
		require.Equal(t, fault.PreconditionFailed, fault.CodeOf(err))
		got, err := w.tickets.Retry(one.all, w.ticketOf(retried).ID)
		require.NoError(t, err)
		require.Equal(t, entticket.StatusPending, got.Status)
		w.drive()
		w.requireOnce(one, retried, "Initial Issue")
		require.Len(t, w.server.Tickets(one.token), 1)
		_, err = w.tickets.Retry(one.all, got.ID)
		require.Equal(t, fault.PreconditionFailed, fault.CodeOf(err))
		_, err = w.tickets.Cancel(one.all, got.ID)
		require.Equal(t, fault.PreconditionFailed, fault.CodeOf(err))
		require.True(t, strings.HasPrefix(got.ID, "tkt_"))
	})
}
