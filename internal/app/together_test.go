package app_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/ent/systemlogevent"
	"github.com/bailiwick/bailiwick/internal/applemdm/simulator"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

const restartDevice = `mutation($id: ID!) { restartDevice(input: {deviceId: $id}) { command { id device { id } } } }`

// telling is a caller who tells a device to restart, and what came of it.
type telling struct {
	credential, organization, device string
	code                             string // of the refusal that is expected; empty for none

	command, told string // the command, and the device that it says it is for
	failed        []failure
}

// all has everybody tell their device at the same time.
func (s *server) all(t *testing.T, tellings []*telling) {
	t.Helper()
	var all sync.WaitGroup
	for _, each := range tellings {
		all.Go(func() {
			var got struct {
				RestartDevice struct {
					Command struct {
						ID     string
						Device struct{ ID string }
					}
				}
			}
			each.failed = s.do(t, each.credential, each.organization, restartDevice, map[string]any{"id": each.device}, &got)
			each.command, each.told = got.RestartDevice.Command.ID, got.RestartDevice.Command.Device.ID
		})
	}
	all.Wait()
}

// Callers of equal and of other reach, who tell devices something at the same
// time, each get their own command, or their own refusal, and one event each.
func TestDevicesAreToldTogether(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		bearer := m.signIn(t, "a@north.example", "maple-quartz-lantern-84")
		two := m.a
		two.organization, two.name = m.organization(t, m.a.key, "Two"), "Two"
		m.must(t, m.a.key, two.organization, `mutation { createAppleMdm(input: {name: "Fleet"}) { appleMdm { id } } }`, nil, nil)
		ones, twos := m.fleetOf(t, m.a, 10, device.PlatformMacOS), m.fleetOf(t, two, 10, device.PlatformMacOS)
		theirs := m.fleetOf(t, m.b, 10, device.PlatformMacOS)
		bare, err := m.Client.Device.Create().SetName("bare").SetSerialNumber("bare").SetPlatform(device.PlatformMacOS).Save(m.scope(t, m.a))
		require.NoError(t, err)

		var tellings []*telling
		tell := func(credential, organization, code string, devices ...string) {
			for _, id := range devices {
				tellings = append(tellings, &telling{credential: credential, organization: organization, code: code, device: id})
			}
		}
		tell(m.a.key, "", "", ones...)
		tell(bearer, "", "", ones[:5]...) // the same devices once more, by somebody else
		tell(m.a.key, "", "PRECONDITION_FAILED", bare.ID)
		tell(m.a.key, "", "NOT_FOUND", theirs[0])
		tell(m.a.key, "", "NOT_FOUND", ones[0]+","+ones[1]) // no list of devices
		tell(m.a.key, "", "", twos...)
		tell(m.a.key, m.a.organization, "", ones[5:]...)
		tell(m.a.key, m.a.organization, "NOT_FOUND", twos[0])
		tell(m.b.key, "", "", theirs...)
		tell(m.b.key, "", "NOT_FOUND", ones[0])
		m.all(t, tellings)

		in := map[string]string{}
		for organization, devices := range map[string][]string{m.a.organization: append(ones, bare.ID), two.organization: twos, m.b.organization: theirs} {
			for _, id := range devices {
				in[id] = organization
			}
		}
		// What is in the log of each provider, by the first target of each event.
		log := map[string]map[string][]logged{m.a.key: m.logged(t, m.a.key), bearer: m.logged(t, m.a.key), m.b.key: m.logged(t, m.b.key)}
		requests := map[string]bool{}
		for _, each := range tellings {
			about := fmt.Sprintf("%s in %q by %.12s", each.device, each.organization, each.credential)
			if each.code != "" {
				require.Equal(t, each.code, code(each.failed), about)
				continue
			}
			require.Empty(t, each.failed, about)
			require.Equal(t, each.device, each.told, about)
			events := log[each.credential][each.command]
			require.Len(t, events, 1, about)
			e := events[0]
			require.Equal(t, "SUCCESS", e.Outcome)
			require.Equal(t, in[each.device], e.Organization.ID, about)
			require.Equal(t, []logTarget{{"DeviceCommand", each.command, "CREATE"}}, e.Targets)
			require.Equal(t, each.credential == bearer, e.ActorType == "ADMINISTRATOR", about)
			require.Equal(t, each.credential == bearer, e.APIKeyID == "", about)
			require.NotEmpty(t, e.ActorID)
			require.NotEmpty(t, e.ClientAddress)
			require.False(t, requests[e.RequestID], "a request of its own")
			requests[e.RequestID] = true
		}
		for credential, refused := range map[string][]string{m.a.key: {bare.ID, theirs[0], twos[0]}, m.b.key: {ones[0]}} {
			for _, id := range refused {
				require.Len(t, log[credential][id], 1)
				require.Equal(t, "FAILURE", log[credential][id][0].Outcome)
			}
		}
		for _, tenant := range []mdmTenant{m.a, two, m.b} {
			ctx, want := m.scope(t, tenant), 10
			if tenant == m.a {
				want = 20
			}
			queued, err := m.Client.DeviceCommand.Query().Count(ctx)
			require.NoError(t, err)
			require.Equal(t, want, queued)
			unwanted, err := m.Client.DeviceChannel.Query().Where(devicechannel.PushWantedAtIsNil()).Count(ctx)
			require.NoError(t, err)
			require.Zero(t, unwanted)
		}
	})
}

type logTarget struct{ Type, ID, Op string }

type logged struct {
	Outcome, ActorType, ActorID, ClientAddress, RequestID string
	APIKeyID                                              string `json:"apiKeyId"`
	Organization                                          *struct{ ID string }
	Targets                                               []logTarget
}

// logged are a provider's events of restarts, by their first target.
func (m *mdm) logged(t *testing.T, key string) map[string][]logged {
	t.Helper()
	var got struct {
		SystemLogEvents struct {
			Edges []struct{ Node logged }
		}
	}
	m.must(t, key, "", `{ systemLogEvents(first: 500, filter: {eventType: "restartDevice"}) { edges { node {
		outcome actorType actorId apiKeyId clientAddress requestId organization { id } targets { type id op } } } } }`, nil, &got)
	events := map[string][]logged{}
	for _, e := range got.SystemLogEvents.Edges {
		require.NotEmpty(t, e.Node.Targets)
		id := e.Node.Targets[0].ID
		events[id] = append(events[id], e.Node)
	}
	return events
}

// A device whose token no longer opens is its own caller's misfortune.
func TestAFailureIsNotShared(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		macs, phone := m.fleetOf(t, m.a, 16, device.PlatformMacOS), m.fleetOf(t, m.a, 1, device.PlatformIOS)[0]
		ctx := m.scope(t, m.a)
		require.NoError(t, m.Client.DeviceChannel.Update().Where(devicechannel.DeviceID(phone)).SetUnlockToken([]byte("not sealed")).Exec(ctx))
		const clearPasscode = `mutation($id: ID!) { clearDevicePasscode(input: {deviceId: $id}) { command { id } } }`
		var tellings []*telling
		for _, id := range macs {
			tellings = append(tellings, &telling{credential: m.a.key, device: id})
		}
		var all sync.WaitGroup
		broken := make([][]failure, 4)
		for i := range broken {
			all.Go(func() { broken[i] = m.do(t, m.a.key, "", clearPasscode, map[string]any{"id": phone}, nil) })
		}
		m.all(t, tellings)
		all.Wait()
		for _, each := range tellings {
			require.Empty(t, each.failed)
		}
		for _, failed := range broken {
			require.Equal(t, "INTERNAL", code(failed))
		}
		queued, err := m.Client.DeviceCommand.Query().Count(ctx)
		require.NoError(t, err)
		require.Equal(t, len(macs), queued)
		events, err := m.Client.SystemLogEvent.Query().
			Where(systemlogevent.EventTypeIn("restartDevice", "clearDevicePasscode"), systemlogevent.OutcomeEQ(systemlogevent.OutcomeSuccess)).Count(ctx)
		require.NoError(t, err)
		require.Equal(t, len(macs), events)
	})
}

// One Idempotency-Key is one command, however often and however close together
// it is sent, and what was told in one request is told in its order.
func TestTellingOnce(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		id := m.fleetOf(t, m.a, 1, device.PlatformMacOS)[0]
		var tellings []*telling
		for range 12 {
			tellings = append(tellings, &telling{credential: m.a.key, device: id})
		}
		once := m.with("Idempotency-Key", "restart")
		once.all(t, tellings)
		once.all(t, tellings[:1])
		require.Empty(t, tellings[0].failed)
		for _, each := range tellings {
			if len(each.failed) > 0 {
				require.Equal(t, "CONFLICT", code(each.failed))
			} else {
				require.Equal(t, tellings[0].command, each.command)
			}
		}
		ctx := m.scope(t, m.a)
		require.Equal(t, 1, m.Client.DeviceCommand.Query().CountX(ctx))
		require.Equal(t, 1, m.Client.SystemLogEvent.Query().
			Where(systemlogevent.EventType("restartDevice"), systemlogevent.OutcomeEQ(systemlogevent.OutcomeSuccess)).CountX(ctx))

		var both struct {
			First, Second struct{ Command struct{ ID string } }
		}
		m.must(t, m.a.key, "", `mutation($id: ID!) { first: restartDevice(input: {deviceId: $id}) { command { id } }
			second: shutdownDevice(input: {deviceId: $id}) { command { id } } }`, map[string]any{"id": id}, &both)
		require.Less(t, both.First.Command.ID, both.Second.Command.ID)
		require.Equal(t, 3, m.Client.DeviceCommand.Query().CountX(ctx))
		require.Equal(t, 1, m.Client.SystemLogEvent.Query().Where(systemlogevent.EventType("shutdownDevice")).CountX(ctx))
	})
}

// Of locks that reach a Mac at once one is left, with the PIN that was answered.
func TestOneLockIsLeft(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		f := startFleet(t, engine)
		d, document := f.device(t, f.a, 1, simulator.MacAppleSilicon)
		require.NoError(t, d.Enroll(t.Context(), document))
		require.Eventually(t, func() bool {
			_, err := d.Connect(t.Context())
			return err == nil && len(d.Obeyed("CertificateList")) > 0
		}, 20*time.Second, 20*time.Millisecond)
		id := f.idOf(t, f.a, d)
		var all sync.WaitGroup
		pins := make([]struct {
			LockDevice struct {
				Pin     string
				Command struct{ ID string }
			}
		}, 8)
		failed := make([][]failure, len(pins))
		for i := range pins {
			all.Go(func() {
				failed[i] = f.do(t, f.a.key, "", `mutation($id: ID!) { lockDevice(input: {deviceId: $id}) { pin command { id } } }`, map[string]any{"id": id}, &pins[i])
			})
		}
		all.Wait()
		ctx := f.scope(t, f.a)
		left, err := f.Client.DeviceCommand.Query().
			Where(devicecommand.RequestType("DeviceLock"), devicecommand.StatusEQ(devicecommand.StatusPending)).Only(ctx)
		require.NoError(t, err)
		require.Equal(t, len(pins)-1, f.Client.DeviceCommand.Query().
			Where(devicecommand.RequestType("DeviceLock"), devicecommand.StatusEQ(devicecommand.StatusCancelled)).CountX(ctx))
		pin := ""
		for i, each := range pins {
			require.Empty(t, failed[i])
			if each.LockDevice.Command.ID == left.ID {
				pin = each.LockDevice.Pin
			}
		}
		_, err = d.Connect(t.Context())
		require.NoError(t, err)
		require.Len(t, d.Obeyed("DeviceLock"), 1)
		require.Equal(t, pin, f.reveal(t, id, "UNLOCK_PIN"))
		require.True(t, d.Unlock(pin))
	})
}
