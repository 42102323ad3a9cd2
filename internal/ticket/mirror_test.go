package ticket_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	entalert "github.com/bailiwick/bailiwick/ent/alert"
	"github.com/bailiwick/bailiwick/ent/systemlogevent"
	entticket "github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/testkit/mortal"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/schema"
)

// requireClosedThere checks what follows when a technician has closed a ticket.
func (f *followed) requireClosedThere(n int, a *ent.Alert) {
	f.t.Helper()
	over, t := f.alert(a), f.ticketOf(a)
	require.Equal(f.t, entalert.StatusResolved, over.Status)
	product := map[psa.Kind]string{psa.Autotask: "Autotask", psa.ConnectWise: "ConnectWise", psa.Syncro: "Syncro"}[f.kind]
	require.Equal(f.t, "Closed in "+product+" as "+t.ExternalNumber, over.Remark)
	require.Equal(f.t, entticket.StatusClosed, t.Status)
	require.True(f.t, t.ClosedByTechnician)
	require.NotNil(f.t, t.ClosedAt)
	require.Nil(f.t, t.NextAttemptAt)
	system := f.system(f.t.Context())
	require.Zero(f.t, f.client.TicketDelivery.Query().
		Where(ticketdelivery.TicketID(t.ID), ticketdelivery.ActionNEQ(ticketdelivery.ActionCreate), ticketdelivery.StateNEQ(ticketdelivery.StateCancelled)).
		CountX(system), "something is to be told to the vendor about what it told us")
	logged := f.client.SystemLogEvent.Query().
		Where(systemlogevent.EventType("ticketClosedAtVendor"), systemlogevent.OrganizationID(t.OrganizationID)).AllX(system)
	logged = slices.DeleteFunc(logged, func(e *ent.SystemLogEvent) bool { return e.Targets[0].ID != t.ID })
	require.Len(f.t, logged, 1)
	require.Equal(f.t, "ticketing", logged[0].ActorDisplayName)
	require.Equal(f.t, f.tenants[n].provider, logged[0].ProviderID)
	require.Len(f.t, logged[0].Targets, 2)
}

// TestClosedThere: a technician closes a ticket at the vendor; the poll finds
// it, its alert is over, and nothing is told back.
func TestClosedThere(t *testing.T) {
	eachVendor(t, func(t *testing.T, f *followed) {
		a, made := f.opened(0, "disk")
		still, others := f.opened(0, "memory")
		theirs, _ := f.opened(1, "disk")
		f.poll()
		require.Equal(t, entticket.StatusCreated, f.ticketOf(a).Status)

		notes := f.notes(0, made.ExternalID)
		f.finish(0, made.ExternalID)
		f.poll()
		f.requireClosedThere(0, a)
		f.poll()
		f.drive()
		f.requireClosedThere(0, a)
		require.True(t, f.closed(0, made.ExternalID))
		require.Equal(t, notes, f.notes(0, made.ExternalID), "our own echo")
		for _, open := range []*ent.Alert{still, theirs} {
			require.Nil(t, f.alert(open).ResolvedAt)
			require.Equal(t, entticket.StatusCreated, f.ticketOf(open).Status)
		}

		f.worsen(f.tenants[0].in[0], "memory") // a note waits when it is closed
		f.finish(0, others.ExternalID)
		f.poll()
		f.drive()
		require.NotNil(t, f.alert(still).ResolvedAt)
		require.Equal(t, entticket.StatusClosed, f.ticketOf(still).Status)

		again := f.raise(f.tenants[0].in[0], "disk") // the condition still holds
		f.drive()
		f.poll()
		f.drive()
		require.Equal(t, 2, again.Incident)
		require.Nil(t, f.alert(again).ResolvedAt)
		require.False(t, f.closed(0, made.ExternalID), "the ticket is not reopened")
	})
}

// TestOwnClose: what we close is not taken for somebody's doing.
func TestOwnClose(t *testing.T) {
	eachVendor(t, func(t *testing.T, f *followed) {
		if kinds[f.kind] {
			f.enable(0)
		}
		a, made := f.opened(0, "disk")
		f.resolve(f.tenants[0].in[0], a)
		f.drive()
		require.True(t, f.closed(0, made.ExternalID))
		notes := f.notes(0, made.ExternalID)
		require.Empty(t, f.calls(), "the vendor called about our own doing")
		for range 3 {
			f.poll()
			f.drive()
		}
		ours := f.ticketOf(a)
		require.Equal(t, entticket.StatusClosed, ours.Status)
		require.False(t, ours.ClosedByTechnician)
		require.Equal(t, notes, f.notes(0, made.ExternalID))
		require.Zero(t, f.client.SystemLogEvent.Query().Where(systemlogevent.EventType("ticketClosedAtVendor")).CountX(f.system(t.Context())))
		require.Equal(t, 2, f.client.TicketDelivery.Query().Where(ticketdelivery.TicketID(ours.ID)).CountX(f.system(t.Context())))
	})
}

// TestReopenedThere: a ticket that somebody reopens lives again; its alert does
// not, unless it is raised.
func TestReopenedThere(t *testing.T) {
	eachVendor(t, func(t *testing.T, f *followed) {
		by, made := f.opened(0, "by a technician")
		f.finish(0, made.ExternalID)
		f.poll()
		f.requireClosedThere(0, by)
		f.reopen(0, made.ExternalID)
		f.poll()
		living := f.ticketOf(by)
		require.Equal(t, entticket.StatusCreated, living.Status)
		require.False(t, living.ClosedByTechnician)
		require.Nil(t, living.ClosedAt)
		require.NotNil(t, f.alert(by).ResolvedAt)
		f.finish(0, made.ExternalID)
		f.poll()
		require.True(t, f.ticketOf(by).ClosedByTechnician)

		ours, made := f.opened(0, "by us")
		f.resolve(f.tenants[0].in[0], ours)
		f.drive()
		f.poll()
		f.reopen(0, made.ExternalID)
		f.poll()
		require.Equal(t, entticket.StatusCreated, f.ticketOf(ours).Status)
		require.NotNil(t, f.alert(ours).ResolvedAt)

		// Another of its group has begun to live: there can be but one.
		grouped, made := f.opened(0, "grouped")
		f.finish(0, made.ExternalID)
		f.poll()
		old := f.ticketOf(grouped)
		f.client.Ticket.Create().SetIntegrationID(old.IntegrationID).SetAlertID(old.AlertID).SetOrganizationID(old.OrganizationID).
			SetGroupKey(old.GroupKey).SetEpoch(2).SetMarker("another").SaveX(f.tenants[0].in[0])
		f.reopen(0, made.ExternalID)
		f.poll()
		left := f.client.Ticket.GetX(f.tenants[0].in[0], old.ID)
		require.Equal(t, entticket.StatusClosed, left.Status)
		require.NotEqual(t, old.ExternalStatus, left.ExternalStatus)
	})
}

// TestWorkedOn: status and technician are shown, and work that has begun is
// noticed.
func TestWorkedOn(t *testing.T) {
	eachVendor(t, func(t *testing.T, f *followed) {
		a, made := f.opened(0, "disk")
		ctx := f.tenants[0].in[0]
		first, err := f.tickets.Sync(ctx, made.ID)
		require.NoError(t, err)
		require.NotEmpty(t, first.ExternalStatus)
		require.False(t, first.Started)
		require.NotEmpty(t, first.ExternalURL)
		f.client.Ticket.UpdateOneID(made.ID).SetInitialStatus(first.ExternalStatus).SetInitialAssignee(first.ExternalAssignee).ExecX(ctx)
		same, err := f.tickets.Sync(ctx, made.ID)
		require.NoError(t, err)
		require.False(t, same.Started)
		f.work(0, made.ExternalID)
		f.poll()
		begun := f.ticketOf(a)
		require.True(t, begun.Started)
		require.NotEqual(t, first.ExternalStatus, begun.ExternalStatus)
		require.Equal(t, entticket.StatusCreated, begun.Status)
		require.Nil(t, f.alert(a).ResolvedAt)
	})
}

// TestToBeReopened: while a ticket waits to be reopened by us, that it is closed
// is nobody's doing.
func TestToBeReopened(t *testing.T) {
	eachVendor(t, func(t *testing.T, f *followed) {
		a, made := f.opened(0, "disk")
		ctx := f.tenants[0].in[0]
		reopen := f.client.TicketDelivery.Create().SetOrganizationID(made.OrganizationID).SetTicketID(made.ID).SetSequence(2).
			SetAction(ticketdelivery.ActionReopen).SetContent(schema.TicketContent{}).SetMarker("m").SaveX(ctx)
		f.finish(0, made.ExternalID)
		f.poll()
		require.Nil(t, f.alert(a).ResolvedAt)
		require.Equal(t, entticket.StatusCreated, f.ticketOf(a).Status)
		require.False(t, f.ticketOf(a).Started)
		reopen.Update().SetState(ticketdelivery.StateUncertain).ExecX(ctx)
		_, err := f.tickets.Sync(ctx, made.ID)
		requireFault(t, err, fault.Conflict, "")
	})
}

// TestSync: reading one ticket now, and what stands in its way.
func TestSync(t *testing.T) {
	eachVendor(t, func(t *testing.T, f *followed) {
		a, made := f.opened(0, "disk")
		_, err := f.tickets.Sync(f.tenants[1].all, made.ID)
		requireFault(t, err, fault.NotFound, "")
		f.finish(0, made.ExternalID)
		f.revoke(0, true)
		_, err = f.tickets.Sync(f.tenants[0].in[0], made.ID)
		requireFault(t, err, fault.PreconditionFailed, "")
		f.revoke(0, false)
		require.Nil(t, f.alert(a).ResolvedAt)

		delivery := f.client.TicketDelivery.Query().Where(ticketdelivery.TicketID(made.ID)).OnlyX(f.tenants[0].in[0])
		delivery.Update().SetState(ticketdelivery.StateAttempting).ExecX(f.tenants[0].in[0])
		_, err = f.tickets.Sync(f.tenants[0].in[0], made.ID)
		requireFault(t, err, fault.Conflict, "")
		require.Error(t, f.run(ticket.Reading{Tenant: tenantOf(made), Ticket: made.ID}), "the job is to be tried again")
		require.Nil(t, f.alert(a).ResolvedAt)
		delivery.Update().SetState(ticketdelivery.StateDone).ExecX(f.tenants[0].in[0])

		closed, err := f.tickets.Sync(f.tenants[0].in[0], made.ID)
		require.NoError(t, err)
		require.True(t, closed.ClosedByTechnician)
		f.requireClosedThere(0, a)
		waiting := f.raise(f.tenants[0].in[0], "not there yet")
		_, err = f.tickets.Sync(f.tenants[0].in[0], f.ticketOf(waiting).ID)
		requireFault(t, err, fault.PreconditionFailed, "")
	})
}

// TestDeletedThere: a ticket that is gone is closed; its alert goes on.
func TestDeletedThere(t *testing.T) {
	eachVendor(t, func(t *testing.T, f *followed) {
		a, made := f.opened(0, "disk")
		f.remove(0, made.ExternalID)
		f.poll() // in no list
		require.Equal(t, entticket.StatusCreated, f.ticketOf(a).Status)
		f.clock.to(f.clock.Now().Add(f.config.TwoWay.ReadAfter))
		require.NoError(t, f.tickets.Reconcile(t.Context()))
		f.settle()
		gone := f.ticketOf(a)
		require.Equal(t, entticket.StatusClosed, gone.Status)
		require.False(t, gone.ClosedByTechnician)
		require.Contains(t, gone.LastError, "no longer exists")
		require.Nil(t, f.alert(a).ResolvedAt)
		f.resolve(f.tenants[0].in[0], a)
		f.drive()
		require.NoError(t, f.tickets.Reconcile(t.Context()))
		require.Empty(t, f.take())
	})
}

// TestClosedElsewhereToo: an alert with tickets in two systems is closed in the
// other when somebody closes it in one.
func TestClosedElsewhereToo(t *testing.T) {
	eachHooker(t, func(t *testing.T, f *followed) {
		on, one := true, f.tenants[0]
		_, err := f.tickets.Update(one.all, ticket.Change{ID: one.integration, AutomaticTicketing: &on})
		require.NoError(t, err)
		a := f.raise(one.in[0], "disk")
		f.drive()
		of := func(integration string) *ent.Ticket {
			return f.client.Ticket.Query().Where(entticket.AlertID(a.ID), entticket.IntegrationID(integration)).OnlyX(one.all)
		}
		f.finish(0, of(f.integrations[0]).ExternalID)
		f.poll()
		f.drive()
		require.NotNil(t, f.alert(a).ResolvedAt)
		require.True(t, of(f.integrations[0]).ClosedByTechnician)
		other := of(one.integration)
		require.Equal(t, entticket.StatusClosed, other.Status)
		require.False(t, other.ClosedByTechnician)
		require.True(t, syncroSide{f.world}.closed(0, other.ExternalID))
		for range 3 {
			f.poll()
			f.drive()
		}
		require.False(t, of(one.integration).ClosedByTechnician)
		require.Equal(t, 1, f.client.SystemLogEvent.Query().Where(systemlogevent.EventType("ticketClosedAtVendor")).CountX(f.system(t.Context())))
	})
}

// TestManyAlerts: a ticket about more alerts than one transaction resolves.
func TestManyAlerts(t *testing.T) {
	const alerts = 430
	f := follow(t, anySQLite(t), psa.Syncro)
	a, made := f.opened(0, "first")
	ctx := f.tenants[0].in[0]
	for n := range alerts {
		other := f.client.Alert.Create().SetType(a.Type).SetTitle("x").SetSeverity(entalert.SeverityLow).SetDedupeKey(itoa(int64(n))).
			SetFirstOccurredAt(f.clock.Now()).SetLastOccurredAt(f.clock.Now()).SetOrganizationID(a.OrganizationID).SaveX(ctx)
		f.client.TicketAlert.Create().SetTicketID(made.ID).SetAlertID(other.ID).SetOrganizationID(a.OrganizationID).ExecX(ctx)
	}
	f.finish(0, made.ExternalID)
	f.poll()
	require.Zero(t, f.client.Alert.Query().Where(entalert.ResolvedAtIsNil()).CountX(ctx))
	require.Equal(t, alerts+1, f.client.Alert.Query().Where(entalert.StatusEQ(entalert.StatusResolved)).CountX(ctx))
}

// dying is a vendor whose reader dies before it can tell.
type dying struct {
	psa.Vendor
	dead *bool
}

func (d dying) Get(ctx context.Context, id string) (psa.Remote, error) {
	r, err := d.Vendor.Get(ctx, id)
	if !*d.dead {
		*d.dead = true
		mortal.Die()
	}
	return r, err
}

// TestDeathAfterReading: a worker that dies between the vendor's answer and the
// commit has changed nothing, and the next does it once.
func TestDeathAfterReading(t *testing.T) {
	eachVendor(t, func(t *testing.T, f *followed) {
		a, made := f.opened(0, "disk")
		dead := false
		honest := f.drivers[f.kind]
		ends := honest
		ends.Open = func(credentials []byte, gate psa.Gate) (psa.Vendor, error) {
			v, err := honest.Open(credentials, gate)
			return dying{v, &dead}, err
		}
		f.tickets = f.with(f.db, f.jobs, psa.Drivers{f.kind: ends}).tickets
		f.finish(0, made.ExternalID)
		reading := ticket.Reading{Tenant: tenantOf(made), Ticket: made.ID}
		mortal.Survive(func() { t.Errorf("survived: %v", f.run(reading)) })
		require.True(t, dead)
		require.Nil(t, f.alert(a).ResolvedAt)
		require.Equal(t, entticket.StatusCreated, f.ticketOf(a).Status)
		for range 2 {
			require.NoError(t, f.run(reading))
		}
		f.requireClosedThere(0, a)
	})
}

// TestCredentialsRevoked: what cannot be read pauses the integration, tells the
// technicians, and goes on by itself afterwards.
func TestCredentialsRevoked(t *testing.T) {
	eachVendor(t, func(t *testing.T, f *followed) {
		a, made := f.opened(0, "disk")
		theirs, other := f.opened(1, "disk")
		f.finish(0, made.ExternalID)
		f.finish(1, other.ExternalID)
		f.revoke(0, true)
		f.poll()
		require.Equal(t, ticketingintegration.StatusPaused, f.integration(0).Status)
		require.Nil(t, f.alert(a).ResolvedAt)
		require.NotNil(t, f.alert(theirs).ResolvedAt)
		require.Equal(t, 1, f.client.Alert.Query().Where(entalert.TypeEQ("INTEGRATION_FAILING")).CountX(f.tenants[0].all))
		require.NoError(t, f.tickets.PollDue(t.Context()))
		for _, p := range f.polls() {
			require.NotEqual(t, f.integrations[0], p.Integration, "a paused integration is polled")
		}
		require.Equal(t, ticketingintegration.StatusPaused, f.integration(0).Status)
		f.revoke(0, false)
		require.NoError(t, f.tickets.VerifyPaused(t.Context()))
		f.poll()
		f.requireClosedThere(0, a)
	})
}
