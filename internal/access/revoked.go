package access

import (
	"context"
	"time"

	"github.com/bailiwick/bailiwick/internal/event"
)

// renewInterval is how often a stream's credential is looked at again when no
// event says so: an access token expires without one.
const renewInterval = 30 * time.Second

// Revoked returns a channel that is closed once the credential of the
// context's caller no longer holds, for a stream that outlives its request. It
// watches until the context ends; without a caller it is never closed.
func (s *Service) Revoked(ctx context.Context) <-chan struct{} {
	caller, err := From(ctx)
	if err != nil {
		return nil
	}
	over := make(chan struct{})
	changes := s.config.Bus.Subscribe(ctx, event.AccessChanged, func(e event.Event) bool {
		return e.Provider == caller.ProviderID()
	})
	go func() {
		tick := time.NewTicker(renewInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-changes:
			case <-tick.C:
			}
			if ctx.Err() != nil {
				return
			}
			if _, err := caller.Renew(ctx); err != nil {
				close(over)
				return
			}
		}
	}()
	return over
}
