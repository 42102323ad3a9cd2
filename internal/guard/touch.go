package guard

import (
	"context"
	"sync"

	"entgo.io/ent"
)

// Touched is one entity that a mutation changed.
type Touched struct {
	Type string // the entity's type name, such as "Device"
	ID   string
	Op   string // CREATE, UPDATE or DELETE
}

// Trail collects what a mutation changes, for its system-log event.
type Trail struct {
	mu      sync.Mutex
	touched []Touched
}

// Touched lists the changed entities in order, each once.
func (t *Trail) Touched() []Touched {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Touched(nil), t.touched...)
}

func (t *Trail) add(e Touched) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, known := range t.touched {
		if known.Type == e.Type && known.ID == e.ID {
			return
		}
	}
	t.touched = append(t.touched, e)
}

type trailKey struct{}

// WithTrail returns a context whose mutations are collected.
func WithTrail(ctx context.Context) (context.Context, *Trail) {
	t := &Trail{}
	return context.WithValue(ctx, trailKey{}, t), t
}

// WithoutTrail returns a context whose mutations are not collected: the
// frame's own bookkeeping is not what the caller did.
func WithoutTrail(ctx context.Context) context.Context {
	return context.WithValue(ctx, trailKey{}, (*Trail)(nil))
}

// Record adds every changed entity to the context's trail.
func Record(next ent.Mutator) ent.Mutator {
	return ent.MutateFunc(func(ctx context.Context, m ent.Mutation) (ent.Value, error) {
		trail, _ := ctx.Value(trailKey{}).(*Trail)
		if trail == nil {
			return next.Mutate(ctx, m)
		}
		var deleted []string
		lister, canList := m.(interface {
			IDs(context.Context) ([]string, error)
		})
		if canList && !m.Op().Is(ent.OpCreate) {
			// Listed beforehand: afterwards the rows may be gone or match no longer.
			ids, err := lister.IDs(ctx)
			if err != nil {
				return nil, err
			}
			deleted = ids
		}
		value, err := next.Mutate(ctx, m)
		if err != nil {
			return nil, err
		}
		if one, ok := m.(interface{ ID() (string, bool) }); ok && m.Op().Is(ent.OpCreate) {
			if id, exists := one.ID(); exists {
				trail.add(Touched{Type: m.Type(), ID: id, Op: "CREATE"})
			}
		}
		op := "UPDATE"
		if m.Op().Is(ent.OpDelete | ent.OpDeleteOne) {
			op = "DELETE"
		}
		for _, id := range deleted {
			trail.add(Touched{Type: m.Type(), ID: id, Op: op})
		}
		return value, nil
	})
}
