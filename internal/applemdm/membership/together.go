package membership

import (
	"context"
	"errors"

	"github.com/bailiwick/bailiwick/internal/batch"
	"github.com/bailiwick/bailiwick/internal/database"
)

// lanes is how many batches of a provider's devices that enrol are under way at a
// time: a second would halve them.
const lanes = 1

// newGroup works requests of a provider's devices together. Whoever's batch was
// undone is worked again by itself, the way of those that cannot be worked
// together.
func newGroup[I, O any](work func(ctx context.Context, provider string, items []I) ([]batch.Outcome[O], error)) (*batch.Group[I, O], error) {
	return batch.New(batch.Config[I, O]{Work: work, Lanes: lanes})
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
