package endpoint_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/systemlogevent"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/job"
)

// enrolments are the devices of an organization that the system log says have
// enrolled, each with the serial number of its identity.
func (w *world) enrolments(t *tenant) (logged [][2]string) {
	w.t.Helper()
	for _, e := range w.client.SystemLogEvent.Query().Where(systemlogevent.EventType("enrollDevice")).
		Order(systemlogevent.ByPublished(), systemlogevent.ByID()).AllX(t.ctx) {
		require.Equal(w.t, "device management", e.ActorDisplayName, "it enrolled by itself")
		require.Empty(w.t, e.ClientAddress)
		require.Equal(w.t, t.organization, *e.OrganizationID)
		require.Len(w.t, e.Targets, 2)
		logged = append(logged, [2]string{e.Targets[0].Name, e.Targets[1].Name})
	}
	return logged
}

// departures are the devices of an organization that the system log says have left
// it in a way.
func (w *world) departures(t *tenant, how string) (logged []string) {
	w.t.Helper()
	for _, e := range w.client.SystemLogEvent.Query().Where(systemlogevent.EventType(how)).AllX(t.ctx) {
		require.Equal(w.t, "device management", e.ActorDisplayName, "nobody asked it to")
		require.Empty(w.t, e.ClientAddress)
		require.Equal(w.t, t.organization, *e.OrganizationID)
		require.Len(w.t, e.Targets, 1)
		logged = append(logged, e.Targets[0].Name)
	}
	return logged
}

// known is what the system log has of a device's enrolment.
func (m *mac) known() [2]string {
	return [2]string{m.serial + ", UDID " + m.udid, m.certificate.SerialNumber.Text(16)}
}

// arrive has the devices of an organization seen to that have enrolled.
func (w *world) arrive(t *tenant) {
	w.t.Helper()
	at := job.Tenant{Provider: t.provider, Organization: t.organization}
	require.NoError(w.t, w.members.Arrive(job.TenantContext(w.t.Context(), at, "a test"), t.organization))
}

// TestAnEnrolmentIsLoggedWhateverFollows: a device that has completed its enrolment
// is in the system log once, however soon something else becomes of it.
func TestAnEnrolmentIsLoggedWhateverFollows(t *testing.T) {
	left := func(m *mac) {
		status, _ := m.checkin("CheckOut", nil)
		require.Equal(m.t, http.StatusOK, status)
	}
	// Who does it is not who enrolled.
	someone := func(m *mac) context.Context {
		return audit.WithClient(m.home.ctx, audit.Client{Address: "192.0.2.1", UserAgent: "a browser"})
	}
	for name, way := range map[string]struct {
		act    func(m *mac)
		alerts string // once all is seen to
		anew   bool   // whether it enrols again
	}{
		"checks out": {act: left, alerts: "DEVICE_UNENROLLED"},
		"is unenrolled": {act: func(m *mac) {
			_, err := m.members.Unenroll(someone(m), m.row(m.home).ID)
			require.NoError(m.t, err)
		}},
		"is blocked": {act: func(m *mac) {
			_, err := m.members.Block(someone(m), m.row(m.home).ID)
			require.NoError(m.t, err)
		}},
		"is deleted": {act: func(m *mac) {
			require.NoError(m.t, m.members.Delete(someone(m), m.row(m.home).ID))
		}},
		"enrols again": {act: func(m *mac) {
			m.certificate = m.issue(m.home, "")
			require.Equal(m.t, http.StatusOK, m.authenticate())
		}, anew: true, alerts: "DEVICE_ENROLLED"},
		"enrols again under another UDID": {act: func(m *mac) {
			m.certificate, m.udid = m.issue(m.home, ""), "00000000-0000-0000-0000-000000000099"
			require.Equal(m.t, http.StatusOK, m.authenticate())
		}, anew: true, alerts: "DEVICE_ENROLLED"},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				m, other := w.mac(w.one, 1), w.mac(w.foreign, 1)
				m.come()
				other.come()
				first := m.known()
				require.Empty(t, w.enrolments(w.one))
				way.act(m)
				require.Equal(t, [][2]string{first}, w.enrolments(w.one), "at once")
				require.Zero(t, w.client.DeviceChannel.Query().Where(devicechannel.ArrivedAtNotNil()).CountX(w.one.ctx))
				require.Empty(t, w.enrolments(w.foreign), "others wait for their own")
				var out []string
				if name == "checks out" {
					out = append(out, first[0])
				}
				require.Equal(t, out, w.departures(w.one, "checkOutDevice"))
				require.Empty(t, w.departures(w.foreign, "checkOutDevice"))
				want := [][2]string{first}
				if way.anew {
					require.Equal(t, http.StatusOK, m.token(nil))
					want = append(want, m.known())
				}
				for range 2 {
					w.work()
					require.Equal(t, want, w.enrolments(w.one))
					require.Equal(t, way.alerts, w.alertsOf(w.one))
					require.Equal(t, [][2]string{other.known()}, w.enrolments(w.foreign))
				}
			})
		})
	}
}

// TestAnEnrolmentThatIsNotUndoneIsLoggedOnce: what dies before it is committed has
// logged nothing, and of two who see to a device at once, one does.
func TestAnEnrolmentThatIsNotUndoneIsLoggedOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.mac(w.one, 1)
		m.come()
		killed := errors.New("killed")
		err := w.db.InTx(w.one.ctx, func(ctx context.Context) error {
			if _, err := w.members.Unenroll(ctx, m.row(w.one).ID); err != nil {
				return err
			}
			return killed
		})
		require.ErrorIs(t, err, killed)
		require.Empty(t, w.enrolments(w.one))
		w.work()
		require.Equal(t, [][2]string{m.known()}, w.enrolments(w.one))
		require.Equal(t, "DEVICE_ENROLLED", w.alertsOf(w.one))

		for n := 2; n <= 6; n++ {
			m, other := w.mac(w.one, n), w.mac(w.foreign, n)
			m.come()
			other.come()
			var both sync.WaitGroup
			both.Go(func() {
				at := job.Tenant{Provider: w.one.provider, Organization: w.one.organization}
				if err := w.members.Arrive(job.TenantContext(t.Context(), at, "a test"), at.Organization); err != nil {
					t.Error(err)
				}
			})
			both.Go(func() {
				if status, _ := m.checkin("CheckOut", nil); status != http.StatusOK {
					t.Error(status)
				}
			})
			both.Wait()
			w.arrive(w.one)
			require.Len(t, w.enrolments(w.one), n)
			require.Equal(t, m.known(), w.enrolments(w.one)[n-1])
			require.False(t, m.row(w.one).Enrolled)
			require.Empty(t, w.enrolments(w.foreign))
		}
	})
}

// TestADeviceThatMovesBeforeItIsSeenTo is where it enrolled last, whichever
// organization's turn comes first, and both say that it came.
func TestADeviceThatMovesBeforeItIsSeenTo(t *testing.T) {
	for name, order := range map[string]func(w *world) []*tenant{
		"the first is seen to first": func(w *world) []*tenant { return []*tenant{w.one, w.two} },
		"the last is seen to first":  func(w *world) []*tenant { return []*tenant{w.two, w.one} },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				before, after, elsewhere := w.mac(w.one, 1), w.mac(w.two, 1), w.mac(w.foreign, 1)
				before.come()
				w.clock.pass(time.Second / 2)
				elsewhere.come()
				after.come()
				for range 2 {
					for _, at := range order(w) {
						w.arrive(at)
					}
					require.Equal(t, [][2]string{before.known()}, w.enrolments(w.one))
					require.Equal(t, [][2]string{after.known()}, w.enrolments(w.two))
					require.False(t, before.row(w.one).Enrolled)
					require.True(t, after.row(w.two).Enrolled)
					require.Empty(t, w.alertsOf(w.one))
					require.Equal(t, []string{before.known()[0]}, w.departures(w.one, "unenrollDevice"))
					require.Empty(t, append(w.departures(w.two, "unenrollDevice"), w.departures(w.foreign, "unenrollDevice")...))
					require.Equal(t, "DEVICE_ENROLLED", w.alertsOf(w.two))
				}
				require.Empty(t, w.enrolments(w.foreign))
				require.Equal(t, devicechannel.StatusEnrolled, w.client.DeviceChannel.Query().OnlyX(w.two.ctx).Status)
			})
		})
	}
}

// TestNobodyComesInWithTheIdentityOfADeletedDevice: neither the device itself, nor
// another that has its key.
func TestNobodyComesInWithTheIdentityOfADeletedDevice(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m, other := w.enrolled(w.one, 1), w.enrolled(w.foreign, 2)
		require.NoError(t, w.members.Delete(w.one.ctx, m.row(w.one).ID))
		require.Equal(t, http.StatusBadRequest, m.authenticate())
		m.udid, m.serial = other.udid, other.serial
		require.Equal(t, http.StatusBadRequest, m.authenticate())
		_, status := m.report("Idle", nil)
		require.Equal(t, http.StatusBadRequest, status)
		require.Zero(t, w.client.Device.Query().CountX(w.one.ctx))
		require.Zero(t, w.client.DeviceChannel.Query().CountX(w.one.ctx))
		require.Nil(t, other.idle())
		m.certificate = m.issue(w.one, "")
		require.Equal(t, http.StatusOK, m.authenticate())
	})
}
