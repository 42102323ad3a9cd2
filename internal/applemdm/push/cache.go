package push

import (
	"crypto/tls"
	"sync"
)

// cache keeps the clients used last. One that falls out closes its connection
// once nothing is on its way on it; those in use fall out last.
type cache struct {
	config Config

	mu      sync.Mutex
	clients map[identity]*client
	uses    uint64    // counts up, to tell which client was used last
	idle    []*client // fallen out and unused, to be closed outside the lock
}

func newCache(config Config) *cache {
	return &cache{config: config, clients: map[identity]*client{}}
}

// acquire returns the client of a certificate. It is in use until released.
func (c *cache) acquire(id identity, certificate tls.Certificate) *client {
	c.mu.Lock()
	defer c.unlock()
	found, ok := c.clients[id]
	if !ok {
		if len(c.clients) >= c.config.Clients {
			c.retire(c.oldest())
		}
		found = newClient(c.config, id, certificate)
		c.clients[id] = found
	}
	c.uses++
	found.used = c.uses
	found.users++
	return found
}

func (c *cache) release(used *client) {
	c.mu.Lock()
	defer c.unlock()
	used.users--
	if used.retired && used.users == 0 {
		c.idle = append(c.idle, used)
	}
}

func (c *cache) forget(tenant string) {
	c.mu.Lock()
	defer c.unlock()
	for id, known := range c.clients {
		if id.tenant == tenant {
			c.retire(known)
		}
	}
}

func (c *cache) purge() {
	c.mu.Lock()
	defer c.unlock()
	for _, known := range c.clients {
		c.retire(known)
	}
}

// oldest returns the client to go next. Looking at all of them is cheap beside
// the handshake that follows.
func (c *cache) oldest() *client {
	var oldest *client
	for _, known := range c.clients {
		switch {
		case oldest == nil:
			oldest = known
		case (known.users == 0) != (oldest.users == 0):
			if known.users == 0 {
				oldest = known
			}
		case known.used < oldest.used:
			oldest = known
		}
	}
	return oldest
}

// retire is called with the lock held.
func (c *cache) retire(known *client) {
	delete(c.clients, known.id)
	known.retired = true
	if known.users == 0 {
		c.idle = append(c.idle, known)
	}
}

// unlock releases the lock and closes what was retired under it.
func (c *cache) unlock() {
	idle := c.idle
	c.idle = nil
	c.mu.Unlock()
	for _, known := range idle {
		known.close()
	}
}
