package endpoint_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
)

func TestWantsThatFollowAreOneJob(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first, second, foreign := w.enrolled(w.one, 1), w.enrolled(w.one, 2), w.enrolled(w.foreign, 3)
		paced := func(every time.Duration) *queue.Service {
			w.work()
			require.NoError(t, w.queue.Sweep(t.Context()))
			w.work()
			c := w.queue.Config
			c.PushEvery = every
			s, err := queue.New(c)
			require.NoError(t, err)
			return s
		}
		restart := func(ctx context.Context, s *queue.Service, m *mac) {
			t.Helper()
			owner := w.one
			if m == foreign {
				owner = w.foreign
			}
			_, err := s.Enqueue(ctx, m.row(owner).ID, command.RestartDevice{}, queue.Options{})
			require.NoError(t, err)
		}

		s := paced(time.Hour)
		errUndone := errors.New("undone")
		err := s.DB.InTx(w.one.ctx, func(ctx context.Context) error {
			restart(ctx, s, first)
			require.Empty(t, w.jobs.take(), "nothing is committed yet")
			return errUndone
		})
		require.ErrorIs(t, err, errUndone)
		require.Empty(t, w.jobs.take(), "nobody wants anything")
		restart(w.one.ctx, s, first)
		require.Len(t, w.jobs.take(), 1, "the first is not held back")
		restart(w.one.ctx, s, second)
		require.Empty(t, w.jobs.take())
		restart(w.foreign.ctx, s, foreign)
		require.Len(t, w.jobs.take(), 1, "no tenant waits for another")
		require.NoError(t, s.Flush(t.Context()))
		require.Len(t, w.jobs.take(), 1)
		require.NoError(t, s.Flush(t.Context()))
		require.Empty(t, w.jobs.take())

		s = paced(10 * time.Millisecond)
		restart(w.one.ctx, s, first)
		restart(w.one.ctx, s, second)
		left := 0
		require.Eventually(t, func() bool {
			left += len(w.jobs.take())
			return left == 2
		}, 10*time.Second, time.Millisecond)

		c := w.queue.Config
		c.PushEvery = -1
		_, err = queue.New(c)
		require.Error(t, err)
	})
}
