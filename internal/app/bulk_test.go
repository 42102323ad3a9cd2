package app_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
	"github.com/bailiwick/bailiwick/internal/applemdm/simulator"
	"github.com/bailiwick/bailiwick/internal/testkit/appleschema"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/schema"
)

const bulkCommand = `mutation($in: BulkCommandDevicesInput!) { bulkCommandDevices(input: $in) {
	job { id status total done failed } refusals { deviceId code message field } } }`

type bulked struct {
	BulkCommandDevices struct {
		Job *struct {
			ID, Status          string
			Total, Done, Failed int
		}
		Refusals []struct{ DeviceID, Code, Message, Field string }
	}
}

func bulk(ids []string, command map[string]any) map[string]any {
	return map[string]any{"in": map[string]any{"deviceIds": ids, "command": command}}
}

// fleetOf records enrolled devices of an organization.
func (m *mdm) fleetOf(t *testing.T, tenant mdmTenant, n int, platform device.Platform) []string {
	t.Helper()
	ctx := m.scope(t, tenant)
	var ids []string
	var channels []*ent.DeviceChannelCreate
	for i := range n {
		serial := fmt.Sprintf("%s-%s-%03d", tenant.name, platform, i)
		d, err := m.Client.Device.Create().SetName(serial).SetSerialNumber(serial).SetPlatform(platform).SetSupervised(true).SetEnrolled(true).Save(ctx)
		require.NoError(t, err)
		ids = append(ids, d.ID)
		channels = append(channels, m.Client.DeviceChannel.Create().SetDeviceID(d.ID).SetKey("udid-"+serial).
			SetStatus(devicechannel.StatusEnrolled).SetTopic("com.apple.mgmt.External."+tenant.name))
	}
	require.NoError(t, m.Client.DeviceChannel.CreateBulk(channels...).Exec(ctx))
	return ids
}

func TestManyDevicesAreToldAtOnce(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		f := startFleet(t, engine)
		var devices []*simulator.Device
		var ids []string
		for i, kind := range []simulator.Kind{simulator.MacAppleSilicon, simulator.MacAppleSilicon, simulator.IPhone} {
			d, document := f.device(t, f.a, uint64(i+1), kind)
			require.NoError(t, d.Enroll(t.Context(), document))
			require.Eventually(t, func() bool {
				_, err := d.Connect(t.Context())
				return err == nil && len(d.Obeyed("CertificateList")) > 0
			}, 20*time.Second, 20*time.Millisecond)
			devices, ids = append(devices, d), append(ids, f.idOf(t, f.a, d))
		}
		foreign := f.fleetOf(t, f.b, 1, device.PlatformMacOS)[0]
		unknown := schema.NewID("dev")()
		record, err := f.Client.Device.Create().SetName("bare").SetSerialNumber("bare").SetPlatform(device.PlatformMacOS).Save(f.scope(t, f.a))
		require.NoError(t, err)

		var got bulked
		all := append([]string{foreign, unknown, record.ID}, append(ids, ids...)...)
		f.must(t, f.a.key, "", bulkCommand, bulk(all, map[string]any{"lock": map[string]any{"message": "Call us"}}), &got)
		require.Equal(t, 3, got.BulkCommandDevices.Job.Total)
		require.Len(t, got.BulkCommandDevices.Refusals, 3)
		for i, code := range []string{"NOT_FOUND", "NOT_FOUND", "PRECONDITION_FAILED"} {
			require.Equal(t, all[i], got.BulkCommandDevices.Refusals[i].DeviceID)
			require.Equal(t, code, got.BulkCommandDevices.Refusals[i].Code)
		}
		require.Equal(t, "input.deviceIds", got.BulkCommandDevices.Refusals[2].Field)
		none, err := f.Client.DeviceCommand.Query().Where(devicecommand.DeviceID(foreign)).Count(f.scope(t, f.b))
		require.NoError(t, err)
		require.Zero(t, none)

		// The job ends with the commands; what each device said is beside it.
		jobID := map[string]any{"id": got.BulkCommandDevices.Job.ID}
		const read = `query($id: ID!) { job(id: $id) { status total done failed commands(first: 500) { totalCount edges { node { id status requestType device { id } } } } } }`
		type followed struct {
			Job struct {
				Status              string
				Total, Done, Failed int
				Commands            struct {
					TotalCount int
					Edges      []struct {
						Node struct {
							ID, Status, RequestType string
							Device                  struct{ ID string }
						}
					}
				}
			}
		}
		for _, d := range devices {
			_, err := d.Connect(t.Context())
			require.NoError(t, err)
			require.Len(t, d.Obeyed("DeviceLock"), 1)
		}
		var job followed
		require.Eventually(t, func() bool {
			f.must(t, f.a.key, "", read, jobID, &job)
			return job.Job.Status == "SUCCEEDED"
		}, 30*time.Second, 50*time.Millisecond)
		require.Equal(t, [3]int{3, 3, 0}, [3]int{job.Job.Total, job.Job.Done, job.Job.Failed})
		require.Equal(t, 3, job.Job.Commands.TotalCount)
		for _, e := range job.Job.Commands.Edges {
			require.Equal(t, "ACKNOWLEDGED", e.Node.Status)
		}
		require.Equal(t, "NOT_FOUND", code(f.do(t, f.b.key, "", read, jobID, nil)))

		// Each Mac has a PIN of its own, in keeping.
		pins := map[string]bool{}
		const reveal = `mutation($id: ID!) { revealDeviceSecret(input: {deviceId: $id, kind: UNLOCK_PIN}) { value } }`
		for i, d := range devices[:2] {
			pin := f.reveal(t, ids[i], "UNLOCK_PIN")
			require.True(t, d.Unlock(pin))
			pins[pin] = true
		}
		require.Len(t, pins, 2)
		require.Equal(t, "PRECONDITION_FAILED", code(f.do(t, f.a.key, "", reveal, map[string]any{"id": ids[2]}, nil)))

		// What a device does not know, or may not be told, is its own affair.
		got = bulked{}
		f.must(t, f.a.key, "", bulkCommand, bulk(ids, map[string]any{"plain": "CLEAR_PASSCODE"}), &got)
		require.Equal(t, 1, got.BulkCommandDevices.Job.Total)
		require.Len(t, got.BulkCommandDevices.Refusals, 2)
		require.Equal(t, "PLATFORM_NOT_SUPPORTED", got.BulkCommandDevices.Refusals[0].Code)
		got = bulked{}
		f.must(t, f.a.key, "", bulkCommand, bulk(ids, map[string]any{"erase": map[string]any{"preserveDataPlan": true}}), &got)
		require.Equal(t, 2, got.BulkCommandDevices.Job.Total)
		require.Equal(t, "input.command.erase.disallowProximitySetup", got.BulkCommandDevices.Refusals[0].Field)

		// What was not given out yet is withdrawn together.
		cancel := map[string]any{"id": got.BulkCommandDevices.Job.ID}
		const withdraw = `mutation($id: ID!) { bulkCancelDeviceCommands(input: {jobId: $id}) { job { id } cancelled } }`
		require.Equal(t, "NOT_FOUND", code(f.do(t, f.b.key, "", withdraw, cancel, nil)))
		var withdrawn struct{ BulkCancelDeviceCommands struct{ Cancelled int } }
		f.must(t, f.a.key, "", withdraw, cancel, &withdrawn)
		require.Equal(t, 2, withdrawn.BulkCancelDeviceCommands.Cancelled)
		_, err = devices[0].Connect(t.Context())
		require.NoError(t, err)
		require.Empty(t, devices[0].Obeyed("EraseDevice"))
		require.Eventually(t, func() bool {
			f.must(t, f.a.key, "", read, cancel, &job)
			return job.Job.Status == "FAILED" && job.Job.Done == 2
		}, 30*time.Second, 50*time.Millisecond)

		// If no device can be told, there is nothing to follow.
		got = bulked{}
		f.must(t, f.a.key, "", bulkCommand, bulk([]string{foreign}, map[string]any{"plain": "SHUTDOWN"}), &got)
		require.Nil(t, got.BulkCommandDevices.Job)
		require.Len(t, got.BulkCommandDevices.Refusals, 1)
	})
}

func TestManyDevicesOfManyOrganizations(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		two := m.a
		two.organization, two.name = m.organization(t, m.a.key, "Two"), "Two"
		m.must(t, m.a.key, two.organization, `mutation { createAppleMdm(input: {name: "Fleet"}) { appleMdm { id } } }`, nil, nil)
		ids := append(m.fleetOf(t, m.a, 3, device.PlatformMacOS), m.fleetOf(t, two, 2, device.PlatformIOS)...)
		var got bulked
		m.must(t, m.a.key, "", bulkCommand, bulk(ids, map[string]any{"plain": "SHUTDOWN"}), &got)
		require.Empty(t, got.BulkCommandDevices.Refusals)
		require.Equal(t, 5, got.BulkCommandDevices.Job.Total)

		// Each organization's log names its own, and the provider's what is its.
		const log = `{ systemLogEvents(filter: {eventType: "bulkCommandDevices"}) { edges { node { organization { id } targets { type id op } } } } }`
		type events struct {
			SystemLogEvents struct {
				Edges []struct {
					Node struct {
						Organization *struct{ ID string }
						Targets      []struct{ Type, ID, Op string }
					}
				}
			}
		}
		var seen events
		m.must(t, m.a.key, two.organization, log, nil, &seen)
		require.Len(t, seen.SystemLogEvents.Edges, 1)
		require.Len(t, seen.SystemLogEvents.Edges[0].Node.Targets, 2)
		seen = events{}
		m.must(t, m.a.key, "", log, nil, &seen)
		require.Len(t, seen.SystemLogEvents.Edges, 3)
		seen = events{}
		m.must(t, m.b.key, "", log, nil, &seen)
		require.Empty(t, seen.SystemLogEvents.Edges)

		// Narrowed to one organization, the others' devices are not there.
		got = bulked{}
		m.must(t, m.a.key, two.organization, bulkCommand, bulk(ids, map[string]any{"plain": "SHUTDOWN"}), &got)
		require.Len(t, got.BulkCommandDevices.Refusals, 3)
		require.Equal(t, 2, got.BulkCommandDevices.Job.Total)

		many := make([]string, 501)
		for i := range many {
			many[i] = schema.NewID("dev")()
		}
		shutdown := map[string]any{"plain": "SHUTDOWN"}
		for what, refused := range map[string]struct {
			in    map[string]any
			field string
		}{
			"none":        {bulk([]string{}, shutdown), "input.deviceIds"},
			"too many":    {bulk(many, shutdown), "input.deviceIds"},
			"two at once": {bulk(ids, map[string]any{"plain": "SHUTDOWN", "lock": map[string]any{}}), "in.command"},
			"nothing":     {bulk(ids, map[string]any{}), "in.command"},
			"null":        {bulk(ids, map[string]any{"plain": nil}), "in.command"},
		} {
			failures := m.do(t, m.a.key, "", bulkCommand, refused.in, nil)
			require.Equal(t, "INVALID_ARGUMENT", code(failures), what)
			require.Equal(t, refused.field, failures[0].Extensions["field"], what)
		}
		literal := `mutation { bulkCommandDevices(input: {deviceIds: ["x"], command: {plain: SHUTDOWN, lock: {}}}) { job { id } } }`
		require.NotEmpty(t, m.do(t, m.a.key, "", literal, nil, nil))
		waiting, err := m.Client.DeviceCommand.Query().Count(m.scope(t, m.a))
		require.NoError(t, err)
		require.Equal(t, 3, waiting)
	})
}

// statements is how many the server has sent, jobs' included.
func (s *server) statements(t *testing.T) int {
	t.Helper()
	response, err := client.Get(strings.TrimSuffix(s.url, "/graphql") + "/metrics")
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, http.StatusOK, response.StatusCode)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	total := 0
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.Contains(name, "statement") && strings.Contains(name, "_count") {
			n, err := strconv.ParseFloat(value, 64)
			require.NoError(t, err)
			total += int(n)
		}
	}
	return total
}

func TestManyDevicesCostTheStatementsOfFew(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		ids := m.fleetOf(t, m.a, 500, device.PlatformMacOS)
		cost := func(ids []string) int {
			var got bulked
			before := m.statements(t)
			began := time.Now()
			m.must(t, m.a.key, "", bulkCommand, bulk(ids, map[string]any{"lock": map[string]any{"message": "Call us"}}), &got)
			took := time.Since(began)
			n := m.statements(t) - before
			require.Equal(t, len(ids), got.BulkCommandDevices.Job.Total)
			t.Logf("%d devices: %d statements, %s", len(ids), n, took)
			return n
		}
		cost(ids[:1]) // what is opened once
		many := cost(ids)
		// Jobs under way add some, devices none: a statement for each would be 500.
		require.Less(t, many, len(ids)/4)
	})
}

// Whatever many devices are told is what Apple describes, for each of them.
func TestWhatManyDevicesAreToldIsApples(t *testing.T) {
	schemas := appleschema.Open(t).Commands(t)
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		f := startFleet(t, engine)
		var devices []*simulator.Device
		var ids []string
		for i, kind := range simulator.Kinds() {
			d, document := f.device(t, f.a, uint64(i+1), kind)
			require.NoError(t, d.Enroll(t.Context(), document))
			require.Eventually(t, func() bool {
				_, err := d.Connect(t.Context())
				return err == nil && len(d.Obeyed("CertificateList")) > 0
			}, 20*time.Second, 20*time.Millisecond)
			devices, ids = append(devices, d), append(ids, f.idOf(t, f.a, d))
		}
		for _, told := range []struct {
			command map[string]any
			devices int
		}{
			{map[string]any{"plain": "CLEAR_PASSCODE"}, 2},
			{map[string]any{"plain": "REFRESH_ACTIVATION_LOCK"}, 4},
			{map[string]any{"plain": "CLEAR_ACTIVATION_LOCK"}, 4},
			{map[string]any{"plain": "REQUEST_OS_UPDATE_STATUS"}, 4},
			{map[string]any{"scheduleOsUpdate": map[string]any{"productVersion": "26.9", "installAction": "INSTALL_ASAP"}}, 4},
			{map[string]any{"unlockUserAccount": map[string]any{"userName": "ada"}}, 2},
			{map[string]any{"restart": map[string]any{"kextPaths": []string{"/Library/Extensions/a.kext"}, "notifyUser": true}}, 2},
			{map[string]any{"restart": map[string]any{}}, 4},
			{map[string]any{"plain": "SHUTDOWN"}, 4},
			{map[string]any{"lock": map[string]any{"message": "Call us", "phoneNumber": "+41 44 000 00 00"}}, 4},
			{map[string]any{"erase": map[string]any{"preserveDataPlan": true, "disallowProximitySetup": false}}, 4},
		} {
			var got bulked
			f.must(t, f.a.key, "", bulkCommand, bulk(ids, told.command), &got)
			require.Equal(t, told.devices, got.BulkCommandDevices.Job.Total, "%v: %v", told.command, got.BulkCommandDevices.Refusals)
			for i, d := range devices {
				before := len(d.Log())
				_, err := d.Connect(t.Context())
				require.NoError(t, err)
				for _, o := range d.Log()[before:] {
					body, err := plist.Encode(map[string]any{"Command": o.Command, "CommandUUID": o.CommandUUID})
					require.NoError(t, err)
					system := map[bool]string{true: "macOS", false: "iOS"}[d.Hardware().Kind.Mac()]
					on := appleschema.Device{OS: system, Version: d.Hardware().OSVersion, Supervised: true}
					require.Empty(t, appleschema.JudgeCommand(schemas, body, on), o.RequestType)
				}
				d.PowerOn()
				if d.Hardware().Kind.Mac() && d.State().Locked {
					require.True(t, d.Unlock(f.reveal(t, ids[i], "UNLOCK_PIN")))
				}
			}
		}
		for _, d := range devices {
			require.Len(t, d.Obeyed("EraseDevice"), 1)
		}
		require.Len(t, f.reveal(t, ids[1], "ERASE_PIN"), 6, "a Mac that needs a PIN has one of its own")
	})
}

// reveal shows a secret of a device of the first tenant's.
func (f *fleet) reveal(t *testing.T, id, kind string) string {
	t.Helper()
	var revealed struct{ RevealDeviceSecret struct{ Value string } }
	f.must(t, f.a.key, "", `mutation($in: RevealDeviceSecretInput!) { revealDeviceSecret(input: $in) { value } }`,
		map[string]any{"in": map[string]any{"deviceId": id, "kind": kind}}, &revealed)
	return revealed.RevealDeviceSecret.Value
}

// A Mac that is locked hears nothing more: the PIN that opens it must not be
// lost to one that it never gets.
func TestALockedMacKeepsItsPIN(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		f := startFleet(t, engine)
		d, document := f.device(t, f.a, 1, simulator.MacAppleSilicon)
		require.NoError(t, d.Enroll(t.Context(), document))
		require.Eventually(t, func() bool {
			_, err := d.Connect(t.Context())
			return err == nil && len(d.Obeyed("CertificateList")) > 0
		}, 20*time.Second, 20*time.Millisecond)
		id := f.idOf(t, f.a, d)
		lock := func(pin any) any {
			var got struct{ LockDevice struct{ Pin any } }
			f.must(t, f.a.key, "", `mutation($in: LockDeviceInput!) { lockDevice(input: $in) { pin } }`,
				map[string]any{"in": map[string]any{"deviceId": id, "pin": pin}}, &got)
			return got.LockDevice.Pin
		}
		first := lock(nil).(string) //nolint:forcetypeassert // a Mac has one
		_, err := d.Connect(t.Context())
		require.NoError(t, err)
		require.True(t, d.State().Locked)
		require.NotEqual(t, first, lock(nil))
		require.Equal(t, "012345", lock("012345"))
		require.Equal(t, first, f.reveal(t, id, "UNLOCK_PIN"))
		require.True(t, d.Unlock(first))
		_, err = d.Connect(t.Context())
		require.NoError(t, err)
		require.True(t, d.State().Locked, "it has heard of the last")
		require.Equal(t, "012345", f.reveal(t, id, "UNLOCK_PIN"))
		require.True(t, d.Unlock("012345"))
	})
}
