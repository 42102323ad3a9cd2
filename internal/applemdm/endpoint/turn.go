package endpoint

import "sync"

// maxTurns is how many requests of one identity are worked on at a time. A
// device makes one, and one more for each person who is signed in. Each can
// take a second of a processor, and have the server hold [plist.MaxBody] and
// what is read from it.
const maxTurns = 4

// turns counts the requests that are worked on, by identity.
type turns struct {
	mu    sync.Mutex
	taken map[string]int
}

// take counts a request in, unless there are as many as there may be.
func (t *turns) take(fingerprint string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taken[fingerprint] == maxTurns {
		return false
	}
	t.taken[fingerprint]++
	return true
}

// give counts it out.
func (t *turns) give(fingerprint string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taken[fingerprint]--; t.taken[fingerprint] == 0 {
		delete(t.taken, fingerprint)
	}
}
