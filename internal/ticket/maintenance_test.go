package ticket_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	entticket "github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket"
)

func TestMaintenanceHoldsTickets(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		began := w.clock.Now().UTC().Truncate(time.Microsecond)
		plan := func(name string, from, to time.Duration) *ent.MaintenanceWindow {
			m, err := w.tickets.PlanMaintenance(one.in[0], ticket.Maintenance{Name: name, StartsAt: began.Add(from), EndsAt: began.Add(to)})
			require.NoError(t, err)
			return m
		}
		early := w.raise(one.in[0], "before the window")
		plan("first", -time.Hour, time.Hour)
		second := plan("second", 30*time.Minute, 2*time.Hour)
		plan("third", 5*time.Hour, 6*time.Hour)
		a, short := w.raise(one.in[0], "held"), w.raise(one.in[0], "short")
		beside, theirs := w.raise(one.in[1], "beside"), w.raise(w.tenants[1].in[0], "theirs")
		require.Equal(t, began.Add(2*time.Hour), w.ticketOf(a).NextAttemptAt.UTC())
		require.True(t, w.due(w.tickets))
		require.Equal(t, began.Add(2*time.Hour), w.ticketOf(early).NextAttemptAt.UTC())
		require.Contains(t, w.ticketOf(early).LastError, `held by the maintenance second`)
		require.Equal(t, entticket.StatusPending, w.ticketOf(early).Status)
		w.requireOnce(one, beside, "Initial Issue")
		w.requireOnce(w.tenants[1], theirs, "Initial Issue")
		w.resolve(one.in[0], short)

		// The end moves, and what is held with it.
		_, err := w.tickets.ChangeMaintenance(w.tenants[1].all, ticket.MaintenanceChange{ID: second.ID})
		require.Equal(t, fault.NotFound, fault.CodeOf(err))
		require.Equal(t, fault.NotFound, fault.CodeOf(w.tickets.EndMaintenance(w.tenants[1].all, second.ID)))
		_, err = w.tickets.ChangeMaintenance(one.all, ticket.MaintenanceChange{ID: second.ID, EndsAt: new(began.Add(3 * time.Hour))})
		require.NoError(t, err)
		require.True(t, w.due(w.tickets))
		require.Equal(t, began.Add(3*time.Hour), w.ticketOf(a).NextAttemptAt.UTC())
		require.NoError(t, w.tickets.EndMaintenance(one.all, second.ID))
		require.True(t, w.due(w.tickets))
		require.Equal(t, began.Add(time.Hour), w.ticketOf(a).NextAttemptAt.UTC())
		require.Len(t, w.server.Tickets(one.token), 1)
		w.drive()
		require.Equal(t, began.Add(time.Hour), w.clock.Now().UTC())
		w.requireOnce(one, a, "Initial Issue")
		w.requireOnce(one, early, "Initial Issue")
		require.Empty(t, w.ticketOf(early).LastError)
		require.Equal(t, entticket.StatusCancelled, w.ticketOf(short).Status)
		require.Len(t, w.server.Tickets(one.token), 3)
	})
}

func TestMaintenanceIsChecked(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one, now := w.tenants[0], w.clock.Now()
		for field, m := range map[string]ticket.Maintenance{
			"input.name":     {Name: " ", StartsAt: now, EndsAt: now.Add(time.Hour)},
			"input.name ":    {Name: strings.Repeat("x", 256), StartsAt: now, EndsAt: now.Add(time.Hour)},
			"input.endsAt":   {Name: "none", StartsAt: now, EndsAt: now},
			"input.endsAt ":  {Name: "long", StartsAt: now, EndsAt: now.AddDate(0, 0, 32)},
			"input.startsAt": {Name: "old", EndsAt: now},
		} {
			_, err := w.tickets.PlanMaintenance(one.in[0], m)
			requireFault(t, err, fault.InvalidArgument, strings.TrimSpace(field))
		}
		_, err := w.tickets.PlanMaintenance(one.all, ticket.Maintenance{Name: "where", StartsAt: now, EndsAt: now.Add(time.Hour)})
		require.Equal(t, fault.InvalidArgument, fault.CodeOf(err))
	})
}
