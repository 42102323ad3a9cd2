package ticket

import (
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// recent keeps what was lately read of a vendor, for each of so many
// integrations. Whoever asks it has fetched the integration under the caller's
// scope. It is safe for concurrent use.
type recent[V any] struct {
	cache *lru.Cache[string, reading[V]]
	age   time.Duration // how long a reading is believed
	clock func() time.Time
}

type reading[V any] struct {
	value V
	at    time.Time
}

// remembered is how many integrations' readings are kept.
const remembered = 256

func newRecent[V any](age time.Duration, clock func() time.Time) (*recent[V], error) {
	cache, err := lru.New[string, reading[V]](remembered)
	if err != nil {
		return nil, fmt.Errorf("ticket: memory of readings: %w", err)
	}
	return &recent[V]{cache: cache, age: age, clock: clock}, nil
}

func (r *recent[V]) get(key string) (value V, fresh bool) {
	have, ok := r.cache.Get(key)
	if !ok || r.clock().Sub(have.at) > r.age {
		return value, false
	}
	return have.value, true
}

func (r *recent[V]) put(key string, value V) { r.cache.Add(key, reading[V]{value, r.clock()}) }

func (r *recent[V]) forget(key string) { r.cache.Remove(key) }
