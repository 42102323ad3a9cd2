package isolation_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Without a scope nothing is done at all, on entities of every class.
func TestNoScope(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		w := newWorld(t, testdb.New(t, engine))
		counts := tally{}
		for _, wall := range walls(engine)[:2] { // those that begin with the guard
			client := wall.client(w.db, tenancy.Scope{})
			entities := w.guarded()
			if wall.name == "all" {
				entities = w.entities // there the driver refuses the others
			}
			for _, e := range entities {
				for name, ctx := range map[string]context.Context{
					"none": t.Context(), "zero": tenancy.With(t.Context(), tenancy.Scope{}),
					"no provider": tenancy.With(t.Context(), tenancy.ForProvider(tester, "")),
				} {
					builder, err := w.create(e, client, "none", w.parents(e, w.acme, w.acme.organizations[0]))
					if err != nil {
						t.Fatal(err)
					}
					for how, out := range map[string][]reflect.Value{
						"All":    call(e.query(client), "All", ctx),
						"Count":  call(e.query(client), "Count", ctx),
						"Create": call(builder, "Save", ctx),
						"Update": call(call(e.of(client), "Update")[0], "Save", ctx),
						"Delete": call(call(e.of(client), "Delete")[0], "Exec", ctx),
						"Get":    call(e.of(client), "Get", ctx, w.find(e.table.Name, w.acme.provider, "")),
					} {
						counts[how]++
						if _, err := result(out); !errors.Is(err, tenancy.ErrNoScope) {
							t.Errorf("%s of %s under scope %s: %v", how, e.name, name, err)
						}
					}
				}
			}
		}
		counts.log(t)
	})
}
