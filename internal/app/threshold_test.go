package app_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/ent/devicesecret"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

const updateThresholds = `mutation($in: UpdateAppleMdmInput!) { updateAppleMdm(input: $in) {
	appleMdm { inventoryIntervalHours missingAfterDays historyDays } } }`

func TestEachOrganizationHasItsThresholds(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		set := func(field string, value int) []failure {
			return m.do(t, m.a.key, "", updateThresholds, map[string]any{"in": map[string]any{"id": m.a.id, field: value}}, nil)
		}
		for field, bounds := range map[string][2]int{"inventoryIntervalHours": {4, 168}, "missingAfterDays": {1, 365}, "historyDays": {1, 3650}} {
			for _, value := range []int{bounds[0] - 1, bounds[1] + 1} {
				failures := set(field, value)
				require.Equal(t, "INVALID_ARGUMENT", code(failures), field)
				require.Equal(t, "input."+field, failures[0].Extensions["field"])
			}
			require.Empty(t, set(field, bounds[1]))
			require.Empty(t, set(field, bounds[0]))
		}

		// Of two devices alike, that of the stricter organization is missing, and
		// has lost its history.
		type look struct {
			Devices struct {
				TotalCount int
				Edges      []struct {
					Node struct{ IsMissing bool }
				}
			}
			DeviceCommands struct{ TotalCount int }
		}
		const query = `{ devices { totalCount edges { node { isMissing } } } deviceCommands { totalCount } }`
		for _, tenant := range []mdmTenant{m.a, m.b} {
			ctx := m.scope(t, tenant)
			id := m.fleetOf(t, tenant, 1, device.PlatformMacOS)[0]
			require.NoError(t, m.Client.Device.Update().Where(device.ID(id)).SetLastSeenAt(m.now()).Exec(ctx))
			var locked struct {
				RestartDevice struct{ Command struct{ ID string } }
			}
			m.must(t, tenant.key, "", `mutation($id: ID!) { restartDevice(input: {deviceId: $id}) { command { id } } }`, map[string]any{"id": id}, &locked)
			require.NoError(t, m.Client.DeviceCommand.Update().Where(devicecommand.ID(locked.RestartDevice.Command.ID)).
				SetStatus(devicecommand.StatusAcknowledged).SetResultAt(m.now()).Exec(ctx))
			m.must(t, tenant.key, "", `mutation($id: ID!) { requestDeviceInventory(input: {deviceId: $id}) { device { id } } }`, map[string]any{"id": id}, nil)
			channel, err := m.Client.DeviceChannel.Query().Where(devicechannel.DeviceID(id)).Only(ctx)
			require.NoError(t, err)
			interval := map[mdmTenant]time.Duration{m.a: 4 * time.Hour, m.b: 24 * time.Hour}[tenant]
			require.InDelta(t, interval, channel.NextInventoryAt.Sub(m.now()), float64(interval)/9, "within a tenth")
		}
		m.ahead.Store(int64(49 * time.Hour))
		for tenant, strict := range map[mdmTenant]bool{m.a: true, m.b: false} {
			require.NoError(t, m.Commands.Tend(m.scope(t, tenant), tenant.organization))
			var got look
			m.must(t, tenant.key, "", query, nil, &got)
			require.Equal(t, strict, got.Devices.Edges[0].Node.IsMissing)
			require.Equal(t, strict, got.DeviceCommands.TotalCount == 0)
		}
		require.Equal(t, "NOT_FOUND", code(m.do(t, m.b.key, "", updateThresholds, map[string]any{"in": map[string]any{"id": m.a.id, "historyDays": 5}}, nil)))
	})
}

// What is done to devices is in the log, and names its device even if it fails.
func TestCommandsAreLogged(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		id, foreign := m.fleetOf(t, m.a, 1, device.PlatformMacOS)[0], m.fleetOf(t, m.b, 1, device.PlatformMacOS)[0]
		var locked struct {
			LockDevice struct{ Command struct{ ID string } }
		}
		const lock = `mutation($id: ID!) { lockDevice(input: {deviceId: $id}) { command { id } } }`
		m.must(t, m.a.key, "", lock, map[string]any{"id": id}, &locked)
		organization := m.a.organization
		require.NoError(t, m.Inventory.KeepSecret(m.scope(t, m.a), organization, id, devicesecret.KindUnlockPin, "012345"))
		m.must(t, m.a.key, "", `mutation($id: ID!) { revealDeviceSecret(input: {deviceId: $id, kind: UNLOCK_PIN}) { value } }`, map[string]any{"id": id}, nil)
		m.must(t, m.a.key, "", `mutation($id: ID!) { cancelDeviceCommand(input: {id: $id}) { command { status } } }`,
			map[string]any{"id": locked.LockDevice.Command.ID}, nil)
		require.Equal(t, "NOT_FOUND", code(m.do(t, m.a.key, "", lock, map[string]any{"id": foreign}, nil)))
		type target struct{ Type, ID, Op string }
		var log struct {
			SystemLogEvents struct {
				Edges []struct {
					Node struct {
						EventType, Outcome string
						Organization       *struct{ ID string }
						Targets            []target
					}
				}
			}
		}
		m.must(t, m.a.key, "", `{ systemLogEvents(first: 4) { edges { node { eventType outcome organization { id } targets { type id op } } } } }`, nil, &log)
		events := log.SystemLogEvents.Edges
		require.Equal(t, "lockDevice", events[0].Node.EventType)
		require.Equal(t, "FAILURE", events[0].Node.Outcome)
		require.Equal(t, foreign, events[0].Node.Targets[0].ID)
		command := target{"DeviceCommand", locked.LockDevice.Command.ID, "UPDATE"}
		require.Equal(t, "cancelDeviceCommand", events[1].Node.EventType)
		require.Equal(t, []target{command}, events[1].Node.Targets)
		require.Equal(t, "revealDeviceSecret", events[2].Node.EventType)
		require.Equal(t, "DeviceSecret", events[2].Node.Targets[0].Type)
		require.Equal(t, "lockDevice", events[3].Node.EventType)
		command.Op = "CREATE"
		require.Contains(t, events[3].Node.Targets, command)
		for _, e := range events[1:] {
			require.Equal(t, m.a.organization, e.Node.Organization.ID)
		}
		var theirs struct{ SystemLogEvents struct{ TotalCount int } }
		m.must(t, m.b.key, "", `{ systemLogEvents(filter: {eventType: "lockDevice"}) { totalCount } }`, nil, &theirs)
		require.Zero(t, theirs.SystemLogEvents.TotalCount)
	})
}
