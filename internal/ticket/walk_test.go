package ticket_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	entalert "github.com/bailiwick/bailiwick/ent/alert"
	entticket "github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketalert"
	entdelivery "github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/mortal"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
	"github.com/bailiwick/bailiwick/schema"
)

// TestWalk lets conditions come and go at random, while technicians act, rules
// change, calls fail and workers die, and then checks that every group had one
// ticket at a time, each in order, and that nothing was lost.
func TestWalk(t *testing.T) {
	const steps, conditions = 120, 6
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		for seed := range uint64(8) {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 3))
				url := testdb.URL(t, engine)
				w := newWorld(t, testdb.Open(t, database.Config{URL: url}))
				fate := &mortal.Fate{}
				dying := w.on(testdb.Open(t, database.Config{URL: url, Observe: fate.Observe}), w.jobs, fate.Driver(w.driver())).tickets
				var devices [2]string
				for n, one := range w.tenants {
					w.rule(one, randomRules(random, n))
					w.storm(one, []int{0, 4}[random.IntN(2)], 10)
					devices[n] = w.device(one.in[0], "C02A").ID
				}
				for range steps {
					n, key := random.IntN(2), fmt.Sprint("key ", random.IntN(conditions))
					one := w.tenants[n]
					switch random.IntN(12) {
					case 0, 1, 2, 3:
						w.raiseOn(one.in[0], key, []string{"", devices[n]}[random.IntN(2)])
					case 4:
						if w.open(one, key) != nil {
							w.worsen(one.in[0], key)
						}
					case 5, 6, 7:
						if a := w.open(one, key); a != nil {
							w.resolve(one.in[0], a)
						}
					case 8:
						if all := w.client.Ticket.Query().Where(entticket.StatusEQ(entticket.StatusCreated)).AllX(one.all); len(all) > 0 {
							w.technician(one, all[random.IntN(len(all))].ExternalID, []string{`{"status":"In Progress"}`, `{"priority":"1 High"}`}[random.IntN(2)])
						}
					case 9:
						w.server.Inject(standin.Fault{Action: []standin.Action{
							standin.CommitDrop, standin.Fail500, standin.Drop, standin.Throttle, standin.CommitGarbage,
						}[random.IntN(5)], Skip: random.IntN(4)})
					case 10:
						_, err := w.tickets.PlanMaintenance(one.in[0], ticket.Maintenance{
							Name: "works", StartsAt: w.clock.Now(), EndsAt: w.clock.Now().Add(time.Duration(1+random.IntN(20)) * time.Minute),
						})
						require.NoError(t, err)
					case 11:
						w.later(time.Duration(random.IntN(10)) * time.Minute)
					}
					if random.IntN(3) > 0 {
						fate.Arm(1 + random.IntN(40))
						w.due(dying, w.tickets)
					}
					w.oneLivingOfEach()
				}
				w.server.Mend()
				w.drive()
				for _, one := range w.tenants {
					w.settledWell(one)
				}
				done := map[entdelivery.Action]int{}
				for _, d := range w.client.TicketDelivery.Query().Where(entdelivery.StateEQ(entdelivery.StateDone)).AllX(w.system(t.Context())) {
					done[d.Action]++
				}
				t.Logf("done: %v", done)
			})
		}
	})
}

func randomRules(random *rand.Rand, n int) schema.TicketRules {
	pick := func(of ...string) *string { return new(of[random.IntN(len(of))]) }
	return schema.TicketRules{
		Recovery:      pick(ticket.RecoveryClose, ticket.RecoveryCloseUnlessStarted, ticket.RecoveryNote),
		Grouping:      pick(ticket.GroupByAlert, ticket.GroupByDevice, ticket.GroupByUser, ticket.GroupByOrganization),
		ReopenDays:    new(7 * random.IntN(2)),
		SettleMinutes: new(2 * random.IntN(2) * n),
		FlapCount:     new(3 * random.IntN(2)), FlapMinutes: new(10),
	}
}

// open is the open alert of a condition in a tenant's first organization.
func (w *world) open(one *tenant, key string) *ent.Alert {
	w.t.Helper()
	a, err := w.client.Alert.Query().
		Where(entalert.TypeEQ(alert.Custom), entalert.DedupeKey(key), entalert.ResolvedAtIsNil()).Only(one.in[0])
	if !ent.IsNotFound(err) {
		require.NoError(w.t, err)
	}
	return a
}

func (w *world) oneLivingOfEach() {
	w.t.Helper()
	living := map[string]int{}
	for _, t := range w.client.Ticket.Query().Where(entticket.StatusNotIn(entticket.StatusClosed, entticket.StatusCancelled)).AllX(w.system(w.t.Context())) {
		group := t.OrganizationID + t.IntegrationID + t.GroupKey
		living[group]++
		require.Equal(w.t, 1, living[group], t.GroupKey)
	}
}

// settledWell checks a tenant's tickets once nothing is left to do.
func (w *world) settledWell(one *tenant) {
	w.t.Helper()
	t, ctx := w.t, one.all
	byMarker := map[string]int{}
	for _, r := range w.server.Tickets(one.token) {
		require.Len(t, r.Tags, 1)
		byMarker[r.Tags[0]]++
		w.inOrder(ctx, r)
	}
	for marker, n := range byMarker {
		require.Equal(t, 1, n, "%s is doubled", marker)
	}
	for _, ours := range w.client.Ticket.Query().AllX(ctx) {
		remote := w.remote(one, ours.Marker)
		open := w.client.TicketAlert.Query().Where(ticketalert.TicketID(ours.ID), ticketalert.EndedAtIsNil()).CountX(ctx)
		switch ours.Status {
		case entticket.StatusCancelled:
			require.Empty(t, remote)
			require.Zero(t, open)
		case entticket.StatusClosed:
			require.Len(t, remote, 1)
			require.Equal(t, "Resolved", remote[0].Status)
			require.Zero(t, open, "closed before its alerts were over")
		case entticket.StatusCreated:
			require.Len(t, remote, 1)
			require.NotEqual(t, "Resolved", remote[0].Status)
		default:
			t.Errorf("%s is %s at rest: %s", ours.ID, ours.Status, ours.LastError)
		}
		left := w.client.TicketDelivery.Query().Where(entdelivery.TicketID(ours.ID),
			entdelivery.StateNotIn(entdelivery.StateDone, entdelivery.StateCancelled)).CountX(ctx)
		require.Zero(t, left)
		unnoted := w.client.TicketAlert.Query().Where(ticketalert.TicketID(ours.ID), ticketalert.NotedAtIsNil()).CountX(ctx)
		if ours.Status == entticket.StatusCreated {
			require.Zero(t, unnoted, "an alert that no note names")
		}
	}
	for _, a := range w.client.Alert.Query().Where(entalert.TypeEQ(alert.Custom)).AllX(ctx) {
		linked := w.client.TicketAlert.Query().Where(ticketalert.AlertID(a.ID)).WithTicket().AllX(ctx)
		require.NotEmpty(t, linked, "an alert was lost")
		if a.ResolvedAt == nil {
			require.Contains(t, []entticket.Status{entticket.StatusCreated}, linked[len(linked)-1].Edges.Ticket.Status, "an open alert without an open ticket")
		}
	}
}

// inOrder checks that a ticket's comments at the vendor are its deliveries, in
// their order and each once. A closing that was called off after its comment
// may have left it: the alert was over then, and the next comment says that it
// is back.
func (w *world) inOrder(ctx context.Context, r standin.Ticket) {
	w.t.Helper()
	marker := strings.Replace(r.Tags[0], "-", ":", 1)
	ours := w.client.Ticket.Query().Where(entticket.Marker(marker)).OnlyX(ctx)
	said := func(marker string) bool {
		return slices.ContainsFunc(r.Comments, func(c standin.Comment) bool { return psa.Marked(c.Body, marker) })
	}
	var want []string
	for _, d := range w.client.TicketDelivery.Query().
		Where(entdelivery.TicketID(ours.ID)).Order(entdelivery.BySequence()).AllX(ctx) {
		calledOff := d.Action == entdelivery.ActionClose && d.State == entdelivery.StateCancelled && d.Attempts > 0
		if d.State == entdelivery.StateDone || calledOff && said(d.Marker) {
			want = append(want, d.Marker)
		}
	}
	var have []string
	for _, c := range r.Comments {
		n := slices.IndexFunc(want, func(m string) bool { return psa.Marked(c.Body, m) })
		require.GreaterOrEqual(w.t, n, 0, "a comment that nobody wanted: %s", c.Body)
		have = append(have, want[n])
	}
	require.Equal(w.t, want, have)
}

// TestStormIsCheap: raising in a storm takes as many statements for the last
// alert as for the first ones, and few tickets.
func TestStormIsCheap(t *testing.T) {
	const alerts = 1500
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		url := testdb.URL(t, engine)
		w := newWorld(t, testdb.Open(t, database.Config{URL: url}))
		statements := 0
		counted := w.on(testdb.Open(t, database.Config{URL: url, Observe: func(context.Context, string, time.Duration, error) { statements++ }}), w.jobs, w.driver())
		one := w.tenants[0]
		w.storm(one, 25, 10)
		raise := func(n int) (int, time.Duration) {
			statements = 0
			began := time.Now()
			_, _, err := counted.alerts.Submit(one.in[0], alert.Report{Type: alert.Custom, Title: "storm", DedupeKey: fmt.Sprint("key ", n)})
			require.NoError(t, err)
			return statements, time.Since(began)
		}
		first, _ := raise(0)
		var late int
		var took []time.Duration
		for n := range alerts {
			var d time.Duration
			late, d = raise(n + 1)
			took = append(took, d)
		}
		require.LessOrEqual(t, late, first+3)
		require.Equal(t, 26, w.client.Ticket.Query().CountX(one.all))
		w.drive()
		require.Len(t, w.server.Tickets(one.token), 26)
		early := slices.Clone(took[30:130])
		last := slices.Clone(took[alerts-100:])
		slices.Sort(early)
		slices.Sort(last)
		t.Logf("%s: %d statements for the first alert, %d for the last; median of the first hundred in the storm %s, of the last %s", engine, first, late, early[50], last[50])
	})
}
