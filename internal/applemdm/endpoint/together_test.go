package endpoint_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

// Devices of several organizations that connect at once are each given their own
// commands, whoever else is served in the same statement.
func TestDevicesThatConnectTogether(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var macs []*mac
		told := map[*mac][]string{}
		for i, home := range []*tenant{w.one, w.two, w.foreign, w.one, w.two, w.foreign, w.one, w.two} {
			m := w.enrolled(home, i+1)
			for n := range 6 {
				c, err := w.queue.Enqueue(home.ctx, m.row(home).ID, command.RestartDevice{}, queue.Options{Priority: -n})
				require.NoError(t, err)
				told[m] = append(told[m], c.CommandUUID)
			}
			macs = append(macs, m)
		}
		seen := make([][]string, len(macs))
		var all sync.WaitGroup
		for i, m := range macs {
			all.Go(func() {
				// A report on another's command changes nothing but begins a session.
				next, code := m.report("Acknowledged", dict{"CommandUUID": told[macs[(i+1)%len(macs)]][5]})
				require.Equal(t, http.StatusOK, code)
				for next != nil {
					seen[i] = append(seen[i], next.CommandUUID)
					next = m.answer(next, "Acknowledged", nil)
				}
			})
			all.Go(func() { // what is not a device's own does not spoil it for those who come with it
				stranger := w.mac(m.home, 100+i)
				_, code := stranger.report("Idle", nil)
				require.Equal(t, http.StatusBadRequest, code)
				elsewhere := w.one
				if m.home == w.one {
					elsewhere = w.two
				}
				code, _ = m.send(elsewhere, "connect", m.message("", dict{"Status": "Idle"}))
				require.Equal(t, http.StatusBadRequest, code)
			})
		}
		all.Wait()
		for i, m := range macs {
			require.Equal(t, told[m], seen[i], "mac %d", i+1)
			over := w.client.DeviceCommand.Query().Where(devicecommand.HasDeviceWith(device.SerialNumber(m.serial)),
				devicecommand.StatusEQ(devicecommand.StatusAcknowledged), devicecommand.Attempts(1), devicecommand.RequestType("RestartDevice"))
			require.Equal(t, 6, over.CountX(m.home.ctx), "mac %d", i+1)
		}
	})
}

// A device that says the same several times at once is given one command, and has
// it ended once.
func TestADeviceThatRepeatsItselfAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.enrolled(w.one, 1)
		w.enrolled(w.foreign, 1)
		id := m.row(w.one).ID
		for range 3 {
			_, err := w.queue.Enqueue(w.one.ctx, id, command.RestartDevice{}, queue.Options{})
			require.NoError(t, err)
		}
		for round := range 3 {
			given := map[string]int{}
			var mu sync.Mutex
			atOnce(func() {
				if next := m.idle(); next != nil {
					mu.Lock()
					defer mu.Unlock()
					given[next.CommandUUID]++
				}
			})
			require.Len(t, given, 1, "round %d: %v", round, given)
			for uuid := range given {
				atOnce(func() {
					_, code := m.report("NotNow", dict{"CommandUUID": uuid})
					require.Equal(t, http.StatusOK, code)
				})
				_, code := m.report("Acknowledged", dict{"CommandUUID": uuid})
				require.Equal(t, http.StatusOK, code)
				require.Equal(t, devicecommand.StatusAcknowledged,
					w.client.DeviceCommand.Query().Where(devicecommand.CommandUUID(uuid)).OnlyX(w.one.ctx).Status, fmt.Sprint("round ", round))
			}
		}
	})
}

// atOnce does something three times at once: an identity has no more turns than
// four.
func atOnce(do func()) {
	var all sync.WaitGroup
	for range 3 {
		all.Go(do)
	}
	all.Wait()
}

// A device whose row somebody else has locked waits for that alone.
func TestALockHoldsNobodyElseUp(t *testing.T) {
	testdb.OnPostgres(t, func(t *testing.T) {
		w := newWorld(t, testdb.New(t, "postgres"))
		held, other := w.enrolled(w.one, 1), w.enrolled(w.two, 2)
		w.clock.pass(2 * time.Minute) // what they say next is written
		answered := make(chan int, 1)
		err := w.db.InTx(w.one.ctx, func(ctx context.Context) error {
			if err := w.client.DeviceChannel.Update().SetPushMagic("locked").Exec(ctx); err != nil {
				return err
			}
			go func() {
				_, code := held.report("Idle", nil)
				answered <- code
			}()
			for range 20 {
				require.Nil(t, other.idle())
				w.clock.pass(2 * time.Minute)
			}
			require.Empty(t, answered)
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, <-answered)
	})
}

// What is ordered together is queued as each asked for it, whenever that is to be
// given out, and each has its own event.
func TestWhatIsOrderedTogether(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var macs []*mac
		for i, home := range []*tenant{w.one, w.foreign, w.one, w.foreign} {
			macs = append(macs, w.enrolled(home, i+1))
		}
		now := w.clock.Now().Truncate(time.Microsecond)
		tonight, tomorrow := now.Add(10*time.Hour), now.Add(24*time.Hour)
		orders := []queue.Instruction{
			queue.Same(command.RestartDevice{}, queue.Options{}),
			queue.Same(command.ShutDownDevice{}, queue.Options{NotBefore: &tonight}),
			queue.Same(command.UnlockUserAccount{UserName: "kim"}, queue.Options{ExpiresAt: &tomorrow, Priority: 7}),
			queue.Locking(command.DeviceLock{}, false).On(&queue.Schedule{NotBefore: &tonight, ExpiresAt: &tomorrow}),
		}
		var all sync.WaitGroup
		for range 3 {
			for _, m := range macs {
				for _, what := range orders {
					all.Go(func() {
						c, _, err := w.queue.TellOne(m.home.ctx, m.row(m.home).ID, what)
						require.NoError(t, err)
						require.Equal(t, m.home.organization, c.OrganizationID)
					})
				}
			}
		}
		all.Wait()
		for _, m := range macs {
			waiting := func(kind string) []*ent.DeviceCommand {
				return w.client.DeviceCommand.Query().Where(devicecommand.HasDeviceWith(device.SerialNumber(m.serial)),
					devicecommand.RequestType(kind), devicecommand.StatusEQ(devicecommand.StatusPending)).AllX(m.home.ctx)
			}
			for _, c := range waiting("RestartDevice") {
				require.Equal(t, []any{(*time.Time)(nil), (*time.Time)(nil), 0}, []any{c.NotBefore, c.ExpiresAt, c.Priority})
			}
			for _, c := range waiting("ShutDownDevice") {
				require.True(t, c.NotBefore.Equal(tonight) && c.ExpiresAt == nil)
			}
			for _, c := range waiting("UnlockUserAccount") {
				require.True(t, c.NotBefore == nil && c.ExpiresAt.Equal(tomorrow) && c.Priority == 7)
			}
			require.Equal(t, []int{3, 3, 3}, []int{len(waiting("RestartDevice")), len(waiting("ShutDownDevice")), len(waiting("UnlockUserAccount"))})
			locks := waiting("DeviceLock")
			require.Len(t, locks, 1, "each replaces the one before")
			require.True(t, locks[0].NotBefore.Equal(tonight) && locks[0].ExpiresAt.Equal(tomorrow) && locks[0].Priority == queue.Urgent)
			require.Empty(t, locks[0].Arguments, "its PIN is sealed")
		}
	})
}
