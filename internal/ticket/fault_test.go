package ticket_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	entalert "github.com/bailiwick/bailiwick/ent/alert"
	entticket "github.com/bailiwick/bailiwick/ent/ticket"
	entdelivery "github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

// create, note and the like name the calls that faults strike.
func on(method, path string, f standin.Fault) standin.Fault {
	f.Method, f.Path = method, path
	return f
}

func onCreate(f standin.Fault) standin.Fault { return on("POST", "/tickets", f) }
func onNote(f standin.Fault) standin.Fault   { return on("POST", "/tickets/*/comment", f) }
func onClose(f standin.Fault) standin.Fault  { return on("PUT", "/tickets/*", f) }
func onFind(f standin.Fault) standin.Fault   { return on("GET", "/tickets", f) }

// TestFaults: whatever goes wrong with whichever call, an incident has one
// ticket in the end, with its notes in order, and it is closed.
func TestFaults(t *testing.T) {
	stale := onFind(standin.Fault{Action: standin.StaleList, Count: 2})
	cases := []struct {
		name   string
		faults []standin.Fault
	}{
		{"commit then drop", []standin.Fault{onCreate(standin.Fault{Action: standin.CommitDrop})}},
		{"commit then 500", []standin.Fault{onCreate(standin.Fault{Action: standin.Commit500})}},
		{"commit then slow", []standin.Fault{onCreate(standin.Fault{Action: standin.CommitSlow})}},
		{"commit, 2xx truncated", []standin.Fault{onCreate(standin.Fault{Action: standin.CommitTruncate})}},
		{"commit, 2xx meaningless", []standin.Fault{onCreate(standin.Fault{Action: standin.CommitGarbage})}},
		{"commit, HTML 200", []standin.Fault{onCreate(standin.Fault{Action: standin.CommitHTML})}},
		{"HTML 200", []standin.Fault{onCreate(standin.Fault{Action: standin.HTML})}},
		{"drop", []standin.Fault{onCreate(standin.Fault{Action: standin.Drop})}},
		{"500", []standin.Fault{onCreate(standin.Fault{Action: standin.Fail500})}},
		{"redirect elsewhere", []standin.Fault{onCreate(standin.Fault{Action: standin.Elsewhere})}},
		{"429 with Retry-After", []standin.Fault{onCreate(standin.Fault{Action: standin.Throttle, RetryAfter: 20 * time.Second})}},
		{"429 without Retry-After", []standin.Fault{onCreate(standin.Fault{Action: standin.Throttle, Count: 3})}},
		{"401 then fixed", []standin.Fault{onCreate(standin.Fault{Action: standin.Unauthorized})}},
		{"search lags, committed", []standin.Fault{stale, onCreate(standin.Fault{Action: standin.CommitDrop})}},
		{"search lags, not committed", []standin.Fault{stale, onCreate(standin.Fault{Action: standin.Drop})}},
		{"search fails too", []standin.Fault{
			onCreate(standin.Fault{Action: standin.CommitDrop}), onFind(standin.Fault{Action: standin.Fail500, Count: 3}),
		}},
		{"search says HTML", []standin.Fault{onCreate(standin.Fault{Action: standin.CommitDrop}), onFind(standin.Fault{Action: standin.HTML})}},
		{"search throttled", []standin.Fault{onCreate(standin.Fault{Action: standin.CommitDrop}), onFind(standin.Fault{Action: standin.Throttle})}},
		{"again and again", []standin.Fault{onCreate(standin.Fault{Action: standin.Fail500, Count: 4}), onCreate(standin.Fault{Action: standin.CommitDrop})}},
		{"note committed then drop", []standin.Fault{onNote(standin.Fault{Action: standin.CommitDrop, Count: 2})}},
		{"note committed then 500", []standin.Fault{onNote(standin.Fault{Action: standin.Commit500, Count: 2})}},
		{"note dropped", []standin.Fault{onNote(standin.Fault{Action: standin.Drop, Count: 3})}},
		{"note throttled", []standin.Fault{onNote(standin.Fault{Action: standin.Throttle})}},
		{"note slow", []standin.Fault{onNote(standin.Fault{Action: standin.CommitSlow})}},
		{"close committed then drop", []standin.Fault{onClose(standin.Fault{Action: standin.CommitDrop})}},
		{"close fails", []standin.Fault{onClose(standin.Fault{Action: standin.Fail500, Count: 3})}},
		{"close unauthorized", []standin.Fault{onClose(standin.Fault{Action: standin.Unauthorized})}},
	}
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		for n, c := range cases {
			t.Log(c.name)
			w.server.Mend()
			for _, f := range c.faults {
				w.server.Inject(f)
			}
			a := w.raise(one.in[0], c.name)
			w.drive()
			w.worsen(one.in[0], c.name)
			w.drive()
			w.resolve(one.in[0], a)
			w.drive()
			made := w.requireOnce(one, a, "Initial Issue", "More severe", "Resolved")
			require.Equal(t, "Resolved", made.Status)
			require.Equal(t, entticket.StatusClosed, w.ticketOf(a).Status)
			require.Len(t, w.server.Tickets(one.token), n+1)
		}
	})
}

// TestFaultsAtRandom strikes any call in any way, with two workers at work and
// both tenants' alerts coming and going, over several seeds.
func TestFaultsAtRandom(t *testing.T) {
	actions := []standin.Action{
		standin.CommitDrop, standin.Commit500, standin.CommitTruncate, standin.CommitGarbage, standin.CommitHTML,
		standin.Drop, standin.Fail500, standin.Throttle, standin.HTML, standin.Unauthorized,
	}
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		for seed := range uint64(6) {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 1))
				w := newWorld(t, testdb.New(t, engine))
				for range 40 {
					f := standin.Fault{Action: actions[random.IntN(len(actions))], Skip: random.IntN(60), Count: 1 + random.IntN(2)}
					if random.IntN(3) == 0 {
						f = onCreate(f)
						f.Skip = random.IntN(12)
					}
					w.server.Inject(f)
				}
				second := w.service(w.driver())
				type incident struct {
					tenant *tenant
					alert  *ent.Alert
				}
				var all []incident
				for n := range 12 {
					one := w.tenants[n%2]
					all = append(all, incident{one, w.raise(one.in[n/2%2], fmt.Sprint("key ", n))})
				}
				w.drive(w.tickets, second)
				for n, i := range all {
					w.worsen(i.tenant.in[n/2%2], i.alert.DedupeKey)
				}
				w.drive(w.tickets, second)
				for n, i := range all {
					w.resolve(i.tenant.in[n/2%2], i.alert)
				}
				w.drive(w.tickets, second)
				for n, i := range all {
					made := w.requireOnce(i.tenant, i.alert, "Initial Issue", "More severe", "Resolved")
					require.Equal(t, "Resolved", made.Status)
					require.Equal(t, i.tenant.companies[n/2%2], itoa(made.CustomerID))
				}
				for _, one := range w.tenants {
					require.Len(t, w.server.Tickets(one.token), 6)
				}
			})
		}
	})
}

func TestCredentialsRevokedMidway(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one, other := w.tenants[0], w.tenants[1]
		w.server.Revoke(one.token, true)
		a, b := w.raise(one.in[0], "waits"), w.raise(other.in[0], "goes on")
		require.True(t, w.due(w.tickets))
		w.requireOnce(other, b, "Initial Issue")
		i := w.client.TicketingIntegration.GetX(one.all, one.integration)
		require.Equal(t, ticketingintegration.StatusPaused, i.Status)
		require.Contains(t, i.LastError, "Unauthorized")
		failing := w.client.Alert.Query().Where(entalert.TypeEQ(alert.IntegrationFailing))
		require.Equal(t, one.organizations[0], failing.Clone().OnlyX(one.all).OrganizationID)
		require.Zero(t, failing.Clone().CountX(other.all))

		// Another alert meanwhile calls nobody, and raises no second alert.
		w.raise(one.in[1], "waits too")
		sent := len(w.server.Requests("", ""))
		require.True(t, w.due(w.tickets))
		require.Len(t, w.server.Requests("", ""), sent)
		require.NoError(t, w.tickets.VerifyPaused(t.Context()))
		require.Equal(t, ticketingintegration.StatusPaused, w.client.TicketingIntegration.GetX(one.all, one.integration).Status)

		w.server.Revoke(one.token, false)
		require.NoError(t, w.tickets.VerifyPaused(t.Context()))
		require.Equal(t, ticketingintegration.StatusActive, w.client.TicketingIntegration.GetX(one.all, one.integration).Status)
		require.Zero(t, failing.Clone().Where(entalert.ResolvedAtIsNil()).CountX(one.all))
		require.True(t, w.due(w.tickets), "what waited is due at once")
		w.requireOnce(one, a, "Initial Issue")
		require.Len(t, w.server.Tickets(one.token), 2)
	})
}

func TestGivenUp(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		w.server.Inject(onClose(standin.Fault{Action: standin.Fail500, Count: -1}))
		a := w.raise(one.in[0], "hopeless")
		w.drive()
		w.resolve(one.in[0], a)
		w.drive()
		ours := w.ticketOf(a)
		require.Equal(t, entticket.StatusFailed, ours.Status)
		require.GreaterOrEqual(t, ours.Attempts, w.config.MaxAttempts)
		failed := w.client.Alert.Query().Where(entalert.TypeEQ(alert.TicketDeliveryFailed), entalert.ResolvedAtIsNil())
		require.Equal(t, ours.ID, failed.Clone().OnlyX(one.all).DedupeKey)
		require.Equal(t, 1, w.client.Ticket.Query().CountX(one.all), "what is wrong with tickets makes no ticket")

		w.server.Mend()
		_, err := w.tickets.Retry(one.all, ours.ID)
		require.NoError(t, err)
		require.Zero(t, failed.Clone().CountX(one.all))
		w.drive()
		w.requireOnce(one, a, "Initial Issue", "Resolved")
		require.Equal(t, entticket.StatusClosed, w.ticketOf(a).Status)
	})
}

func TestDeletedAtTheVendor(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		a := w.raise(one.in[0], "removed")
		w.drive()
		require.True(t, w.server.Delete(one.token, w.requireOnce(one, a, "Initial Issue").ID))
		w.worsen(one.in[0], "removed")
		w.resolve(one.in[0], a)
		w.drive()
		require.Empty(t, w.server.Tickets(one.token))
		require.Equal(t, entticket.StatusClosed, w.ticketOf(a).Status)
		require.Contains(t, w.ticketOf(a).LastError, "no longer exists")
	})
}

// TestScan: a request that makes its ticket only after every look-up doubles
// it; the scan finds that out and closes the second.
func TestScan(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		// The vendor commits, and its search does not know it for long.
		w.server.Inject(onFind(standin.Fault{Action: standin.StaleList, Count: 3}))
		w.server.Inject(onCreate(standin.Fault{Action: standin.CommitDrop}))
		a := w.raise(one.in[0], "late")
		w.drive()
		ours := w.ticketOf(a)
		require.Len(t, w.remote(one, ours.Marker), 2)
		for range 2 { // a second scan changes nothing
			require.NoError(t, w.tickets.Scan(t.Context()))
			open := 0
			for _, r := range w.remote(one, ours.Marker) {
				if r.Status != "Resolved" {
					open++
					require.Equal(t, ours.ExternalID, itoa(r.ID))
					continue
				}
				require.Len(t, r.Comments, 2)
				require.True(t, strings.HasPrefix(r.Comments[1].Body, "This ticket is a duplicate"))
			}
			require.Equal(t, 1, open)
		}
		require.Contains(t, w.ticketOf(a).LastError, "duplicates")
	})
}

// TestSeveralFound: of several tickets that a look-up finds, the first is kept.
func TestSeveralFound(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		w.server.Inject(onFind(standin.Fault{Action: standin.StaleList, Count: 3}))
		w.server.Inject(onCreate(standin.Fault{Action: standin.CommitDrop, Count: 2}))
		a := w.raise(one.in[0], "twice")
		w.drive()
		ours := w.ticketOf(a)
		found := w.remote(one, ours.Marker)
		require.Len(t, found, 2)
		require.Equal(t, itoa(found[0].ID), ours.ExternalID)
		require.Equal(t, "New", found[0].Status)
		require.Equal(t, "Resolved", found[1].Status)
	})
}

func TestInDoubtIsNotCancelled(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		w.server.Inject(onFind(standin.Fault{Action: standin.StaleList, Count: 1}))
		w.server.Inject(onCreate(standin.Fault{Action: standin.CommitDrop}))
		a := w.raise(one.in[0], "doubtful")
		require.True(t, w.due(w.tickets))
		_, err := w.tickets.Cancel(one.all, w.ticketOf(a).ID)
		require.ErrorContains(t, err, "may have the ticket")
		w.resolve(one.in[0], a)
		w.drive()
		require.Equal(t, "Resolved", w.requireOnce(one, a, "Initial Issue", "Resolved").Status)
		left := w.client.TicketDelivery.Query().Where(entdelivery.StateNEQ(entdelivery.StateDone)).CountX(one.all)
		require.Zero(t, left)
	})
}
