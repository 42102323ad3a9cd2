package desk

import (
	"sync"
	"time"
)

// Limit counts calls by the minute, for each key of its own. The zero value has
// counted none; it is safe for concurrent use.
type Limit struct {
	mu      sync.Mutex
	windows map[string]window
}

// window counts the calls of one key in the minute from start.
type window struct {
	start time.Time
	calls int
}

// Allow counts a call, and says how long to wait if that is more than a minute
// may have; 0 allows any number.
func (l *Limit) Allow(key string, perMinute int, now time.Time) (wait time.Duration, ok bool) {
	if perMinute <= 0 {
		return 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	w, known := l.windows[key]
	if !known || now.Sub(w.start) >= time.Minute {
		l.expire(now)
		w = window{start: now}
	}
	w.calls++
	l.windows[key] = w
	return w.start.Add(time.Minute).Sub(now), w.calls <= perMinute
}

// expire forgets what is over.
func (l *Limit) expire(now time.Time) {
	if l.windows == nil {
		l.windows = map[string]window{}
	}
	for key, old := range l.windows {
		if now.Sub(old.start) >= time.Minute {
			delete(l.windows, key)
		}
	}
}
