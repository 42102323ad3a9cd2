package ticket_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	entticket "github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketalert"
	entdelivery "github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
	"github.com/bailiwick/bailiwick/schema"
)

// rule sets a tenant's rules for its integration.
func (w *world) rule(one *tenant, rules schema.TicketRules) {
	w.t.Helper()
	_, _, err := w.tickets.SetRules(one.all, ticket.RuleChange{Integration: one.integration, Rules: rules})
	require.NoError(w.t, err)
}

// technician changes a ticket at the vendor, as a person does: who meets with a
// fault tries again.
func (w *world) technician(one *tenant, id, fields string) {
	w.t.Helper()
	client := http.Client{Timeout: time.Minute}
	for range 10 {
		r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPut, w.url+"/api/v1/tickets/"+id, strings.NewReader(fields))
		require.NoError(w.t, err)
		r.Header.Set("Authorization", "Bearer "+one.token)
		r.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(r)
		if err != nil {
			continue
		}
		require.NoError(w.t, answer.Body.Close())
		if answer.StatusCode == http.StatusOK {
			return
		}
	}
	w.t.Fatal("the technician cannot change the ticket")
}

// later moves the clock.
func (w *world) later(d time.Duration) { w.clock.to(w.clock.Now().Add(d)) }

// linked are the tickets that an alert has become or joined.
func (w *world) linked(a *ent.Alert) []*ent.Ticket {
	w.t.Helper()
	links, err := w.client.TicketAlert.Query().Where(ticketalert.AlertID(a.ID)).WithTicket().Order(ticketalert.ByID()).
		All(w.system(w.t.Context()))
	require.NoError(w.t, err)
	var all []*ent.Ticket
	for _, l := range links {
		all = append(all, l.Edges.Ticket)
	}
	return all
}

func subjects(t standin.Ticket) (all []string) {
	for _, c := range t.Comments {
		all = append(all, c.Subject)
	}
	return all
}

func (w *world) device(ctx context.Context, serial string) *ent.Device {
	w.t.Helper()
	d, err := w.client.Device.Create().SetName("Mac " + serial).SetSerialNumber(serial).SetPlatform("MACOS").Save(ctx)
	require.NoError(w.t, err)
	return d
}

func (w *world) raiseOn(ctx context.Context, key, device string) *ent.Alert {
	w.t.Helper()
	a, _, err := w.alerts.Submit(ctx, alert.Report{Type: alert.Custom, Title: "About " + key, DedupeKey: key, DeviceID: device})
	require.NoError(w.t, err)
	return a
}

func TestReopened(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		first := w.raise(one.in[0], "disk")
		w.drive()
		w.resolve(one.in[0], first)
		w.drive()
		require.NotNil(t, w.ticketOf(first).ClosedAt)

		w.later(6 * 24 * time.Hour)
		second := w.raise(one.in[0], "disk")
		require.Equal(t, entticket.StatusPending, w.ticketOf(first).Status)
		w.drive()
		ours := w.ticketOf(first)
		require.Equal(t, entticket.StatusCreated, ours.Status)
		require.Nil(t, ours.ClosedAt)
		require.Equal(t, ours.ID, w.linked(second)[0].ID)
		made := w.requireOnce(one, first, "Initial Issue", "Resolved", "Occurred again")
		require.Equal(t, "New", made.Status)
		w.resolve(one.in[0], second)
		w.drive()
		require.Equal(t, "Resolved", w.requireOnce(one, first, "Initial Issue", "Resolved", "Occurred again", "Resolved").Status)

		w.later(8 * 24 * time.Hour)
		third := w.raise(one.in[0], "disk")
		w.drive()
		require.Equal(t, 2, w.ticketOf(third).Epoch)
		w.requireOnce(one, third, "Initial Issue")

		// Over before it is reopened: nothing is sent.
		w.resolve(one.in[0], third)
		w.drive()
		fourth := w.raise(one.in[0], "disk")
		w.resolve(one.in[0], fourth)
		w.drive()
		require.Equal(t, entticket.StatusClosed, w.ticketOf(third).Status)
		w.requireOnce(one, third, "Initial Issue", "Resolved")

		w.rule(one, schema.TicketRules{ReopenDays: new(0)})
		fifth := w.raise(one.in[0], "disk")
		w.drive()
		require.Equal(t, 3, w.ticketOf(fifth).Epoch)
		require.Len(t, w.server.Tickets(one.token), 3)
		require.Empty(t, w.server.Tickets(w.tenants[1].token))
	})
}

func TestReopenedWhereItWasDeleted(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		first := w.raise(one.in[0], "disk")
		w.drive()
		w.resolve(one.in[0], first)
		w.drive()
		require.True(t, w.server.Delete(one.token, w.server.Tickets(one.token)[0].ID))
		second := w.raise(one.in[0], "disk")
		w.drive()
		require.Equal(t, entticket.StatusClosed, w.ticketOf(first).Status)
		w.requireOnce(one, second, "Initial Issue")
		require.Equal(t, 2, w.ticketOf(second).Epoch)
		w.resolve(one.in[0], second)
		w.drive()
		w.requireOnce(one, second, "Initial Issue", "Resolved")
	})
}

func TestBackBeforeItWasClosed(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		first := w.raise(one.in[0], "disk")
		w.drive()
		w.resolve(one.in[0], first)
		second := w.raise(one.in[0], "disk")
		w.drive()
		made := w.requireOnce(one, first, "Initial Issue", "Further alerts")
		require.Equal(t, "New", made.Status)
		require.Contains(t, made.Comments[1].Body, "for the 2nd time")

		// While the close is in doubt, the ticket is reopened after it.
		w.server.Inject(onClose(standin.Fault{Action: standin.CommitDrop}))
		w.resolve(one.in[0], second)
		require.True(t, w.due(w.tickets))
		third := w.raise(one.in[0], "disk")
		w.drive()
		made = w.requireOnce(one, first, "Initial Issue", "Further alerts", "Resolved", "Occurred again")
		require.Equal(t, "New", made.Status)
		require.Equal(t, entticket.StatusCreated, w.ticketOf(first).Status)
		w.resolve(one.in[0], third)
		w.drive()
		require.Equal(t, entticket.StatusClosed, w.ticketOf(first).Status)
	})
}

// TestBackWhileLeftOpen: an alert comes back while its ticket's closing is in
// doubt, and is over again before the ticket could be reopened. The closing has
// left the ticket to the technician who works on it, and so it stays.
func TestBackWhileLeftOpen(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one, other := w.tenants[0], w.tenants[1]
		w.rule(one, schema.TicketRules{Recovery: new(ticket.RecoveryCloseUnlessStarted)})
		first, theirs := w.raise(one.in[0], "disk"), w.raise(other.in[0], "disk")
		w.drive()
		w.technician(one, w.ticketOf(first).ExternalID, `{"status":"In Progress"}`)
		w.server.Inject(standin.Fault{Method: http.MethodPost, Token: one.token, Action: standin.CommitDrop})
		w.resolve(one.in[0], first)
		require.True(t, w.due(w.tickets))
		second := w.raise(one.in[0], "disk")
		_, err := w.tickets.PlanMaintenance(one.in[0], ticket.Maintenance{
			Name: "works", StartsAt: w.clock.Now(), EndsAt: w.clock.Now().Add(2 * time.Hour),
		})
		require.NoError(t, err)
		w.later(time.Hour)
		require.True(t, w.due(w.tickets))
		require.Equal(t, entticket.StatusPending, w.ticketOf(first).Status, "it waits to be reopened")
		w.resolve(one.in[0], second)
		w.drive()
		made := w.requireOnce(one, first, "Initial Issue", "Resolved", "Occurred again", "Resolved")
		require.Equal(t, "In Progress", made.Status)
		require.Equal(t, entticket.StatusCreated, w.ticketOf(first).Status)
		w.requireOnce(other, theirs, "Initial Issue")
	})
}

func TestRecovery(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		ada := fmt.Sprintf(`{"user_id":%d}`, w.server.Users(one.token)[0].ID)
		for n, c := range []struct {
			recovery, act string
			closed        bool
		}{
			{ticket.RecoveryCloseUnlessStarted, "", true},
			{ticket.RecoveryCloseUnlessStarted, `{"status":"In Progress"}`, false},
			{ticket.RecoveryCloseUnlessStarted, ada, false},
			{ticket.RecoveryClose, `{"status":"In Progress"}`, true},
			{ticket.RecoveryNote, "", false},
			{ticket.RecoveryNote, `{"status":"Resolved"}`, false},
		} {
			w.rule(one, schema.TicketRules{Recovery: &c.recovery, PublicNotes: new(n == 0)})
			a := w.raise(one.in[0], fmt.Sprint("case ", n))
			w.drive()
			if c.act != "" {
				w.technician(one, w.ticketOf(a).ExternalID, c.act)
			}
			w.resolve(one.in[0], a)
			w.drive()
			made := w.requireOnce(one, a, "Initial Issue", "Resolved")
			ours := w.ticketOf(a)
			require.Equal(t, c.closed, ours.Status == entticket.StatusClosed, c)
			require.Equal(t, n != 0, made.Comments[1].Hidden, "public notes")
			require.Equal(t, n != 0, made.Comments[0].Hidden, "public body")
			if c.recovery == ticket.RecoveryCloseUnlessStarted {
				require.Equal(t, c.act != "", ours.Started)
				require.Equal(t, c.act != "", strings.Contains(made.Comments[1].Body, "left open"))
			}
			if !c.closed { // what lives is joined
				again := w.raise(one.in[0], fmt.Sprint("case ", n))
				w.drive()
				require.Equal(t, ours.ID, w.linked(again)[0].ID)
			}
		}
		require.Len(t, w.server.Tickets(one.token), 6)
	})
}

func TestGrouped(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one, other := w.tenants[0], w.tenants[1]
		for _, each := range w.tenants {
			w.rule(each, schema.TicketRules{Grouping: new(ticket.GroupByDevice)})
		}
		mac, pc := w.device(one.in[0], "C02A"), w.device(one.in[0], "C02B")
		foreign := w.device(other.in[0], "C02A")
		disk, network := w.raiseOn(one.in[0], "disk", mac.ID), w.raiseOn(one.in[0], "network", mac.ID)
		elsewhere, alone := w.raiseOn(one.in[0], "disk of pc", pc.ID), w.raise(one.in[0], "no device")
		theirs := w.raiseOn(other.in[0], "disk", foreign.ID)
		w.drive()
		made := w.requireOnce(one, disk, "Initial Issue", "Further alerts")
		require.Contains(t, made.Comments[0].Body, "Serial number: C02A")
		require.Contains(t, made.Comments[1].Body, "About network")
		require.Equal(t, w.linked(disk)[0].ID, w.linked(network)[0].ID)
		for _, a := range []*ent.Alert{elsewhere, alone} {
			w.requireOnce(one, a, "Initial Issue")
		}
		w.requireOnce(other, theirs, "Initial Issue")
		require.Len(t, w.server.Tickets(one.token), 3)

		w.resolve(one.in[0], disk)
		w.drive()
		made = w.requireOnce(one, disk, "Initial Issue", "Further alerts", "Alerts over")
		require.Equal(t, "New", made.Status)
		w.worsen(one.in[0], "network")
		again := w.raiseOn(one.in[0], "disk", mac.ID)
		w.resolve(one.in[0], again)
		w.resolve(one.in[0], network)
		w.drive()
		made = w.requireOnce(one, disk, "Initial Issue", "Further alerts", "Alerts over", "More severe", "Alerts over", "Resolved")
		require.Equal(t, "Resolved", made.Status)
		require.Equal(t, entticket.StatusCreated, w.ticketOf(theirs).Status, "another tenant's of the same name")
	})
}

func TestStorm(t *testing.T) {
	const threshold, alerts = 5, 200
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one, other := w.tenants[0], w.tenants[1]
		w.storm(one, threshold, 10)
		var all []*ent.Alert
		for n := range alerts {
			all = append(all, w.raise(one.in[0], fmt.Sprint("key ", n)))
			w.later(time.Millisecond)
		}
		beside, theirs := w.raise(one.in[1], "beside"), w.raise(other.in[0], "theirs")
		w.drive()
		require.Len(t, w.server.Tickets(one.token), threshold+2)
		w.requireOnce(one, beside, "Initial Issue")
		w.requireOnce(other, theirs, "Initial Issue")
		parent := w.client.Ticket.Query().Where(entticket.Storm(true)).OnlyX(one.all)
		made := w.remote(one, parent.Marker)
		require.Len(t, made, 1)
		require.Equal(t, []string{"Initial Issue", "Further alerts"}, subjects(made[0]))
		require.Contains(t, made[0].Comments[1].Body, fmt.Sprintf("and %d more", alerts-threshold-1-20))

		// It goes on past the minutes, while as many come.
		w.later(9 * time.Minute)
		for n := range threshold {
			w.raise(one.in[0], fmt.Sprint("late ", n))
		}
		w.later(2 * time.Minute)
		w.raise(one.in[0], "later still")
		w.drive()
		require.Len(t, w.server.Tickets(one.token), threshold+2)
		w.later(11 * time.Minute)
		calm := w.raise(one.in[0], "calm")
		w.drive()
		require.NotEqual(t, parent.ID, w.linked(calm)[0].ID)

		for _, a := range all {
			w.resolve(one.in[0], a)
		}
		w.drive()
		require.Equal(t, entticket.StatusCreated, w.client.Ticket.GetX(one.all, parent.ID).Status)
		for _, a := range w.client.Alert.Query().AllX(one.in[0]) {
			if a.ResolvedAt == nil {
				w.resolve(one.in[0], a)
			}
		}
		w.drive()
		require.Equal(t, entticket.StatusClosed, w.client.Ticket.GetX(one.all, parent.ID).Status)
		made = w.remote(one, parent.Marker)
		require.Equal(t, "Resolved", subjects(made[0])[len(made[0].Comments)-1])
		require.Less(t, len(made[0].Comments), 8)
	})
}

func TestFlapping(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		w.rule(one, schema.TicketRules{FlapCount: new(3), FlapMinutes: new(30)})
		var a, first *ent.Alert
		for range 10 {
			a = w.raise(one.in[0], "link")
			if first == nil {
				first = a
			}
			w.due(w.tickets)
			w.later(10 * time.Second)
			w.resolve(one.in[0], a)
			w.due(w.tickets)
			w.later(10 * time.Second)
		}
		sent := len(w.remote(one, w.ticketOf(first).Marker)[0].Comments)
		require.Less(t, sent, 9, "notes in batches")
		require.Equal(t, entticket.StatusCreated, w.ticketOf(first).Status)
		began := w.clock.Now()
		w.drive()
		require.GreaterOrEqual(t, w.clock.Now().Sub(began), 29*time.Minute, "it stays open until it is quiet")
		require.Equal(t, entticket.StatusClosed, w.ticketOf(first).Status)
		require.Len(t, w.server.Tickets(one.token), 1)
	})
}

func TestSettles(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		w.rule(one, schema.TicketRules{SettleMinutes: new(5)})
		short, long := w.raise(one.in[0], "short"), w.raise(one.in[0], "long")
		require.False(t, w.due(w.tickets))
		w.later(4 * time.Minute)
		w.resolve(one.in[0], short)
		w.drive()
		require.Equal(t, entticket.StatusCancelled, w.ticketOf(short).Status)
		w.requireOnce(one, long, "Initial Issue")
		require.Len(t, w.server.Tickets(one.token), 1)
		require.GreaterOrEqual(t, w.server.Tickets(one.token)[0].CreatedAt.Sub(long.FirstOccurredAt), 5*time.Minute)
	})
}

// refusing is a vendor that refuses notes for good.
type refusing struct{ psa.Vendor }

func (refusing) AddNote(context.Context, string, psa.Note) error {
	return &psa.Error{Class: psa.Permanent, Op: "add note", Vendor: "notes are not for you"}
}

func TestRefusedNoteHoldsNothingUp(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		real := w.driver()
		stubborn := w.service(psa.Driver{Settings: real.Settings, Open: func(credentials []byte, gate psa.Gate) (psa.Vendor, error) {
			v, err := real.Open(credentials, gate)
			return refusing{v}, err
		}})
		a := w.raise(one.in[0], "disk")
		w.drive()
		w.worsen(one.in[0], "disk")
		w.drive(stubborn)
		require.Contains(t, w.ticketOf(a).LastError, "not for you")
		require.Equal(t, entticket.StatusCreated, w.ticketOf(a).Status)
		refused := w.client.TicketDelivery.Query().Where(entdelivery.StateEQ(entdelivery.StateDead)).OnlyX(one.all)
		require.Contains(t, refused.LastError, "not for you")
		w.resolve(one.in[0], a)
		w.drive()
		require.Equal(t, "Resolved", w.requireOnce(one, a, "Initial Issue", "Resolved").Status)
		require.Equal(t, entticket.StatusClosed, w.ticketOf(a).Status)
	})
}

// TestScanOfWhatIsNotKnown: a ticket that was cancelled, or given up, and that
// the vendor has after all.
func TestScanOfWhatIsNotKnown(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		for _, fate := range []string{"cancelled", "given up"} {
			w.server.Inject(onCreate(standin.Fault{Action: standin.CommitDrop}))
			w.server.Inject(onFind(standin.Fault{Action: standin.Fail500, Count: -1}))
			a := w.raise(one.in[0], fate)
			w.drive()
			require.Equal(t, entticket.StatusFailed, w.ticketOf(a).Status)
			w.server.Mend()
			if fate == "cancelled" {
				_, err := w.tickets.Cancel(one.all, w.ticketOf(a).ID)
				require.NoError(t, err)
			}
			require.NoError(t, w.tickets.Scan(t.Context()))
			w.drive()
			found := w.remote(one, w.ticketOf(a).Marker)
			require.Len(t, found, 1)
			if fate == "cancelled" {
				require.Equal(t, "Resolved", found[0].Status)
				continue
			}
			w.requireOnce(one, a, "Initial Issue")
			require.Equal(t, entticket.StatusCreated, w.ticketOf(a).Status)
		}
	})
}

// TestManyOfAGroupAtOnce: alerts of one group come and go side by side while
// workers deliver, and nobody runs into anybody.
func TestManyOfAGroupAtOnce(t *testing.T) {
	const parties, rounds = 8, 6
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		w.rule(one, schema.TicketRules{Grouping: new(ticket.GroupByOrganization), Recovery: new(ticket.RecoveryClose)})
		second := w.service(w.driver())
		var group sync.WaitGroup
		for n := range parties {
			group.Go(func() {
				for range rounds {
					a, _, err := w.alerts.Submit(one.in[0], alert.Report{Type: alert.Custom, Title: "one of many", DedupeKey: fmt.Sprint("key ", n)})
					if err != nil {
						t.Error(err)
						return
					}
					w.due(w.tickets, second)
					if _, err := w.alerts.Resolve(one.in[0], a.ID, nil); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
		w.drive(w.tickets, second)
		w.settledWell(one)
		require.Zero(t, w.client.Ticket.Query().Where(entticket.StatusEQ(entticket.StatusCreated)).CountX(one.all))
	})
}
