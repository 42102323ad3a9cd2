package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/batch"
)

var errSpoilt = errors.New("spoilt")

// held is a number that takes as long as it may.
const held = 1 << 20

// batchLinger is how long the batches of the tests wait to be as large as the
// last ones.
const batchLinger = 2 * time.Millisecond

// doubler doubles numbers, and remembers who was worked with whom.
type doubler struct {
	mu      sync.Mutex
	batches [][]int
	under   map[string]int
	most    int
	hold    time.Duration
}

func (d *doubler) work(ctx context.Context, key string, items []int) ([]batch.Outcome[int], error) {
	d.mu.Lock()
	d.batches = append(d.batches, append([]int(nil), items...))
	d.under[key]++
	d.most = max(d.most, d.under[key])
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.under[key]--
		d.mu.Unlock()
	}()
	hold := d.hold
	if slices.Contains(items, held) {
		hold = time.Hour
	}
	select {
	case <-time.After(hold):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	outcomes := make([]batch.Outcome[int], len(items))
	for i, n := range items {
		switch {
		case n == -1:
			return nil, errSpoilt
		case n == -2:
			panic("spoilt")
		case n < 0:
			outcomes[i].Err = fmt.Errorf("refused: %d", n)
		default:
			outcomes[i].Value = 2 * n
		}
	}
	return outcomes, nil
}

func newGroup(t *testing.T, d *doubler, most, lanes int) *batch.Group[int, int] {
	t.Helper()
	d.under = map[string]int{}
	g, err := batch.New(batch.Config[int, int]{
		Work: d.work, Most: most, Lanes: lanes, Patience: 5 * time.Second, MostLanes: lanes + 2, Timeout: time.Minute, Linger: batchLinger,
		Alone: func(err error) bool { return errors.Is(err, errSpoilt) },
	})
	require.NoError(t, err)
	return g
}

// together has items worked that come while another is being worked.
func together(g *batch.Group[int, int], first int, rest ...int) []batch.Outcome[int] {
	outcomes := make([]batch.Outcome[int], 1+len(rest))
	var all sync.WaitGroup
	for i, n := range append([]int{first}, rest...) {
		all.Go(func() {
			<-time.After(time.Duration(i) * time.Millisecond) // the bubble's time, which passes at once
			defer func() {
				if p := recover(); p != nil {
					outcomes[i].Err = fmt.Errorf("panic: %v", p)
				}
			}()
			outcomes[i].Value, outcomes[i].Err = g.Do(context.Background(), "a", n)
		})
	}
	all.Wait()
	return outcomes
}

func TestWhoComesMeanwhileIsWorkedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &doubler{hold: time.Second}
		g := newGroup(t, d, 3, 1)
		outcomes := together(g, 1, 2, 3, 4, 5, -7)
		for i, o := range outcomes[:5] {
			require.NoError(t, o.Err)
			require.Equal(t, 2*(i+1), o.Value)
		}
		require.ErrorContains(t, outcomes[5].Err, "refused: -7")
		require.Equal(t, [][]int{{1}, {2, 3, 4}, {5, -7}}, d.batches)
	})
}

func TestWhoWereWorkedTogetherComeTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &doubler{hold: time.Second}
		g := newGroup(t, d, 8, 1)
		together(g, 1, 2, 3, 4)
		require.Equal(t, [][]int{{1}, {2, 3, 4}}, d.batches)
		d.batches = nil
		var all sync.WaitGroup
		for n := range 4 { // at once, as those who had their answers together
			all.Go(func() { _, _ = g.Do(context.Background(), "a", n) })
		}
		all.Wait()
		require.Len(t, d.batches, 2)
		require.Len(t, d.batches[0], 2)

		// Fewer wait no longer than a moment, and one who is alone soon waits for nobody.
		for _, wait := range []time.Duration{batchLinger, batchLinger, 0, 0} {
			began := time.Now()
			_, err := g.Do(t.Context(), "a", 1)
			require.NoError(t, err)
			require.Equal(t, time.Second+wait, time.Since(began))
		}
		// What was is forgotten.
		together(g, 1, 2, 3, 4)
		<-time.After(time.Minute)
		began := time.Now()
		_, err := g.Do(t.Context(), "a", 1)
		require.NoError(t, err)
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestOneCannotSpoilTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &doubler{hold: time.Second}
		outcomes := together(newGroup(t, d, 8, 1), 1, 2, -1, 3)
		require.Equal(t, []int{2, 4, 0, 6}, []int{outcomes[0].Value, outcomes[1].Value, outcomes[2].Value, outcomes[3].Value})
		require.ErrorIs(t, outcomes[2].Err, errSpoilt)
		require.Equal(t, [][]int{{1}, {2, -1, 3}, {2}, {-1}, {3}}, d.batches)
	})
}

func TestAPanicReleasesEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &doubler{hold: time.Second}
		g := newGroup(t, d, 8, 1)
		outcomes := together(g, 1, -2, 3)
		require.NoError(t, outcomes[0].Err)
		require.ErrorContains(t, outcomes[1].Err, "panic: spoilt")
		require.ErrorContains(t, outcomes[2].Err, "did not finish")
		value, err := g.Do(t.Context(), "a", 4)
		require.NoError(t, err)
		require.Equal(t, 8, value)
	})
}

func TestWhoStopsWaitingIsNotWorked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &doubler{hold: time.Second}
		g := newGroup(t, d, 8, 1)
		go func() { _, _ = g.Do(context.Background(), "a", 1) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := g.Do(ctx, "a", 2)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		value, err := g.Do(t.Context(), "a", 3)
		require.NoError(t, err)
		require.Equal(t, 6, value)
		require.Equal(t, [][]int{{1}, {3}}, d.batches)
	})
}

func TestKeysAndLanesDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &doubler{hold: time.Second}
		g := newGroup(t, d, 8, 2)
		began := time.Now()
		var all sync.WaitGroup
		for _, key := range []string{"a", "a", "b", "c"} {
			all.Go(func() { _, _ = g.Do(context.Background(), key, 1) })
		}
		all.Wait()
		require.Equal(t, time.Second, time.Since(began))
		require.Equal(t, 2, d.most)
	})
}

func TestEverybodyGetsTheirOwn(t *testing.T) {
	d := &doubler{}
	g := newGroup(t, d, 5, 2)
	var all sync.WaitGroup
	var cancelled atomic.Int32
	for n := range 2000 {
		all.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if n%7 == 0 {
				go cancel()
			}
			value, err := g.Do(ctx, strconv.Itoa(n%3), n)
			if errors.Is(err, context.Canceled) {
				cancelled.Add(1)
				return
			}
			if err != nil || value != 2*n {
				t.Errorf("%d: %d, %v", n, value, err)
			}
		})
	}
	all.Wait()
	worked := 0
	for _, items := range d.batches {
		worked += len(items)
		require.LessOrEqual(t, len(items), 5)
	}
	require.Equal(t, 2000, worked+int(cancelled.Load()))
	require.LessOrEqual(t, d.most, 4)
}

func TestABatchThatIsHeldUpHoldsNobodyElseUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &doubler{hold: time.Second}
		g := newGroup(t, d, 8, 1)
		began := time.Now()
		ended := make([]time.Duration, 8)
		var all sync.WaitGroup
		for i := range ended {
			all.Go(func() {
				<-time.After(time.Duration(i) * time.Millisecond)
				n := i + 1
				if i == 0 || i == 3 {
					n = held
				}
				_, err := g.Do(context.Background(), "a", n)
				if i == 0 || i == 3 { // until its time is over
					require.ErrorIs(t, err, context.DeadlineExceeded)
				}
				ended[i] = time.Since(began).Round(100 * time.Millisecond)
			})
			if i == 3 || i == 6 {
				<-time.After(7 * time.Second)
			}
		}
		all.Wait()
		// The first is held up, and so are those who came then, beside it; whoever comes
		// later is worked beside both.
		require.Equal(t, [][]int{{held}, {2, 3, held}, {5, 6, 7}, {8}}, d.batches)
		require.Equal(t, time.Minute, ended[0])
		require.Equal(t, 13*time.Second, ended[4])
		require.Equal(t, 15*time.Second, ended[7])
	})
}

func TestWhatCannotWork(t *testing.T) {
	_, err := batch.New(batch.Config[int, int]{})
	require.Error(t, err)
}
