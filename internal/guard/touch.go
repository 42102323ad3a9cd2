package guard

import (
	"context"
	"reflect"
	"sync"

	"entgo.io/ent"
)

// Touched is one entity that a mutation changed.
type Touched struct {
	Type string // the entity's type name, such as "Device"
	ID   string
	Op   string // CREATE, UPDATE or DELETE
	// Organization is where it is; empty for what belongs to none, or where that
	// is not known.
	Organization string
}

// mutation is what generated mutations offer beyond ent's own interface.
type mutation interface {
	ID() (string, bool)
	IDs(context.Context) ([]string, error)
}

// placed is a mutation of an entity that has an organization.
type placed interface {
	Places(context.Context) ([]string, error)
}

// Trail collects what a mutation changes, for its system-log event.
type Trail struct {
	mu      sync.Mutex
	touched []Touched
	known   map[[2]string]bool // by type and id
}

// Touched lists the changed entities in order, each once.
func (t *Trail) Touched() []Touched {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Touched(nil), t.touched...)
}

func (t *Trail) add(e Touched, organizations ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(organizations) == 1 {
		e.Organization = organizations[0]
	}
	if key := [2]string{e.Type, e.ID}; !t.known[key] {
		if t.known == nil {
			t.known = map[[2]string]bool{}
		}
		t.known[key] = true
		t.touched = append(t.touched, e)
	}
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

// Touch adds an entity to the context's trail, if it has one, for a change that
// was made under another context.
func Touch(ctx context.Context, e Touched) {
	if trail, _ := ctx.Value(trailKey{}).(*Trail); trail != nil {
		trail.add(e)
	}
}

// Record adds every changed entity to the context's trail.
func Record(next ent.Mutator) ent.Mutator {
	return ent.MutateFunc(func(ctx context.Context, m ent.Mutation) (ent.Value, error) {
		trail, _ := ctx.Value(trailKey{}).(*Trail)
		generated, ok := m.(mutation)
		if trail == nil || !ok {
			return next.Mutate(ctx, m)
		}
		if m.Op().Is(ent.OpCreate) {
			value, err := next.Mutate(ctx, m)
			if id, exists := generated.ID(); err == nil && exists {
				trail.add(Touched{Type: m.Type(), ID: id, Op: "CREATE"}, organizationOf(value, m)...)
			}
			return value, err
		}
		// Listed beforehand: afterwards the rows may be gone or match no longer.
		ids, err := generated.IDs(ctx)
		if err != nil {
			return nil, err
		}
		op, organizations := "UPDATE", []string(nil)
		if m.Op().Is(ent.OpDelete | ent.OpDeleteOne) {
			op = "DELETE"
		}
		if in, ok := m.(placed); ok && !m.Op().Is(ent.OpUpdateOne) {
			if organizations, err = in.Places(ctx); err != nil {
				return nil, err
			}
		}
		value, err := next.Mutate(ctx, m)
		if err != nil {
			return nil, err
		}
		if m.Op().Is(ent.OpUpdateOne) {
			organizations = organizationOf(value, m)
		}
		for _, id := range ids {
			if m.Type() == "Organization" {
				organizations = []string{id}
			}
			trail.add(Touched{Type: m.Type(), ID: id, Op: op}, organizations...)
		}
		return value, nil
	})
}

// organizationOf is where an entity is that was created or updated, read off
// what was returned or set, so that it costs no statement.
func organizationOf(value ent.Value, m ent.Mutation) []string {
	if id, ok := m.Field(OrganizationColumn); ok {
		if text, ok := id.(string); ok {
			return []string{text}
		}
	}
	v := reflect.Indirect(reflect.ValueOf(value))
	if v.Kind() != reflect.Struct {
		return nil
	}
	if m.Type() == "Organization" {
		return []string{v.FieldByName("ID").String()}
	}
	f := v.FieldByName("OrganizationID")
	if f.Kind() == reflect.Pointer {
		f = f.Elem()
	}
	if f.Kind() != reflect.String || f.Len() == 0 {
		return nil
	}
	return []string{f.String()}
}
