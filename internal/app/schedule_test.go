package app_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/internal/applemdm/simulator"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

func TestCommandsAreScheduled(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		f := startFleet(t, engine)
		mac, document := f.device(t, f.a, 1, simulator.MacAppleSilicon)
		require.NoError(t, mac.Enroll(t.Context(), document))
		require.Eventually(t, func() bool {
			_, err := mac.Connect(t.Context())
			return err == nil && len(mac.Obeyed("CertificateList")) > 0
		}, 20*time.Second, 20*time.Millisecond)
		id := f.idOf(t, f.a, mac)
		foreign := f.fleetOf(t, f.b, 1, device.PlatformMacOS)[0]

		const restart = `mutation($id: ID!, $on: DeviceCommandSchedule) { restartDevice(input: {deviceId: $id, schedule: $on}) {
			command { id status priority notBefore expiresAt } } }`
		type restarted struct {
			RestartDevice struct {
				Command struct {
					ID, Status           string
					Priority             int
					NotBefore, ExpiresAt *time.Time
				}
			}
		}
		tonight := f.now().Add(2 * time.Hour).UTC().Truncate(time.Second)
		on := func(more map[string]any) map[string]any { return map[string]any{"id": id, "on": more} }
		var late, short restarted
		f.must(t, f.a.key, "", restart, on(map[string]any{"notBefore": tonight, "expiresAt": tonight.Add(time.Hour), "priority": 5}), &late)
		require.Equal(t, 5, late.RestartDevice.Command.Priority)
		require.True(t, late.RestartDevice.Command.NotBefore.Equal(tonight))
		require.True(t, late.RestartDevice.Command.ExpiresAt.Equal(tonight.Add(time.Hour)))
		f.must(t, f.a.key, "", restart, on(map[string]any{"expiresAt": f.now().Add(time.Hour)}), &short)
		require.Nil(t, short.RestartDevice.Command.NotBefore)
		require.Zero(t, short.RestartDevice.Command.Priority)

		// Many together, of which one is out of reach.
		var got bulked
		in := bulk([]string{id, foreign}, map[string]any{"plain": "SHUTDOWN"})
		schedule := map[string]any{"notBefore": tonight.Add(time.Minute)}
		in["in"].(map[string]any)["schedule"] = schedule //nolint:forcetypeassert // as bulk made it
		f.must(t, f.a.key, "", bulkCommand, in, &got)
		require.Equal(t, 1, got.BulkCommandDevices.Job.Total)
		require.Equal(t, "NOT_FOUND", got.BulkCommandDevices.Refusals[0].Code)
		require.Equal(t, "NOT_FOUND", code(f.do(t, f.a.key, "", restart, map[string]any{"id": foreign, "on": schedule}, nil)))

		// What cannot be is refused, and nothing is queued.
		const count = `query($id: ID!) { deviceCommands(filter: {deviceId: $id}) { totalCount } }`
		var before, after struct{ DeviceCommands struct{ TotalCount int } }
		f.must(t, f.a.key, "", count, map[string]any{"id": id}, &before)
		for field, wrong := range map[string]map[string]any{
			"input.schedule.priority":  {"priority": 101},
			"input.schedule.notBefore": {"notBefore": f.now().AddDate(2, 0, 0)},
			"input.schedule.expiresAt": {"notBefore": tonight, "expiresAt": tonight},
		} {
			failures := f.do(t, f.a.key, "", restart, on(wrong), nil)
			require.Equal(t, []any{"INVALID_ARGUMENT", field}, []any{code(failures), failures[0].Extensions["field"]})
			in["in"].(map[string]any)["schedule"] = wrong //nolint:forcetypeassert // likewise
			failures = f.do(t, f.a.key, "", bulkCommand, in, nil)
			require.Equal(t, []any{"INVALID_ARGUMENT", field}, []any{code(failures), failures[0].Extensions["field"]})
		}
		for _, past := range []time.Time{f.now().Add(-time.Second), {}} {
			require.Equal(t, "INVALID_ARGUMENT", code(f.do(t, f.a.key, "", restart, on(map[string]any{"expiresAt": past}), nil)))
		}
		f.must(t, f.a.key, "", count, map[string]any{"id": id}, &after)
		require.Equal(t, before, after)

		// Too late for the one, and time for the others.
		f.ahead.Store(int64(2*time.Hour + 2*time.Minute))
		_, err := mac.Connect(t.Context())
		require.NoError(t, err)
		require.Len(t, mac.Obeyed("RestartDevice"), 1, "the more urgent first")
		_, err = mac.Connect(t.Context())
		require.NoError(t, err)
		require.Len(t, mac.Obeyed("ShutDownDevice"), 1)
		const read = `query($id: ID!) { deviceCommand(id: $id) { status attempts } }`
		var one struct{ DeviceCommand struct{ Attempts int } }
		f.must(t, f.a.key, "", read, map[string]any{"id": short.RestartDevice.Command.ID}, &one)
		require.Zero(t, one.DeviceCommand.Attempts)
		f.must(t, f.a.key, "", read, map[string]any{"id": late.RestartDevice.Command.ID}, &one)
		require.Equal(t, 1, one.DeviceCommand.Attempts)
	})
}
