package membership

import (
	"context"
	"errors"
	"time"

	"github.com/bailiwick/bailiwick/internal/batch"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Devices of one provider that enrol at once are worked together.
const (
	mostTogether    = 64
	lanesTogether   = 1 // a second would halve the batches
	patience        = 100 * time.Millisecond
	mostLanes       = 4 // when batches wait for a lock
	timeoutTogether = 30 * time.Second
)

// newGroup works requests of a provider's devices together. Whoever's batch was
// undone is worked again by itself, the way of those that cannot be worked
// together.
func newGroup[I, O any](work func(ctx context.Context, provider string, items []I) ([]batch.Outcome[O], error)) (*batch.Group[I, O], error) {
	return batch.New(batch.Config[I, O]{Work: work, Most: mostTogether, Lanes: lanesTogether, Patience: patience, MostLanes: mostLanes, Timeout: timeoutTogether})
}

// undone reports whether nothing has come of a batch, so that its requests are
// worked alone. One who is overtaken is nothing unusual.
func (s *Service) undone(ctx context.Context, err error) bool {
	if !database.Undone(err) {
		return false
	}
	if !errors.Is(err, errOvertaken) {
		s.Logger.InfoContext(ctx, "devices that came together are worked alone", "error", err)
	}
	return true
}

// resident is a device's message that can be worked together with those of other
// organizations, and so carries its own.
type resident interface{ tenant() string }

// among returns a context in which the organizations of a provider are in reach
// that messages are for, and no other.
func among[I resident](ctx context.Context, provider string, items []I) context.Context {
	organizations := make([]string, len(items))
	for i, item := range items {
		organizations[i] = item.tenant()
	}
	return tenancy.With(ctx, tenancy.ForOrganizations(tenancy.ServicePrincipal("device"), provider, organizations...))
}
