package isolation_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/schema"
)

// A row's edges cannot be led into another tenant afterwards.
func TestLeadingEdgesAway(t *testing.T) {
	eachWall(t, func(t *testing.T, w *world, p *prober) {
		before := w.snapshot(t)
		for _, e := range w.guarded() {
			own, _ := w.split(p.scope, e.table.Name)
			for _, mine := range own {
				for column, target := range edgesOf(e.table) {
					update := call(e.of(p.client), "UpdateOneID", mine.id)[0].Interface()
					set, mutable := setter(update, column)
					if !mutable {
						continue
					}
					for _, r := range w.rows {
						crosses := r.provider != mine.provider ||
							w.class[e.table.Name] == database.Organization && w.class[target] == database.Organization && r.organization != mine.organization
						if r.table != target || !crosses {
							continue
						}
						p.counts["lead away"]++
						set.Call([]reflect.Value{reflect.ValueOf(r.id)})
						if _, err := result(call(update, "Save", p.ctx)); err == nil {
							t.Errorf("%s of %s %s leads to %s (%s)", column, e.name, mine.id, r.id, r.canary)
						}
					}
				}
				p.adopt(t, e, mine)
			}
		}
		w.unchanged(t, before, "an edge led away", func(row) bool { return true })
	})
}

// adopt tries to take another tenant's rows in from the far side of an edge.
func (p *prober) adopt(t *testing.T, e entity, mine row) {
	t.Helper()
	_, isOwn := e.of(p.client).Type().MethodByName("UpdateOneID")
	if !isOwn {
		t.Fatalf("%s has no UpdateOneID", e.name)
	}
	update := call(e.of(p.client), "UpdateOneID", mine.id)[0]
	for i := range update.NumMethod() {
		name := update.Type().Method(i).Name
		if !strings.HasPrefix(name, "Add") || !strings.HasSuffix(name, "IDs") {
			continue
		}
		for _, r := range p.world.rows {
			if r.provider == mine.provider {
				continue
			}
			p.counts["adopt"]++
			one := call(e.of(p.client), "UpdateOneID", mine.id)[0]
			call(one, name, r.id)
			_, err := result(call(one, "Save", p.ctx))
			t.Logf("%s.%s(%s): %v", e.name, name, r.table, err) // what counts is that nothing changed
		}
	}
}

// Changing or deleting everything there is leaves what is out of reach alone.
func TestChangingEverything(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		counts := tally{}
		for _, wall := range walls(engine) {
			for i := range 5 { // viewpoints, each with a world of its own
				w := newWorld(t, testdb.New(t, engine))
				v := w.viewpoints()[i]
				t.Run(wall.name+"/"+v.name, func(t *testing.T) {
					p := &prober{
						world: w, wall: wall, scope: v.scope, counts: counts,
						client: wall.client(w.db, v.scope), ctx: wall.enter(t.Context(), v.scope),
					}
					p.everything(t)
				})
			}
		}
		counts.log(t)
	})
}

func (p *prober) everything(t *testing.T) {
	t.Helper()
	w := p.world
	before := w.snapshot(t)
	outside := func(r row) bool { return !w.visible(p.scope, r) }
	bulk := func(e entity, how, method string) {
		t.Helper()
		own, _ := w.split(p.scope, e.table.Name)
		p.counts[how]++
		n, err := result(call(call(e.of(p.client), how)[0], method, p.ctx))
		appendOnly := slices.Contains(schema.AppendOnly(), e.table.Name)
		switch {
		case err != nil && !appendOnly:
			t.Errorf("%s of every %s: %v", how, e.name, err)
		case err == nil && n != len(own):
			t.Errorf("%s of every %s changed %v rows, want %d", how, e.name, n, len(own))
		}
	}
	for _, e := range w.guarded() {
		bulk(e, "Update", "Save")
	}
	w.unchanged(t, before, "Update", outside)
	// First what belongs to organizations; what belongs to the provider takes
	// with it what hangs on it in every organization.
	var ofProvider []entity
	for _, e := range slices.Backward(w.guarded()) {
		switch w.class[e.table.Name] {
		case database.Organization:
			bulk(e, "Delete", "Exec")
		default:
			ofProvider = append(ofProvider, e)
		}
	}
	w.unchanged(t, before, "Delete", outside)
	for _, e := range ofProvider {
		p.counts["Delete"]++
		if _, err := result(call(call(e.of(p.client), "Delete")[0], "Exec", p.ctx)); err != nil {
			t.Logf("Delete of every %s: %v", e.name, err) // still in use elsewhere
		}
	}
	w.unchanged(t, before, "Delete", func(r row) bool { return r.provider != p.scope.Provider() })
}
