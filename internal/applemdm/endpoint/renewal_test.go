package endpoint_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/applemdm"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
)

// TestRenewalTakesNothingAway: a device whose enrolment profile is installed
// again authenticates again, and has enrolled no second time.
func TestRenewalTakesNothingAway(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.enrolled(w.one, 1)
		d := m.row(w.one)
		status, _ := m.checkin("SetBootstrapToken", dict{"BootstrapToken": []byte("bootstrap")})
		require.Equal(t, http.StatusOK, status)
		_, _, err := w.queue.TellOne(w.one.ctx, d.ID, queue.Locking(command.DeviceLock{}, false))
		require.NoError(t, err)
		m.idle() // it has the lock, whose PIN is kept from then on
		first := m.certificate
		unlock := w.client.DeviceChannel.Query().OnlyX(w.one.ctx).UnlockToken
		w.jobs.take()

		kept := func() {
			t.Helper()
			again := m.row(w.one)
			require.True(t, again.Enrolled)
			require.True(t, again.BootstrapTokenEscrowed)
			require.True(t, d.LastEnrolledAt.Equal(*again.LastEnrolledAt))
			require.True(t, m.certificate.NotAfter.Equal(*again.CertificateNotAfter))
			require.Equal(t, 1, w.client.DeviceSecret.Query().CountX(w.one.ctx))
			require.Equal(t, 1, w.client.DeviceCommand.Query().Where(devicecommand.RequestType("DeviceLock"), queue.Waiting).CountX(w.one.ctx))
			channel := w.client.DeviceChannel.Query().OnlyX(w.one.ctx)
			require.Equal(t, devicechannel.StatusEnrolled, channel.Status)
			require.Equal(t, unlock, channel.UnlockToken)
			require.NotEmpty(t, channel.PushToken)
			_, answer := m.checkin("GetBootstrapToken", nil)
			var got struct{ BootstrapToken []byte }
			require.NoError(t, plist.Decode(answer, &got))
			require.Equal(t, "bootstrap", string(got.BootstrapToken))
			require.Empty(t, w.jobs.take(), "nobody has arrived")
		}
		require.Equal(t, http.StatusOK, m.authenticate(), "a message played back")
		kept()
		m.certificate = w.issue(w.one, d.ID)
		require.Equal(t, http.StatusOK, m.authenticate())
		require.Equal(t, http.StatusOK, m.token(dict{"UnlockToken": []byte{}}))
		kept()
		m.certificate = first
		require.Equal(t, http.StatusBadRequest, m.authenticate(), "there is no way back")

		// Another device's new identity is not this one's.
		other := w.enrolled(w.one, 2)
		m.certificate = w.issue(w.one, other.row(w.one).ID)
		require.Equal(t, http.StatusBadRequest, m.authenticate())

		// Who has left, or was released, needs to enrol anew.
		m.certificate = w.issue(w.one, d.ID)
		status, _ = m.checkin("CheckOut", nil)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, http.StatusBadRequest, m.authenticate())
		_, err = w.members.Unenroll(w.one.ctx, other.row(w.one).ID)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, other.authenticate())
		require.False(t, other.row(w.one).Enrolled)
	})
}

func TestRenewalWaitsForADeviceThatIsOff(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.enrolled(w.one, 1)
		asked := func() int {
			return w.client.DeviceCommand.Query().Where(devicecommand.RequestType("InstallProfile")).CountX(w.one.ctx)
		}
		w.clock.pass(340 * 24 * time.Hour)
		for range 6 {
			require.NoError(t, w.members.Renew(w.one.ctx))
			w.clock.pass(24 * time.Hour)
		}
		require.Equal(t, 1, asked(), "the one that waits is enough")
		w.clock.pass(48 * time.Hour)
		require.NoError(t, w.queue.Expire(t.Context()))
		require.NoError(t, w.members.Renew(w.one.ctx))
		require.Equal(t, 2, asked(), "its challenge is over, so that it is not given out any more")
		for next := m.idle(); next != nil; next = m.answer(next, "Acknowledged", nil) {
			if next.Command.RequestType == "InstallProfile" {
				return
			}
		}
		t.Fatal("the device was not given its profile")
	})
}

// ends has the device asked to renew its identity. The clock stays: a device signs
// at its own time, which its next certificate has to cover.
func (m *mac) ends() {
	m.t.Helper()
	soon := m.clock.Now().Add(20 * 24 * time.Hour)
	require.NoError(m.t, m.client.Device.UpdateOneID(m.row(m.home).ID).SetCertificateNotAfter(soon).Exec(m.home.ctx))
	require.NoError(m.t, m.members.Renew(m.home.ctx))
}

// TestARenewalWhoseReportIsLost: a device that uses the identity that it was to
// get has done what it was told. It is not told again, which could only fail.
func TestARenewalWhoseReportIsLost(t *testing.T) {
	for name, shows := range map[string]func(m *mac, renewal *order){
		"in an Authenticate": func(m *mac, _ *order) {
			require.Equal(m.t, http.StatusOK, m.authenticate())
			require.Equal(m.t, http.StatusOK, m.token(nil))
		},
		"in a TokenUpdate": func(m *mac, _ *order) { require.Equal(m.t, http.StatusOK, m.token(nil)) },
		"as it polls":      func(m *mac, _ *order) { require.Nil(m.t, m.idle()) },
		"in its report":    func(m *mac, renewal *order) { require.Nil(m.t, m.answer(renewal, "Acknowledged", nil)) },
		"as it fails at the second time": func(m *mac, renewal *order) {
			require.Equal(m.t, renewal.CommandUUID, m.idle().CommandUUID)
			m.certificate = m.issue(m.home, m.row(m.home).ID)
			require.Nil(m.t, m.answer(renewal, "Error", nil))
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				m, other := w.enrolled(w.one, 1), w.enrolled(w.foreign, 1)
				renewal := func(m *mac) *order {
					m.ends()
					for next := m.idle(); ; next = m.answer(next, "Acknowledged", nil) {
						require.NotNil(t, next)
						if next.Command.RequestType == "InstallProfile" {
							return next
						}
					}
				}
				row := func(m *mac) *ent.DeviceCommand {
					return w.client.DeviceCommand.Query().Where(devicecommand.RequestType("InstallProfile")).OnlyX(m.home.ctx)
				}
				given, theirs := renewal(m), renewal(other)
				if name != "as it fails at the second time" {
					m.certificate = w.issue(w.one, m.row(w.one).ID)
				}
				shows(m, given)
				over := row(m)
				require.Equal(t, devicecommand.StatusAcknowledged, over.Status)
				require.NotNil(t, over.ResultAt)
				require.Nil(t, m.idle(), "it is not told again")
				for _, late := range []string{"Error", "CommandFormatError", "NotNow", "Acknowledged"} {
					require.Nil(t, m.answer(given, late, nil))
					require.Equal(t, over.Status, row(m).Status, late)
					require.Equal(t, over.Attempts, row(m).Attempts)
					require.True(t, over.ResultAt.Equal(*row(m).ResultAt))
				}
				require.NoError(t, w.queue.TellFailed(t.Context()))
				require.NotContains(t, w.alertsOf(w.one), "COMMAND_FAILED")

				// Who has not renewed is told again, and what fails then has failed.
				require.Equal(t, devicecommand.StatusSent, row(other).Status)
				require.Equal(t, theirs.CommandUUID, other.idle().CommandUUID)
				other.answer(theirs, "Error", nil)
				require.NoError(t, w.queue.TellFailed(t.Context()))
				require.Contains(t, w.alertsOf(w.foreign), "COMMAND_FAILED")
			})
		})
	}
}

// TestARenewalThatWasNotGivenOut: what a device was not given, it has not done.
func TestARenewalThatWasNotGivenOut(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.enrolled(w.one, 1)
		w.enrolled(w.foreign, 1)
		m.ends()
		m.certificate = w.issue(w.one, m.row(w.one).ID)
		require.Equal(t, http.StatusOK, m.authenticate())
		require.Equal(t, http.StatusOK, m.token(nil))
		next := m.idle()
		require.NotNil(t, next)
		require.Equal(t, "InstallProfile", next.Command.RequestType)
		m.answer(next, "Acknowledged", nil)
	})
}

// TestTopicIsReplaced: what listens to the old topic is not notified, which
// Apple would hold against the certificate, and is served when it comes.
func TestTopicIsReplaced(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m, other := w.enrolled(w.one, 1), w.enrolled(w.foreign, 2)
		id := m.row(w.one).ID
		old := w.one.topic
		w.one.topic = "com.apple.mgmt.External.Another"
		require.NoError(t, w.client.AppleMdm.Update().SetTopic(w.one.topic).Exec(w.one.ctx))
		sent, theirs := len(w.apns.sent[w.one.organization]), len(w.apns.sent[w.foreign.organization])
		_, err := w.queue.Enqueue(w.one.ctx, id, command.RestartDevice{}, queue.Options{})
		require.NoError(t, err)
		_, err = w.queue.SendBlank(w.foreign.ctx, other.row(w.foreign).ID)
		require.NoError(t, err)
		w.apns.outcome = queue.CertificateRefused
		w.work()
		require.Len(t, w.apns.sent[w.one.organization], sent)
		require.Len(t, w.apns.sent[w.foreign.organization], theirs+1)
		require.Equal(t, applemdm.PushStatusActive, w.client.AppleMdm.Query().OnlyX(w.one.ctx).PushStatus)
		require.NotNil(t, m.idle(), "it is served when it comes by itself")

		// Its messages name the topic that it has; nobody comes in with it.
		require.Equal(t, http.StatusBadRequest, m.token(nil), "not its topic")
		require.Equal(t, http.StatusOK, m.token(dict{"Topic": old}))
		newcomer := w.mac(w.one, 3)
		status, _ := newcomer.checkin("Authenticate", dict{"SerialNumber": newcomer.serial, "Topic": old})
		require.Equal(t, http.StatusBadRequest, status)
		newcomer.enrol()
		require.True(t, newcomer.row(w.one).Enrolled)
		status, _ = m.checkin("CheckOut", dict{"Topic": old})
		require.Equal(t, http.StatusOK, status)
		require.NotNil(t, m.row(w.one).CheckoutAt)
	})
}

func TestACertificateThatWasReplacedIsNotHeldAgainstItsSuccessor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.enrolled(w.one, 1)
		w.apns.outcome = queue.CertificateRefused
		w.apns.during = func() {
			w.apns.during = nil
			require.NoError(t, w.client.AppleMdm.Update().SetCertificateSerialNumber("02").Exec(w.one.ctx))
		}
		_, err := w.queue.SendBlank(w.one.ctx, m.row(w.one).ID)
		require.NoError(t, err)
		w.work()
		require.Equal(t, applemdm.PushStatusActive, w.client.AppleMdm.Query().OnlyX(w.one.ctx).PushStatus)
		require.NotContains(t, w.alertsOf(w.one), "PUSH_CERTIFICATE_REFUSED")
		count := len(w.apns.sent[w.one.organization])
		w.apns.outcome = queue.Accepted
		require.NoError(t, w.queue.Sweep(t.Context()))
		w.work()
		require.Len(t, w.apns.sent[w.one.organization], count+1, "it is tried again with the new one")
	})
}
