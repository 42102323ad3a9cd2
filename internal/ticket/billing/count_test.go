package billing_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent/organization"
	"github.com/bailiwick/bailiwick/ent/ticketingusagerecord"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

func TestUsersAreCountedHourByHour(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one, other := w.tenants[0], w.tenants[1]
		want := func(day string, users, mark, quantity int) {
			t.Helper()
			r := w.record(one, 0, day)
			require.Equal(t, []int{users, mark, quantity}, []int{r.Users, r.HighWater, r.Quantity}, day)
			require.Equal(t, ticketingusagerecord.StatusPending, r.Status)
		}
		w.bill(one, 2)
		w.users(one, 0, 5)
		w.users(other, 0, 9)
		w.sample()
		want("2026-11-10", 5, 5, 3)
		require.Equal(t, 9, w.record(other, 0, "2026-11-10").Quantity)
		require.Zero(t, w.record(other, 1, "2026-11-10").Users)

		w.users(one, 0, 7)
		w.at(11, 10, 9)
		w.sample()
		w.users(one, 0, 1)
		w.at(11, 10, 23)
		w.sample()
		w.sample()
		want("2026-11-10", 7, 7, 5)

		w.at(11, 11, 0)
		w.sample()
		want("2026-11-11", 1, 7, 5)
		w.users(one, 0, 8)
		w.at(11, 30, 23)
		w.sample()
		want("2026-11-30", 8, 8, 6)

		w.users(one, 0, 1)
		w.at(12, 1, 0)
		w.sample()
		want("2026-12-01", 1, 1, 0)
		want("2026-11-30", 8, 8, 6)

		// Every organization of every provider has a record each day, in one batch
		// or in many; but one that is being deleted is not counted any more.
		require.Equal(t, 4*6, w.client.TicketingUsageRecord.Query().CountX(w.system()))
		w.client.Organization.UpdateOneID(one.organizations[2]).SetStatus(organization.StatusDeleting).ExecX(one.all)
		w.at(12, 2, 0)
		w.sample()
		require.Equal(t, 4*6+5, w.client.TicketingUsageRecord.Query().CountX(w.system()))
	})
}

func TestEveryBatchIsCounted(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		for k, n := range []int{3, 1, 4} {
			w.users(w.tenants[0], k, n)
			w.users(w.tenants[1], k, n+10)
		}
		c := w.config()
		c.Batch = 2
		w.service = w.with(c)
		w.sample()
		for k, n := range []int{3, 1, 4} {
			require.Equal(t, n, w.record(w.tenants[0], k, "2026-11-10").Users)
			require.Equal(t, n+10, w.record(w.tenants[1], k, "2026-11-10").Users)
		}
	})
}
