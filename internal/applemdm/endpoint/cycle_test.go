package endpoint_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/ent/devicesecret"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/fault"
)

func TestADeviceEnrolsAndObeys(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.mac(w.one, 1)
		m.enrol()
		d := m.row(w.one)
		require.True(t, d.Enrolled)
		require.NotNil(t, d.FirstEnrolledAt)
		require.Equal(t, "MACOS", string(d.Platform))
		require.Equal(t, "DEVICE_ENROLLED", w.alertsOf(w.one))
		require.Empty(t, w.alertsOf(w.two))
		require.Len(t, w.apns.sent[w.one.organization], 1)
		require.Equal(t, "token of "+m.serial, string(w.apns.sent[w.one.organization][0].Token))

		// The first inventory.
		var asked []string
		next := m.idle()
		for next != nil {
			asked = append(asked, next.Command.RequestType)
			next = m.answer(next, "Acknowledged", answers()[next.Command.RequestType])
		}
		require.ElementsMatch(t, []string{"DeviceInformation", "SecurityInfo", "InstalledApplicationList", "ProfileList", "CertificateList", "AvailableOSUpdates"}, asked)
		d = m.row(w.one)
		require.Equal(t, "Ada's Mac", d.Name)
		require.True(t, d.Supervised)
		require.True(t, *d.DiskEncryptionEnabled)
		require.NotNil(t, d.InventoryAt)
		require.Equal(t, 2, w.client.DeviceApp.Query().CountX(w.one.ctx))
		require.Equal(t, 1, w.client.DeviceProfile.Query().CountX(w.one.ctx))
		require.Equal(t, 1, w.client.DeviceCertificate.Query().CountX(w.one.ctx))
		require.Equal(t, 1, w.client.DeviceOsUpdate.Query().CountX(w.one.ctx))
		require.Zero(t, w.client.DeviceApp.Query().CountX(w.two.ctx))

		// A lock asked for is a lock obeyed.
		queued, pin, err := w.queue.TellOne(w.one.ctx, d.ID, queue.Locking(command.DeviceLock{Message: "Call us"}, false))
		require.NoError(t, err)
		require.Regexp(t, `^[0-9]{6}$`, string(pin))
		require.Empty(t, queued.Arguments, "a PIN is not stored in clear")
		w.work()
		require.Len(t, w.apns.sent[w.one.organization], 2)
		lock := m.idle()
		require.Equal(t, "DeviceLock", lock.Command.RequestType)
		require.Equal(t, string(pin), lock.Command.PIN)
		require.Equal(t, "Call us", lock.Command.Message)
		require.Nil(t, m.answer(lock, "Acknowledged", nil))
		queued = w.client.DeviceCommand.GetX(w.one.ctx, queued.ID)
		require.Equal(t, devicecommand.StatusAcknowledged, queued.Status)
		_, shown, err := w.inventory.Reveal(w.one.ctx, d.ID, devicesecret.KindUnlockPin)
		require.NoError(t, err)
		require.Equal(t, string(pin), shown)
		for _, foreign := range []*tenant{w.two, w.foreign} {
			_, _, err = w.inventory.Reveal(foreign.ctx, d.ID, devicesecret.KindUnlockPin)
			require.Equal(t, fault.NotFound, fault.CodeOf(err))
			_, _, err = w.queue.TellOne(foreign.ctx, d.ID, queue.Locking(command.DeviceLock{}, false))
			require.Equal(t, fault.NotFound, fault.CodeOf(err))
			_, err = w.queue.Cancel(foreign.ctx, queued.ID)
			require.Equal(t, fault.NotFound, fault.CodeOf(err))
		}
	})
}

func answers() map[string]dict {
	return map[string]dict{
		"DeviceInformation": {"QueryResponses": dict{"DeviceName": "Ada's Mac", "IsSupervised": true, "IsAppleSilicon": true, "OSVersion": "15.1", "ProductName": "Mac15,3"}},
		"SecurityInfo":      {"SecurityInfo": dict{"FDE_Enabled": true, "ManagementStatus": dict{"EnrolledViaDEP": true, "UserApprovedEnrollment": true}}},
		"InstalledApplicationList": {"InstalledApplicationList": []dict{
			{"Name": "Safari", "Identifier": "com.apple.Safari", "Version": "18"}, {"Name": "Mail", "Identifier": "com.apple.mail"},
		}},
		"ProfileList":        {"ProfileList": []dict{{"PayloadIdentifier": "com.example.mdm", "PayloadUUID": "1", "PayloadDisplayName": "MDM"}}},
		"CertificateList":    {"CertificateList": []dict{{"CommonName": "Root", "Data": []byte("der"), "IsIdentity": false}}},
		"AvailableOSUpdates": {"AvailableOSUpdates": []dict{{"ProductKey": "k1", "HumanReadableName": "macOS 15.2", "Version": "15.2"}}},
	}
}

func TestUnchangedInventoryIsLeftAlone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.enrolled(w.one, 1)
		ask := func(change func(map[string]dict)) {
			_, err := w.queue.RequestInventory(w.one.ctx, m.row(w.one).ID)
			require.NoError(t, err)
			said := answers()
			change(said)
			for next := m.idle(); next != nil; {
				next = m.answer(next, "Acknowledged", said[next.Command.RequestType])
			}
		}
		ask(func(map[string]dict) {})
		before := w.client.DeviceApp.Query().AllX(w.one.ctx)
		require.Len(t, before, 2)
		ask(func(said map[string]dict) {
			said["InstalledApplicationList"]["InstalledApplicationList"] = []dict{{"Name": "Safari", "Identifier": "com.apple.Safari", "Version": "18"}, {"Name": "New"}}
			delete(said, "ProfileList") // an answer without its part
		})
		after := map[string]string{}
		for _, a := range w.client.DeviceApp.Query().AllX(w.one.ctx) {
			after[a.Name] = a.ID
		}
		require.Len(t, after, 2)
		require.Contains(t, after, "New")
		require.Contains(t, []string{before[0].ID, before[1].ID}, after["Safari"])
		require.Equal(t, 1, w.client.DeviceProfile.Query().CountX(w.one.ctx))
	})
}

func TestNotNow(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.enrolled(w.one, 1)
		id := m.row(w.one).ID
		first, err := w.queue.Enqueue(w.one.ctx, id, command.RestartDevice{}, queue.Options{Priority: queue.Urgent})
		require.NoError(t, err)
		_, err = w.queue.Enqueue(w.one.ctx, id, command.ShutDownDevice{}, queue.Options{})
		require.NoError(t, err)
		restart := m.idle()
		require.Equal(t, "RestartDevice", restart.Command.RequestType)
		other := m.answer(restart, "NotNow", nil)
		require.Equal(t, "ShutDownDevice", other.Command.RequestType, "others are offered meanwhile")
		require.Nil(t, m.answer(other, "NotNow", nil), "what is put off is not offered again in the session")
		require.Equal(t, devicecommand.StatusNotNow, w.client.DeviceCommand.GetX(w.one.ctx, first.ID).Status)
		require.Equal(t, "DEVICE_ENROLLED", w.alertsOf(w.one))
		again := m.idle()
		require.Equal(t, restart.CommandUUID, again.CommandUUID, "but when the device asks by itself")
		require.Equal(t, other.CommandUUID, m.answerNext(again))
		cancelled, err := w.queue.Cancel(w.one.ctx, first.ID)
		require.Equal(t, fault.PreconditionFailed, fault.CodeOf(err), "%v", cancelled)
	})
}

// answerNext acknowledges a command, polls, and returns what it is given.
func (m *mac) answerNext(o *order) string {
	m.t.Helper()
	require.Nil(m.t, m.answer(o, "Acknowledged", nil))
	return m.idle().CommandUUID
}

func TestReportsCountOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.enrolled(w.one, 1)
		other := w.enrolled(w.one, 2)
		foreigner := w.enrolled(w.foreign, 3)
		id := m.row(w.one).ID
		queued, err := w.queue.Enqueue(w.one.ctx, id, command.RestartDevice{}, queue.Options{})
		require.NoError(t, err)
		status := func() devicecommand.Status { return w.client.DeviceCommand.GetX(w.one.ctx, queued.ID).Status }

		// Nobody but the device reports on its command, and not before it has it.
		early := &order{CommandUUID: queued.CommandUUID}
		other.answer(early, "Acknowledged", nil)
		foreigner.answer(early, "Acknowledged", nil)
		require.Equal(t, devicecommand.StatusPending, status())

		restart := m.idle()
		require.Equal(t, restart.CommandUUID, m.idle().CommandUUID, "kept until the device reports")
		m.answer(restart, "Error", dict{"ErrorChain": []dict{{"ErrorCode": 12021, "ErrorDomain": "MCMDMErrorDomain", "USEnglishDescription": "No such command", "LocalizedDescription": "Nein"}}})
		row := w.client.DeviceCommand.GetX(w.one.ctx, queued.ID)
		require.Equal(t, devicecommand.StatusError, row.Status)
		require.Equal(t, 12021, row.ErrorChain[0].Code)
		require.True(t, row.AlertDue)
		require.Equal(t, "DEVICE_ENROLLED DEVICE_ENROLLED", w.alertsOf(w.one), "people are told a little later")
		require.NoError(t, w.queue.TellFailed(t.Context()))
		require.Equal(t, "DEVICE_ENROLLED DEVICE_ENROLLED COMMAND_FAILED", w.alertsOf(w.one))
		// Twice, late, and the other way round.
		w.clock.pass(time.Hour)
		m.answer(restart, "Error", nil)
		m.answer(restart, "Acknowledged", nil)
		m.answer(restart, "NotNow", nil)
		after := w.client.DeviceCommand.GetX(w.one.ctx, queued.ID)
		require.Equal(t, row.Status, after.Status)
		require.True(t, row.ResultAt.Equal(*after.ResultAt))
		require.Nil(t, m.answer(&order{CommandUUID: "unknown"}, "Acknowledged", nil))
		require.NoError(t, w.queue.TellFailed(t.Context()))
		require.Equal(t, 1, w.client.Alert.Query().CountX(w.one.ctx)-2)
		require.Equal(t, 1, w.client.AlertOccurrence.Query().CountX(w.one.ctx)-2, "and once")
		require.Equal(t, 1, w.client.Alert.Query().CountX(w.foreign.ctx))
	})
}

func TestNotBeforeExpiryPriorityAndCancel(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.enrolled(w.one, 1)
		id := m.row(w.one).ID
		enqueue := func(o queue.Options) string {
			c, err := w.queue.Enqueue(w.one.ctx, id, command.RestartDevice{}, o)
			require.NoError(t, err)
			return c.ID
		}
		uuid := func(id string) string { return w.client.DeviceCommand.GetX(w.one.ctx, id).CommandUUID }
		later := enqueue(queue.Options{NotBefore: new(w.clock.Now().Add(2 * time.Hour))})
		short := enqueue(queue.Options{ExpiresAt: new(w.clock.Now().Add(time.Hour)), Priority: queue.Routine})
		normal, urgent, withdrawn := enqueue(queue.Options{}), enqueue(queue.Options{Priority: queue.Urgent}), enqueue(queue.Options{Priority: queue.Urgent})
		_, err := w.queue.Cancel(w.one.ctx, withdrawn)
		require.NoError(t, err)
		first := m.idle()
		require.Equal(t, uuid(urgent), first.CommandUUID)
		second := m.answer(first, "Acknowledged", nil)
		require.Equal(t, uuid(normal), second.CommandUUID)
		w.clock.pass(61 * time.Minute)
		require.Nil(t, m.answer(second, "Acknowledged", nil), "one has expired, and one's time has not come")
		require.NoError(t, w.queue.Expire(t.Context()))
		require.Equal(t, devicecommand.StatusExpired, w.client.DeviceCommand.GetX(w.one.ctx, short).Status)
		w.clock.pass(time.Hour)
		require.Equal(t, uuid(later), m.idle().CommandUUID)
		require.Equal(t, devicecommand.StatusCancelled, w.client.DeviceCommand.GetX(w.one.ctx, withdrawn).Status)
	})
}

func TestCommandsAreValidatedBeforeTheyAreQueued(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.mac(w.one, 1)
		require.Equal(t, http.StatusOK, m.authenticate())
		id := m.row(w.one).ID
		_, err := w.queue.Enqueue(w.one.ctx, id, command.RestartDevice{}, queue.Options{})
		require.Equal(t, fault.PreconditionFailed, fault.CodeOf(err), "not enrolled yet")
		require.Equal(t, http.StatusOK, m.token(nil))
		for _, c := range []struct {
			command command.Command
			code    fault.Code
		}{
			{command.EnableLostMode{Message: "x"}, fault.PlatformNotSupported},
			{command.DeviceLock{PIN: "12345"}, fault.InvalidArgument},
			{command.OSUpdateStatus{}, fault.PreconditionFailed}, // not supervised
		} {
			_, err := w.queue.Enqueue(w.one.ctx, id, c.command, queue.Options{})
			require.Equal(t, c.code, fault.CodeOf(err), "%T", c.command)
		}
		_, _, err = w.queue.TellOne(w.one.ctx, id, queue.Locking(command.DeviceLock{}, true))
		require.Equal(t, fault.InvalidArgument, fault.CodeOf(err), "a PIN is required")
		require.Zero(t, w.client.DeviceCommand.Query().CountX(w.one.ctx))
		require.Zero(t, w.client.DeviceSecret.Query().CountX(w.one.ctx))
	})
}
