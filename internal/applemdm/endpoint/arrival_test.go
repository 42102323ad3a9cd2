package endpoint_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/ent/systemlogevent"
	"github.com/bailiwick/bailiwick/internal/applemdm/membership"
	"github.com/bailiwick/bailiwick/internal/applemdm/message"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/job"
)

// come enrols a device that nobody sees to yet.
func (m *mac) come() {
	m.t.Helper()
	require.Equal(m.t, http.StatusOK, m.authenticate())
	require.Equal(m.t, http.StatusOK, m.token(nil))
}

// arrivals are the organizations whose arrivals are announced.
func (w *world) arrivals() (organizations []string) {
	for _, args := range w.jobs.take() {
		if a, ok := args.(membership.Arrival); ok {
			organizations = append(organizations, a.Organization)
		}
	}
	return organizations
}

// welcomed counts what was done for the arrivals of a tenant.
func (w *world) welcomed(t *tenant) (logged, asked, waiting int) {
	w.t.Helper()
	return w.client.SystemLogEvent.Query().Where(systemlogevent.EventType("enrollDevice")).CountX(t.ctx),
		w.client.DeviceCommand.Query().Where(devicecommand.Inventory(true), queue.Waiting).CountX(t.ctx),
		w.client.DeviceChannel.Query().Where(devicechannel.ArrivedAtNotNil()).CountX(t.ctx)
}

func TestDevicesThatArriveTogetherAreSeenToTogether(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const questions = 6
		for n := 1; n <= 3; n++ {
			w.mac(w.one, n).come()
		}
		w.mac(w.foreign, 4).come()
		require.Equal(t, []string{w.one.organization, w.foreign.organization}, slices.Compact(w.arrivals()))
		at := job.Tenant{Provider: w.one.provider, Organization: w.one.organization}
		for range 2 { // once is enough
			require.NoError(t, w.members.Arrive(job.TenantContext(t.Context(), at, "a test"), at.Organization))
			logged, asked, waiting := w.welcomed(w.one)
			require.Equal(t, []int{3, 3 * questions, 0}, []int{logged, asked, waiting})
			require.Equal(t, "DEVICE_ENROLLED DEVICE_ENROLLED DEVICE_ENROLLED", w.alertsOf(w.one))
			require.Equal(t, 3, w.client.DeviceChannel.Query().
				Where(devicechannel.PushWantedAtNotNil(), devicechannel.NextInventoryAtGT(w.clock.Now())).CountX(w.one.ctx))
		}
		logged, asked, waiting := w.welcomed(w.foreign)
		require.Equal(t, []int{0, 0, 1}, []int{logged, asked, waiting}, "others wait for their own")
		w.mac(w.one, 5).come()
		require.Contains(t, w.arrivals(), w.one.organization, "later ones have another job")
	})
}

func TestArrivalsWhoseJobIsLostAreFound(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.mac(w.one, 1)
		m.come()
		w.jobs.take() // and lost
		require.NoError(t, w.members.FindArrivals(t.Context()))
		require.Empty(t, w.arrivals(), "its job may be under way")
		w.clock.pass(time.Minute)
		require.NoError(t, w.members.FindArrivals(t.Context()))
		require.Equal(t, []string{w.one.organization}, w.arrivals())
		w.work()
		require.Equal(t, "DEVICE_ENROLLED", w.alertsOf(w.one))
		require.NoError(t, w.members.FindArrivals(t.Context()))
		require.Empty(t, w.arrivals())

		// Who has left again is not welcome any more, and was here nevertheless.
		gone := w.mac(w.two, 2)
		gone.come()
		status, _ := gone.checkin("CheckOut", nil)
		require.Equal(t, http.StatusOK, status)
		w.work()
		logged, asked, waiting := w.welcomed(w.two)
		require.Equal(t, []int{1, 0, 0}, []int{logged, asked, waiting})
	})
}

// Those who enrol within a while are seen to together, also if the process stops
// before it is over, or is killed.
func TestEnrolmentsAreSeenToTogether(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		quietly := func(lull time.Duration) *membership.Service {
			c := w.members.Config
			c.Lull = lull
			s, err := membership.New(c)
			require.NoError(t, err)
			return s
		}
		enrol := func(s *membership.Service, owner *tenant, n int) {
			t.Helper()
			m := w.mac(owner, n)
			require.Equal(t, http.StatusOK, m.authenticate())
			require.NoError(t, s.TokenUpdate(owner.ctx, m.sender(), &message.TokenUpdate{
				Enrollment: message.Enrollment{UDID: m.udid}, Topic: owner.topic, PushMagic: "magic", Token: []byte("token"),
			}))
		}
		alerts := func(owner *tenant) int { return w.client.Alert.Query().CountX(owner.ctx) }

		s := quietly(time.Hour)
		for n := range 3 {
			enrol(s, w.one, n)
		}
		enrol(s, w.foreign, 4)
		require.Empty(t, w.arrivals())
		require.NoError(t, s.Flush(t.Context()))
		require.ElementsMatch(t, []string{w.one.organization, w.foreign.organization}, w.arrivals(), "one job each")
		require.NoError(t, s.Flush(t.Context()))
		require.Empty(t, w.arrivals(), "once")

		s = quietly(10 * time.Millisecond)
		enrol(s, w.two, 5)
		require.Eventually(t, func() bool { return slices.Equal(w.arrivals(), []string{w.two.organization}) }, 10*time.Second, time.Millisecond)

		// None of these jobs was worked.
		require.Zero(t, alerts(w.one)+alerts(w.two)+alerts(w.foreign))
		w.clock.pass(time.Minute)
		require.NoError(t, w.members.FindArrivals(t.Context()))
		w.work()
		require.Equal(t, []int{3, 1, 1}, []int{alerts(w.one), alerts(w.two), alerts(w.foreign)})

		c := w.members.Config
		c.Lull = -1
		_, err := membership.New(c)
		require.Error(t, err)
	})
}
