package app_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/app"
	"github.com/bailiwick/bailiwick/internal/applemdm/simulator"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

// fleet is a server that simulated devices reach over TLS.
type fleet struct {
	*mdm
	front *httptest.Server
}

func startFleet(t *testing.T, engine string) *fleet {
	t.Helper()
	return startFleetWith(t, engine, func(c *app.Config) {
		c.APNSHost = "https://127.0.0.1:1" // nobody there: devices connect by themselves
	})
}

func startFleetWith(t *testing.T, engine string, change func(*app.Config)) *fleet {
	t.Helper()
	var handler atomic.Pointer[http.Handler]
	f := &fleet{front: httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*handler.Load()).ServeHTTP(w, r)
	}))}
	f.front.StartTLS()
	t.Cleanup(f.front.Close)
	f.mdm = startMDM(t, engine, func(c *app.Config) {
		c.PublicURL = f.front.URL
		change(c)
	})
	h := f.Handler()
	handler.Store(&h)
	f.ready(t, f.a)
	f.ready(t, f.b)
	return f
}

// device is a simulated device with an enrolment profile of a tenant's.
func (f *fleet) device(t *testing.T, tenant mdmTenant, seed uint64, kind simulator.Kind) (*simulator.Device, []byte) {
	t.Helper()
	d, err := simulator.New(simulator.Config{
		Hardware: simulator.Generate(seed, kind), Supervised: true, Clock: f.now,
		Transport: simulator.NewTransport(f.front.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs), //nolint:forcetypeassert // httptest says so
	})
	require.NoError(t, err)
	return d, f.profile(t, tenant)
}

func (f *fleet) profile(t *testing.T, tenant mdmTenant) []byte {
	t.Helper()
	var got struct{ CreateEnrollment struct{ Link string } }
	f.must(t, tenant.key, tenant.organization, `mutation { createEnrollment(input: {name: "Everyone"}) { link } }`, nil, &got)
	status, document := f.get(t, strings.TrimPrefix(got.CreateEnrollment.Link, f.front.URL)+"/profile")
	require.Equal(t, http.StatusOK, status, "%s", document)
	return document
}

const deviceList = `{ devices(filter: {enrolled: true, isMissing: false}) { totalCount edges { node { id } } } }`

func TestASimulatedDeviceEnrolsAndObeys(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		f := startFleet(t, engine)
		for i, kind := range []simulator.Kind{simulator.MacAppleSilicon, simulator.IPhone} {
			d, document := f.device(t, f.a, uint64(i+1), kind)
			require.NoError(t, d.Enroll(t.Context(), document))
			id := f.idOf(t, f.a, d)

			const lock = `mutation($id: ID!) { lockDevice(input: {deviceId: $id, message: "Call us"}) { command { id status } pin } }`
			type locked struct {
				LockDevice struct {
					Command struct{ ID, Status string }
					Pin     string
				}
			}
			var got locked
			vars := map[string]any{"id": id}
			require.Equal(t, "NOT_FOUND", code(f.do(t, f.b.key, "", lock, vars, nil)))
			// The first inventory comes from a job.
			require.Eventually(t, func() bool {
				_, err := d.Connect(t.Context())
				require.NoError(t, err)
				return len(d.Obeyed("CertificateList")) > 0
			}, 20*time.Second, 20*time.Millisecond)
			f.must(t, f.a.key, "", lock, vars, &got)
			require.Equal(t, "PENDING", got.LockDevice.Command.Status)
			require.Equal(t, kind.Mac(), got.LockDevice.Pin != "")
			_, err := d.Connect(t.Context())
			require.NoError(t, err)
			require.Len(t, d.Obeyed("DeviceLock"), 1)
			var command struct {
				DeviceCommand struct{ RequestType, Status string }
			}
			one := map[string]any{"id": got.LockDevice.Command.ID}
			const read = `query($id: ID!) { deviceCommand(id: $id) { requestType status errorChain { code } } }`
			f.must(t, f.a.key, "", read, one, &command)
			require.Equal(t, "ACKNOWLEDGED", command.DeviceCommand.Status)
			require.Equal(t, "NOT_FOUND", code(f.do(t, f.b.key, "", read, one, nil)))
			if kind.Mac() {
				require.True(t, d.Unlock(got.LockDevice.Pin))
				var revealed struct{ RevealDeviceSecret struct{ Value string } }
				const reveal = `mutation($id: ID!) { revealDeviceSecret(input: {deviceId: $id, kind: UNLOCK_PIN}) { value } }`
				f.must(t, f.a.key, "", reveal, vars, &revealed)
				require.Equal(t, got.LockDevice.Pin, revealed.RevealDeviceSecret.Value)
				require.Equal(t, "NOT_FOUND", code(f.do(t, f.b.key, "", reveal, vars, nil)))
				var logged struct{ SystemLogEvents struct{ TotalCount int } }
				f.must(t, f.a.key, "", `{ systemLogEvents(filter: {eventType: "revealDeviceSecret"}) { totalCount } }`, nil, &logged)
				require.Equal(t, 1, logged.SystemLogEvents.TotalCount)
			}
			const refused = `mutation($id: ID!) { scheduleDeviceOsUpdate(input: {deviceId: $id, installAction: INSTALL_LATER}) { command { id } } }`
			require.NotEmpty(t, code(f.do(t, f.a.key, "", refused, vars, nil)))

			var rows struct {
				Device struct {
					Enrolled, IsMissing                         bool
					Apps, Profiles, Certificates, Commands, All struct{ TotalCount int }
				}
			}
			f.must(t, f.a.key, "", `query($id: ID!) { device(id: $id) { enrolled isMissing
				apps { totalCount } profiles { totalCount } certificates { totalCount }
				commands { totalCount } all: commands(includeInventory: true) { totalCount } } }`, vars, &rows)
			require.True(t, rows.Device.Enrolled)
			require.Positive(t, rows.Device.Apps.TotalCount)
			require.Equal(t, 1, rows.Device.Commands.TotalCount)
			require.Greater(t, rows.Device.All.TotalCount, 4)

			f.must(t, f.a.key, "", `mutation($id: ID!) { blockDevice(input: {deviceId: $id}) { device { enrolled blockedAt } } }`, vars, nil)
			_, _ = d.Connect(t.Context())
			require.False(t, d.State().Enrolled, "it has removed its profile")
			require.Error(t, d.Enroll(t.Context(), f.profile(t, f.a)))
		}
		var list struct{ Devices struct{ TotalCount int } }
		f.must(t, f.a.key, "", deviceList, nil, &list)
		require.Zero(t, list.Devices.TotalCount)
		f.must(t, f.a.key, "", `{ devices(filter: {isBlocked: true}) { totalCount } }`, nil, &list)
		require.Equal(t, 2, list.Devices.TotalCount)
	})
}

// idOf finds a simulated device by its serial number.
func (f *fleet) idOf(t *testing.T, tenant mdmTenant, d *simulator.Device) string {
	t.Helper()
	var found struct {
		Devices struct {
			Edges []struct{ Node struct{ ID string } }
		}
	}
	f.must(t, tenant.key, "", `query($s: String!) { devices(filter: {serialNumber: $s}) { edges { node { id } } } }`,
		map[string]any{"s": d.Hardware().SerialNumber}, &found)
	require.Len(t, found.Devices.Edges, 1)
	return found.Devices.Edges[0].Node.ID
}
