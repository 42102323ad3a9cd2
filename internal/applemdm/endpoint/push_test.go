package endpoint_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent/applemdm"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
)

func TestPushes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m, other := w.enrolled(w.one, 1), w.enrolled(w.foreign, 2)
		id := m.row(w.one).ID
		channel := func() (dead, wanted bool) {
			c := w.client.DeviceChannel.Query().OnlyX(w.one.ctx)
			return c.PushDead, c.PushWantedAt != nil
		}
		sent := func() int { return len(w.apns.sent[w.one.organization]) }
		restart := func() {
			t.Helper()
			_, err := w.queue.Enqueue(w.one.ctx, id, command.RestartDevice{}, queue.Options{})
			require.NoError(t, err)
		}
		before, theirs := sent(), len(w.apns.sent[w.foreign.organization])
		restart()
		restart()
		w.work()
		require.Equal(t, before+1, sent(), "two wants are one notification")
		require.Len(t, w.apns.sent[w.foreign.organization], theirs)

		// A lost job is found, and so is what was tried in vain.
		restart()
		w.jobs.take()
		require.NoError(t, w.queue.Sweep(t.Context()))
		w.apns.outcome = queue.TryLater
		require.Error(t, w.queue.Notify(w.one.ctx, w.one.organization))
		w.jobs.take()
		_, wanted := channel()
		require.True(t, wanted)
		w.apns.outcome = queue.Accepted
		require.NoError(t, w.queue.Sweep(t.Context()))
		w.work()
		_, wanted = channel()
		require.False(t, wanted)

		// A token is dead only while it is the current one.
		w.apns.outcome = queue.TokenDead
		restart()
		w.apns.during = func() { w.apns.during = nil; m.token(dict{"Token": []byte("a newer token")}) }
		w.work()
		dead, _ := channel()
		require.False(t, dead)
		w.clock.pass(5 * time.Hour)
		w.apns.outcome = queue.TokenDead
		require.NoError(t, w.queue.Repush(t.Context()))
		require.NoError(t, w.queue.Sweep(t.Context()))
		w.work()
		dead, wanted = channel()
		require.True(t, dead)
		require.False(t, wanted)
		_, err := w.queue.SendBlank(w.one.ctx, id)
		require.Error(t, err)
		m.token(nil)
		dead, _ = channel()
		require.False(t, dead)

		// A refused certificate is told, and stops.
		w.apns.outcome = queue.CertificateRefused
		_, err = w.queue.SendBlank(w.one.ctx, id)
		require.NoError(t, err)
		w.work()
		require.Equal(t, applemdm.PushStatusRefused, w.client.AppleMdm.Query().OnlyX(w.one.ctx).PushStatus)
		require.Equal(t, applemdm.PushStatusActive, w.client.AppleMdm.Query().OnlyX(w.foreign.ctx).PushStatus)
		require.Contains(t, w.alertsOf(w.one), "PUSH_CERTIFICATE_REFUSED")
		count := sent()
		require.NoError(t, w.queue.Sweep(t.Context()))
		w.work()
		require.Equal(t, count, sent())
		require.True(t, other.row(w.foreign).Enrolled)
	})
}

// Whom Apple puts off holds up nobody else of the organization: it is left to the
// sweep.
func TestPutOff(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.enrolled(w.one, 1)
		w.enrolled(w.one, 2)
		w.enrolled(w.foreign, 3)
		w.work()
		wanted := func(one *tenant) int {
			return w.client.DeviceChannel.Query().Where(devicechannel.PushWantedAtNotNil()).CountX(one.ctx)
		}
		for _, one := range []*tenant{w.one, w.foreign} {
			for _, d := range w.client.Device.Query().AllX(one.ctx) {
				_, err := w.queue.SendBlank(one.ctx, d.ID)
				require.NoError(t, err)
			}
		}
		w.apns.putOff = 1
		require.NoError(t, w.queue.Notify(w.one.ctx, w.one.organization))
		require.Equal(t, 1, wanted(w.one))
		require.Error(t, w.queue.Notify(w.one.ctx, w.one.organization), "nothing is taken")
		require.Equal(t, 1, wanted(w.foreign))
		w.apns.putOff = 0
		require.NoError(t, w.queue.Sweep(t.Context()))
		w.work()
		require.Zero(t, wanted(w.one)+wanted(w.foreign))
	})
}

// Who is to get something later is notified when its time has come, and not before.
func TestWhatIsForLaterIsNotifiedThen(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m, other := w.enrolled(w.one, 1), w.enrolled(w.foreign, 2)
		w.work()
		sent := func(one *tenant) int {
			require.NoError(t, w.queue.Sweep(t.Context()))
			w.work()
			return len(w.apns.sent[one.organization])
		}
		before, theirs := sent(w.one), sent(w.foreign)
		tonight := w.clock.Now().Add(2 * time.Hour)
		late := queue.Same(command.RestartDevice{}, queue.Options{NotBefore: &tonight})
		for one, m := range map[*tenant]*mac{w.one: m, w.foreign: other} {
			_, _, err := w.queue.TellOne(one.ctx, m.row(one).ID, late)
			require.NoError(t, err)
		}
		require.Equal(t, []int{before, theirs}, []int{sent(w.one), sent(w.foreign)})
		require.Nil(t, m.idle())

		w.clock.pass(2*time.Hour + time.Second)
		require.Equal(t, []int{before + 1, theirs + 1}, []int{sent(w.one), sent(w.foreign)})
		w.clock.pass(time.Minute)
		require.Equal(t, []int{before + 1, theirs + 1}, []int{sent(w.one), sent(w.foreign)}, "once")
		require.Equal(t, "RestartDevice", m.idle().Command.RequestType)
		require.NotNil(t, other.idle())
	})
}
