package endpoint_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
)

// deliver sends a message as it is, however often, and answers what comes of it.
func (w *world) deliver(s said) (status int, answer string) {
	w.t.Helper()
	status, body := w.put(s.to.organization, s.path, s.body, s.signature)
	return status, string(body)
}

// What a device has signed is of use to nobody who has read it, once the device
// has spoken since, or was silent for long.
func TestMessagesOfThePastAreRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m, other := w.enrolled(w.one, 1), w.enrolled(w.foreign, 2)
		idleBody, err := plist.Encode(dict{"UDID": m.udid, "Status": "Idle"})
		require.NoError(t, err)
		var all []said
		say := func(path string, body []byte) said {
			t.Helper()
			c := said{m.home, path, body, m.sign(body)}
			status, _ := w.deliver(c)
			require.Equal(t, http.StatusOK, status)
			all = append(all, c)
			return c
		}
		say("checkin", m.message("SetBootstrapToken", dict{"BootstrapToken": []byte("an old token")}))
		say("checkin", m.message("GetBootstrapToken", nil))
		say("checkin", m.message("TokenUpdate", dict{"Token": []byte("an old token"), "PushMagic": "old"}))
		idle := say("connect", idleBody)

		// A device whose connection broke sends the same once more.
		w.clock.pass(4 * time.Minute)
		for _, c := range all {
			status, _ := w.deliver(c)
			require.Equal(t, http.StatusOK, status)
		}
		require.Nil(t, m.idle())
		require.Equal(t, http.StatusOK, m.token(nil))
		status, _ := m.checkin("SetBootstrapToken", dict{"BootstrapToken": []byte("a new token")})
		require.Equal(t, http.StatusOK, status)

		// The device has spoken since.
		w.clock.pass(2 * time.Minute)
		last := say("connect", idleBody)
		_, err = w.queue.Enqueue(m.home.ctx, m.row(w.one).ID, command.DeviceLock{PIN: "123456"}, queue.Options{})
		require.NoError(t, err)
		before := w.state()
		for _, c := range all[:4] {
			status, answer := w.deliver(c)
			require.Equal(t, http.StatusBadRequest, status)
			require.Empty(t, answer)
		}
		require.Equal(t, before, w.state())

		// It is off, and nobody gets what waits for it by its last word.
		w.clock.pass(7 * time.Minute)
		status, answer := w.deliver(last)
		require.Equal(t, http.StatusBadRequest, status)
		require.Empty(t, answer)
		require.Equal(t, before, w.state())

		// It is back.
		lock := m.idle()
		require.Equal(t, "DeviceLock", lock.Command.RequestType)
		m.answer(lock, "Acknowledged", nil)
		status, _ = w.deliver(idle)
		require.Equal(t, http.StatusBadRequest, status)
		require.Nil(t, other.idle(), "another organization's device is none the worse")
	})
}

// What a device says of the time is held against itself alone.
func TestClocksOfDevicesMayBeWrong(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m, other := w.enrolled(w.one, 1), w.enrolled(w.two, 2)
		body, err := plist.Encode(dict{"UDID": m.udid, "Status": "Idle"})
		require.NoError(t, err)
		idleAt := func(at time.Time) int {
			t.Helper()
			status, _ := m.put(m.home.organization, "connect", body, m.signAt(body, at))
			return status
		}
		w.clock.pass(48 * time.Hour)
		now := w.clock.Now()
		require.Equal(t, http.StatusOK, idleAt(now.Add(-24*time.Hour)), "a day behind, as ever")
		w.clock.pass(time.Hour)
		require.Equal(t, http.StatusOK, idleAt(now.Add(-23*time.Hour)))
		require.Equal(t, http.StatusOK, idleAt(now.Add(100*24*time.Hour)), "far ahead")
		w.clock.pass(time.Hour)
		require.Equal(t, http.StatusOK, idleAt(w.clock.Now()), "put right again")

		// Set back, it cannot be told from a message of the past, until its own time
		// has come again.
		set := w.clock.Now()
		w.clock.pass(time.Hour)
		require.Equal(t, http.StatusBadRequest, idleAt(set.Add(-time.Hour)))
		w.clock.pass(2 * time.Hour)
		require.Equal(t, http.StatusOK, idleAt(set.Add(time.Hour)))
		require.Nil(t, other.idle())

		// Who is to leave is told, whatever its clock says.
		_, err = w.members.Unenroll(w.one.ctx, m.row(w.one).ID)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, idleAt(set.Add(-time.Hour)))
	})
}

// A new identity begins anew: what was signed with the old one counts for nothing.
func TestAnEnrolmentForgetsTheClock(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m, other := w.enrolled(w.one, 1), w.enrolled(w.two, 2)
		w.clock.pass(time.Hour)
		require.Nil(t, m.idle())
		w.clock.pass(10 * time.Minute)
		m.certificate = w.issue(w.one, "")
		body := m.message("Authenticate", dict{"SerialNumber": m.serial, "ProductName": "Mac15,3"})
		late := w.clock.Now().Add(-30 * time.Minute)
		status, _ := m.put(m.home.organization, "checkin", body, m.signAt(body, late))
		require.Equal(t, http.StatusOK, status)
		body = m.message("TokenUpdate", dict{"Token": []byte("a token"), "PushMagic": "magic"})
		status, _ = m.put(m.home.organization, "checkin", body, m.signAt(body, late))
		require.Equal(t, http.StatusOK, status)
		own := w.client.DeviceChannel.Query().Where(devicechannel.Key(m.udid)).OnlyX(w.one.ctx)
		require.Equal(t, late.Unix(), own.SignedSecond)
		require.Nil(t, other.idle())
	})
}
