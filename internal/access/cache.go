package access

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/bailiwick/bailiwick/internal/event"
)

// cache keeps what requests are authenticated and authorized with. An entry
// lives for the TTL at most, and goes at once when an event concerns it.
type cache struct {
	ttl     time.Duration
	clock   func() time.Time
	healthy func() bool

	mu      sync.Mutex
	entries *simplelru.LRU[string, entry]
	// changes counts invalidations. What was read before one is not stored
	// after it: it may be what the invalidation was about.
	changes uint64
}

type entry struct {
	tag     tag
	value   any
	expires time.Time
}

// tag says which events concern an entry.
type tag struct{ provider, id, administrator string }

func newCache(config Config) (*cache, error) {
	entries, err := simplelru.NewLRU[string, entry](config.CacheSize, nil)
	if err != nil {
		return nil, fmt.Errorf("access: cache: %w", err)
	}
	return &cache{ttl: config.CacheTTL, clock: config.Clock, healthy: config.Healthy, entries: entries}, nil
}

// cached answers from the cache, or reads and remembers. While events may be
// missing it only reads.
func cached[T any](ctx context.Context, c *cache, key string, read func(context.Context) (T, tag, error)) (T, error) {
	usable := c.healthy()
	c.mu.Lock()
	found, ok := c.entries.Get(key)
	changes := c.changes
	c.mu.Unlock()
	if value, is := found.value.(T); ok && is && usable && c.clock().Before(found.expires) {
		return value, nil
	}
	value, tag, err := read(ctx)
	if err != nil || !usable {
		return value, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes {
		c.entries.Add(key, entry{tag: tag, value: value, expires: c.clock().Add(c.ttl)})
	}
	return value, nil
}

func (c *cache) invalidate(e event.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	if e.Resync {
		c.entries.Purge()
		return
	}
	for _, key := range c.entries.Keys() {
		if found, _ := c.entries.Peek(key); found.tag.concerns(e) {
			c.entries.Remove(key)
		}
	}
}

func (t tag) concerns(e event.Event) bool {
	return t.provider == e.Provider && (e.ID == "" || e.ID == t.id || e.ID == t.administrator)
}
