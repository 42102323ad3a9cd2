package limit

import (
	"slices"
	"time"

	"github.com/bailiwick/bailiwick/schema"
)

// A vendor's window is cut into slices, and a slice counts in whole until it
// has left the window entirely. Two more slices than the window has are looked
// at: one since the slices are not aligned with the vendor's, and one since a
// call arrives at the vendor some time after it was admitted. So no stretch of
// time as long as the window has more calls than allowed, wherever it begins.
const (
	slicesPerWindow = 12
	slicesCounted   = slicesPerWindow + 2
)

// sliceAt is the number of the slice that a time is in.
func sliceAt(t time.Time, window time.Duration) int64 {
	return t.UnixNano() / int64(window/slicesPerWindow)
}

// startOf is when a slice begins.
func startOf(slice int64, window time.Duration) time.Time {
	return time.Unix(0, slice*int64(window/slicesPerWindow))
}

// advance moves a window to a slice, and forgets what has left it. A time
// before its newest slice, which clocks that differ by a little make, counts as
// that slice.
func advance(w schema.RateWindow, slice int64) schema.RateWindow {
	passed := slice - w.Slice
	if passed <= 0 {
		return w
	}
	moved := schema.RateWindow{Slice: slice, Counts: make([]int, min(passed, slicesCounted), slicesCounted)}
	for _, n := range w.Counts {
		if len(moved.Counts) < slicesCounted {
			moved.Counts = append(moved.Counts, n)
		}
	}
	return moved
}

// add counts a call in the newest slice.
func add(w schema.RateWindow) schema.RateWindow {
	w.Counts = slices.Clone(w.Counts)
	if len(w.Counts) == 0 {
		w.Counts = []int{0}
	}
	w.Counts[0]++
	return w
}

// total is the number of calls that count.
func total(w schema.RateWindow) (n int) {
	for _, count := range w.Counts {
		n += count
	}
	return n
}

// freedAt is when enough calls will have left the window for fewer than so many
// to count.
func freedAt(w schema.RateWindow, fewer int, window time.Duration) time.Time {
	left := total(w)
	for age := len(w.Counts) - 1; age >= 0; age-- {
		if left -= w.Counts[age]; left < fewer {
			return startOf(w.Slice-int64(age)+slicesCounted, window)
		}
	}
	return startOf(w.Slice+slicesCounted, window)
}
