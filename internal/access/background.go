package access

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/apikey"
)

const (
	maxChores    = 1024
	choreTimeout = 10 * time.Second
	usedInterval = time.Minute
)

// chore is small work that no request waits for, and that may be lost.
type chore struct {
	name string
	do   func(ctx context.Context) error
}

// Run does the background work until the context ends, then what is still
// queued, and returns nil.
func (s *Service) Run(ctx context.Context) error {
	for {
		select {
		case c := <-s.later:
			s.run(ctx, c)
		case <-ctx.Done():
			for {
				select {
				case c := <-s.later:
					s.run(ctx, c)
				default:
					return nil
				}
			}
		}
	}
}

func (s *Service) run(ctx context.Context, c chore) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), choreTimeout)
	defer cancel()
	if err := c.do(ctx); err != nil {
		s.config.Logger.WarnContext(ctx, "background work of access", "chore", c.name, "error", err)
	}
}

// soon queues a chore; it reports false when too much is queued already.
func (s *Service) soon(c chore) bool {
	select {
	case s.later <- c:
		return true
	default:
		return false
	}
}

// used notes the use of an API key, once a minute.
func (s *Service) used(k *apiKey) {
	now := s.now()
	last := k.lastUsed.Load()
	if now.UnixMicro()-last < usedInterval.Microseconds() || !k.lastUsed.CompareAndSwap(last, now.UnixMicro()) {
		return
	}
	s.soon(chore{"note the use of an API key", func(ctx context.Context) error {
		_, err := s.client.ApiKey.Update().
			Where(apikey.ID(k.id), apikey.Or(apikey.LastUsedAtIsNil(), apikey.LastUsedAtLTE(now.Add(-usedInterval)))).
			SetLastUsedAt(now).
			Save(s.within(ctx, k.provider))
		return err
	}})
}

// lastUse is when a key was last noted as used, in microseconds.
func lastUse(row *ent.ApiKey) *atomic.Int64 {
	at := &atomic.Int64{}
	if row.LastUsedAt != nil {
		at.Store(row.LastUsedAt.UnixMicro())
	}
	return at
}
