package endpoint_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/fault"
)

func TestEnrollingAnewBringsNothingAlong(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.enrolled(w.one, 1)
		d := m.row(w.one)
		status, _ := m.checkin("SetBootstrapToken", dict{"BootstrapToken": []byte("bootstrap")})
		require.Equal(t, http.StatusOK, status)
		_, _, err := w.queue.TellOne(w.one.ctx, d.ID, queue.Locking(command.DeviceLock{}, false))
		require.NoError(t, err)
		first := m.certificate
		m.certificate = w.issue(w.one, "")
		m.enrol()
		again := m.row(w.one)
		require.Equal(t, d.ID, again.ID, "the same device")
		require.True(t, d.FirstEnrolledAt.Equal(*again.FirstEnrolledAt))
		require.False(t, again.BootstrapTokenEscrowed)
		require.Zero(t, w.client.DeviceSecret.Query().CountX(w.one.ctx))
		status, answer := m.checkin("GetBootstrapToken", nil)
		require.Equal(t, http.StatusOK, status)
		require.NotContains(t, string(answer), "Ym9vdHN0cmFw")
		require.Equal(t, 1, w.client.DeviceCommand.Query().Where(devicecommand.RequestType("DeviceLock"), devicecommand.StatusEQ(devicecommand.StatusCancelled)).CountX(w.one.ctx))
		m.certificate = first
		_, code := m.report("Idle", nil)
		require.Equal(t, http.StatusBadRequest, code, "the earlier identity is the device's no more")
	})
}

func TestBootstrapTokenIsSealedAndComesBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m, other := w.enrolled(w.one, 1), w.enrolled(w.foreign, 2)
		status, _ := m.checkin("SetBootstrapToken", dict{"BootstrapToken": []byte("bootstrap")})
		require.Equal(t, http.StatusOK, status)
		require.True(t, m.row(w.one).BootstrapTokenEscrowed)
		channel := w.client.DeviceChannel.Query().OnlyX(w.one.ctx)
		require.NotContains(t, string(channel.BootstrapToken), "bootstrap")
		require.NotContains(t, string(channel.UnlockToken), "unlock")
		_, answer := m.checkin("GetBootstrapToken", nil)
		var got struct{ BootstrapToken []byte }
		require.NoError(t, plist.Decode(answer, &got))
		require.Equal(t, "bootstrap", string(got.BootstrapToken))
		_, answer = other.checkin("GetBootstrapToken", nil)
		got.BootstrapToken = nil
		require.NoError(t, plist.Decode(answer, &got))
		require.Empty(t, got.BootstrapToken)

		// What a TokenUpdate leaves out stays.
		before := channel.UnlockToken
		require.Equal(t, http.StatusOK, m.token(dict{"UnlockToken": []byte{}}))
		require.Equal(t, before, w.client.DeviceChannel.Query().OnlyX(w.one.ctx).UnlockToken)
	})
}

func TestADeviceThatMovesLeavesNothingBehind(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.enrolled(w.one, 1)
		old := m.row(w.one)
		_, _, err := w.queue.TellOne(w.one.ctx, old.ID, queue.Locking(command.DeviceLock{}, false))
		require.NoError(t, err)
		bystander := w.enrolled(w.one, 2)

		moved := w.mac(w.two, 1)
		moved.enrol()
		require.True(t, moved.row(w.two).Enrolled)
		left := m.row(w.one)
		require.False(t, left.Enrolled)
		require.Zero(t, w.client.DeviceSecret.Query().CountX(w.one.ctx))
		channel := w.client.DeviceChannel.Query().Where(devicechannel.DeviceID(left.ID)).OnlyX(w.one.ctx)
		require.Equal(t, devicechannel.StatusRemoved, channel.Status)
		require.Empty(t, channel.UnlockToken)
		require.Empty(t, channel.PushToken)
		_, code := m.report("Idle", nil)
		require.Equal(t, http.StatusUnauthorized, code)
		require.True(t, bystander.row(w.one).Enrolled)

		// Another provider's device is not touched.
		elsewhere := w.mac(w.foreign, 1)
		elsewhere.enrol()
		require.True(t, moved.row(w.two).Enrolled)
	})
}

func TestUnenrollBlockAndUnblock(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.enrolled(w.one, 1)
		id := m.row(w.one).ID
		for _, foreign := range []*tenant{w.two, w.foreign} {
			_, err := w.members.Unenroll(foreign.ctx, id)
			require.Equal(t, fault.NotFound, fault.CodeOf(err))
			_, err = w.members.Block(foreign.ctx, id)
			require.Equal(t, fault.NotFound, fault.CodeOf(err))
			_, err = w.members.Unblock(foreign.ctx, id)
			require.Equal(t, fault.NotFound, fault.CodeOf(err))
		}
		pushes := len(w.apns.sent[w.one.organization])
		d, err := w.members.Unenroll(w.one.ctx, id)
		require.NoError(t, err)
		require.False(t, d.Enrolled)
		w.work()
		require.Len(t, w.apns.sent[w.one.organization], pushes+1, "it is woken to be told")
		_, code := m.report("Idle", nil)
		require.Equal(t, http.StatusUnauthorized, code)
		status, _ := m.checkin("CheckOut", nil)
		require.Equal(t, http.StatusOK, status)
		require.NotContains(t, w.alertsOf(w.one), "DEVICE_UNENROLLED", "it was asked to")
		_, err = w.members.Unenroll(w.one.ctx, id)
		require.Equal(t, fault.PreconditionFailed, fault.CodeOf(err))

		m.certificate = w.issue(w.one, "")
		m.enrol()
		require.True(t, m.row(w.one).Enrolled, "it may enrol again")
		_, err = w.members.Block(w.one.ctx, id)
		require.NoError(t, err)
		_, code = m.report("Idle", nil)
		require.Equal(t, http.StatusUnauthorized, code)
		m.certificate = w.issue(w.one, "")
		require.Equal(t, http.StatusUnauthorized, m.authenticate(), "not even with a new identity")
		require.False(t, m.row(w.one).Enrolled)
		_, err = w.members.Block(w.one.ctx, id)
		require.Equal(t, fault.PreconditionFailed, fault.CodeOf(err))
		_, err = w.members.Unblock(w.one.ctx, id)
		require.NoError(t, err)
		m.certificate = w.issue(w.one, "")
		m.enrol()
		require.True(t, m.row(w.one).Enrolled)
	})
}

func TestCheckOut(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.enrolled(w.one, 1)
		status, _ := m.checkin("CheckOut", nil)
		require.Equal(t, http.StatusOK, status)
		d := m.row(w.one)
		require.False(t, d.Enrolled)
		require.NotNil(t, d.CheckoutAt)
		require.Equal(t, "DEVICE_UNENROLLED", w.alertsOf(w.one))
		_, code := m.report("Idle", nil)
		require.Equal(t, http.StatusBadRequest, code)
	})
}

func TestRenewedIdentity(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m, other := w.enrolled(w.one, 1), w.enrolled(w.one, 2)
		id := m.row(w.one).ID
		nobodys, renewed := w.issue(w.one, ""), w.issue(w.one, id)
		w.clock.pass(340 * 24 * time.Hour)
		require.NoError(t, w.members.Renew(w.one.ctx))
		require.NoError(t, w.members.Renew(w.one.ctx))
		require.Equal(t, 2, w.client.DeviceCommand.Query().Where(devicecommand.RequestType("InstallProfile")).CountX(w.one.ctx), "once for each")
		install := m.idle()
		for install.Command.RequestType != "InstallProfile" {
			install = m.answer(install, "Acknowledged", nil)
		}
		require.Equal(t, w.renewal, install.Command.Payload)
		mine := m.certificate
		m.certificate = other.certificate
		_, code := m.report("Idle", nil)
		require.Equal(t, http.StatusBadRequest, code, "another device's")
		m.certificate = nobodys
		_, code = m.report("Idle", nil)
		require.Equal(t, http.StatusBadRequest, code, "one that is nobody's yet")
		m.certificate = renewed
		m.answer(install, "Acknowledged", nil)
		require.True(t, m.certificate.NotAfter.Equal(*m.row(w.one).CertificateNotAfter))
		m.certificate = mine
		_, code = m.report("Idle", nil)
		require.Equal(t, http.StatusBadRequest, code, "there is no way back")
	})
}

func TestMissing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.enrolled(w.one, 1)
		w.clock.pass(15 * 24 * time.Hour)
		require.NoError(t, w.queue.Tend(w.two.ctx, w.two.organization))
		require.Nil(t, m.row(w.one).MissingSince)
		require.NoError(t, w.queue.Tend(w.one.ctx, w.one.organization))
		require.NoError(t, w.queue.Tend(w.one.ctx, w.one.organization))
		require.NotNil(t, m.row(w.one).MissingSince)
		require.Equal(t, "DEVICE_ENROLLED DEVICE_MISSING", w.alertsOf(w.one))
		m.idle()
		require.Nil(t, m.row(w.one).MissingSince)
		require.Equal(t, "DEVICE_ENROLLED", w.alertsOf(w.one))
		// History goes when it is old.
		require.Positive(t, w.client.DeviceCommand.Query().CountX(w.one.ctx))
		w.clock.pass(91 * 24 * time.Hour)
		require.NoError(t, w.queue.Tend(w.one.ctx, w.one.organization))
		require.Zero(t, w.client.DeviceCommand.Query().Where(devicecommand.StatusEQ(devicecommand.StatusAcknowledged)).CountX(w.one.ctx))
	})
}

func TestInventoryIsAskedForInTime(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.enrolled(w.one, 1)
		waiting := func() int { return w.client.DeviceCommand.Query().Where(queue.Waiting).CountX(w.one.ctx) }
		require.NoError(t, w.queue.FindDue(t.Context()))
		w.work()
		require.Zero(t, waiting())
		w.clock.pass(27 * time.Hour)
		for range 2 {
			require.NoError(t, w.queue.FindDue(t.Context()))
			w.work()
		}
		require.Equal(t, 6, waiting(), "asked once")
		w.clock.pass(27 * time.Hour)
		require.NoError(t, w.queue.FindDue(t.Context()))
		w.work()
		require.Equal(t, 6, waiting(), "what it has not answered is not asked again")
		require.NotNil(t, m.idle())
	})
}

func TestUserChannel(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.enrolled(w.one, 1)
		user := dict{"UserID": "ABC", "UserShortName": "ada"}
		status, answer := m.checkin("UserAuthenticate", user)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, string(answer), "DigestChallenge")
		require.Equal(t, http.StatusOK, m.token(user))
		channel := w.client.DeviceChannel.Query().Where(devicechannel.KindEQ(devicechannel.KindUser)).OnlyX(w.one.ctx)
		require.Equal(t, "ada", channel.UserName)
		next, code := m.report("Idle", user)
		require.Equal(t, http.StatusOK, code)
		require.Nil(t, next)
		status, _ = m.checkin("CheckOut", user)
		require.Equal(t, http.StatusOK, status)
		require.True(t, m.row(w.one).Enrolled)
		status, _ = m.checkin("DeclarativeManagement", dict{"Endpoint": "tokens"})
		require.Equal(t, http.StatusNotFound, status)
		status, _ = m.checkin("GetToken", dict{"TokenServiceType": "com.apple.maid"})
		require.Equal(t, http.StatusBadRequest, status)
	})
}

func TestAwaitingDeviceIsReleased(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.mac(w.one, 1)
		require.Equal(t, http.StatusOK, m.authenticate())
		require.Equal(t, http.StatusOK, m.token(dict{"AwaitingConfiguration": true}))
		require.Equal(t, "DeviceConfigured", m.idle().Command.RequestType)
	})
}

func TestSeats(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.enrolled(w.one, 1)
		w.one.seats = 1
		require.Equal(t, http.StatusBadRequest, w.mac(w.one, 2).authenticate())
		require.Equal(t, 1, w.client.Device.Query().CountX(w.one.ctx))
		require.Contains(t, w.alertsOf(w.one), "SEAT_LIMIT_REACHED")
		m.certificate = w.issue(w.one, "")
		m.enrol() // has its seat
		require.Equal(t, http.StatusOK, w.mac(w.two, 3).authenticate())
	})
}
