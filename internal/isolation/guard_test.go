package isolation_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/sqlgraph"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Every way to read an entity answers exactly the rows of the scope.
func TestReading(t *testing.T) {
	eachWall(t, func(t *testing.T, w *world, p *prober) {
		for _, e := range w.guarded() {
			own, foreign := w.split(p.scope, e.table.Name)
			p.lists(t, e, own)
			p.eager(t, e)
			for _, r := range foreign {
				p.missing(t, e, r)
			}
			for _, r := range own {
				p.present(t, e, r)
			}
		}
	})
}

func (p *prober) lists(t *testing.T, e entity, own []row) {
	t.Helper()
	want := make([]string, 0, len(own))
	for _, r := range own {
		want = append(want, r.id)
	}
	slices.Sort(want)
	same := func(how string, got []string) {
		t.Helper()
		p.counts["list"]++
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s of %s answers %v, want %v", how, e.name, got, want)
		}
	}
	fresh := func() any { return e.query(p.client) }
	all, err := result(call(fresh(), "All", p.ctx))
	if err != nil {
		t.Fatalf("%s: %v", e.name, err)
	}
	same("All", idsOf(all))
	if leaked := p.world.leaks(p.scope, p.edgesText(all)); len(leaked) > 0 {
		t.Errorf("All of %s shows %v", e.name, leaked)
	}
	list, err := result(call(fresh(), "IDs", p.ctx))
	if err != nil {
		t.Fatal(err)
	}
	same("IDs", list.([]string))
	for _, how := range []string{"Select", "GroupBy"} {
		narrowed := call(fresh(), how, "id")[0]
		if list, err = result(call(narrowed, "Strings", p.ctx)); err != nil {
			t.Fatal(err)
		}
		same(how, list.([]string))
	}
	p.counts["count"] += 2
	if n, err := result(call(fresh(), "Count", p.ctx)); err != nil || n != len(want) {
		t.Errorf("Count of %s answers %v (%v), want %d", e.name, n, err, len(want))
	}
	if is, err := result(call(fresh(), "Exist", p.ctx)); err != nil || is != (len(want) > 0) {
		t.Errorf("Exist of %s answers %v (%v)", e.name, is, err)
	}
}

func idsOf(nodes any) []string {
	v := reflect.ValueOf(nodes)
	ids := make([]string, 0, v.Len())
	for i := range v.Len() {
		ids = append(ids, v.Index(i).Elem().FieldByName("ID").String())
	}
	return ids
}

// eager loads every edge at once, and follows every edge of each row.
func (p *prober) eager(t *testing.T, e entity) {
	t.Helper()
	query := e.query(p.client)
	typ := reflect.TypeOf(query)
	for i := range typ.NumMethod() {
		m := typ.Method(i)
		if strings.HasPrefix(m.Name, "With") && m.Type.IsVariadic() && m.Type.NumIn() == 2 {
			p.counts["eager load"]++
			call(query, m.Name)
		}
	}
	nodes, err := result(call(query, "All", p.ctx))
	if err != nil {
		t.Fatalf("eager loads of %s: %v", e.name, err)
	}
	if leaked := p.world.leaks(p.scope, p.edgesText(nodes)); len(leaked) > 0 {
		t.Errorf("eager loads of %s show %v", e.name, leaked)
	}
	list := reflect.ValueOf(nodes)
	for i := range list.Len() {
		node := list.Index(i)
		for m := range node.Type().NumMethod() {
			name := node.Type().Method(m).Name
			if !strings.HasPrefix(name, "Query") || node.Type().Method(m).Type.NumIn() != 1 {
				continue
			}
			p.counts["followed edge"]++
			found, err := result(call(call(node, name)[0], "All", p.ctx))
			if err != nil {
				t.Fatalf("%s of %s: %v", name, e.name, err)
			}
			if leaked := p.world.leaks(p.scope, p.edgesText(found)); len(leaked) > 0 {
				t.Errorf("%s of %s shows %v", name, e.name, leaked)
			}
		}
	}
}

// edgesText is what entities show, without the ids that they hold themselves:
// an edge may lead to an object of the provider's that is another
// organization's, and then only the id is seen.
func (p *prober) edgesText(nodes any) string {
	content := text(nodes)
	for _, e := range p.world.entities {
		if c := p.world.class[e.table.Name]; c != database.Provider && c != database.Organization && c != database.Shared {
			continue
		}
		for column, target := range edgesOf(e.table) {
			if p.world.class[target] != database.Shared {
				continue
			}
			for _, r := range p.world.rows {
				if r.table == target && r.provider == p.scope.Provider() {
					content = strings.ReplaceAll(content, fmt.Sprintf("%q:%q", column, r.id), "")
					content = strings.ReplaceAll(content, column+"="+r.id, "")
				}
			}
		}
	}
	return content
}

// missing tries a row out of reach by its id.
func (p *prober) missing(t *testing.T, e entity, r row) {
	t.Helper()
	p.counts["get"] += 5
	if _, err := result(call(e.of(p.client), "Get", p.ctx, r.id)); !ent.IsNotFound(err) {
		t.Errorf("Get of %s %s (%s): %v", e.name, r.id, r.canary, err)
	}
	if there, err := p.client.Exists(p.ctx, r.table, r.id); there || err != nil {
		t.Errorf("Exists of %s %s answers %v (%v)", e.name, r.id, there, err)
	}
	if n, err := p.client.Noder(p.ctx, r.id, ent.WithFixedNodeType(r.table)); err == nil {
		t.Errorf("Noder of %s answers %v", r.id, n)
	}
	if nodes, err := p.client.Noders(p.ctx, []string{r.id}, ent.WithFixedNodeType(r.table)); err == nil && len(nodes) > 0 && nodes[0] != nil {
		t.Errorf("Noders of %s answers %v", r.id, nodes)
	}
	if fetch := e.of(p.client).MethodByName("Fetch"); fetch.IsValid() {
		if _, err := result(call(e.of(p.client), "Fetch", p.ctx, r.id)); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("Fetch of %s: %v", r.id, err)
		}
	}
	query := e.query(p.client)
	query.(guard.Predicator).WhereP(func(s *sql.Selector) { s.Where(sql.Or(sql.EQ(s.C("id"), r.id), sql.ExprP("1 = 1"))) })
	nodes, err := result(call(query, "All", p.ctx))
	if err != nil || slices.Contains(idsOf(nodes), r.id) {
		t.Errorf("a predicate that always holds finds %s %s (%v)", e.name, r.id, err)
	}
}

// present holds the probes to account: what is in reach is found by the same means.
func (p *prober) present(t *testing.T, e entity, r row) {
	t.Helper()
	p.counts["own"]++
	if _, err := result(call(e.of(p.client), "Get", p.ctx, r.id)); err != nil {
		t.Errorf("Get of one's own %s: %v", e.name, err)
	}
	if there, err := p.client.Exists(p.ctx, r.table, r.id); !there || err != nil {
		t.Errorf("Exists of one's own %s answers %v (%v)", e.name, there, err)
	}
}

// A predicate on an edge gets no interceptor. It can tell nothing about
// another tenant all the same, because no edge leads there.
func TestPredicatesOnEdges(t *testing.T) {
	eachWall(t, func(t *testing.T, w *world, p *prober) {
		for _, e := range w.guarded() {
			for column, target := range edgesOf(e.table) {
				if w.class[target] == database.Global {
					continue
				}
				for _, r := range w.rows {
					// A role of one organization may be known to the provider's
					// administrators: within a provider such edges are no secret.
					secret := r.provider != p.scope.Provider() || w.class[target] == database.Organization
					if r.table != target || !secret || w.visible(p.scope, r) {
						continue
					}
					p.counts["has with"]++
					query := e.query(p.client)
					query.(guard.Predicator).WhereP(func(s *sql.Selector) {
						step := sqlgraph.NewStep(sqlgraph.From(e.table.Name, "id"), sqlgraph.To(target, "id"),
							sqlgraph.Edge(sqlgraph.M2O, false, e.table.Name, column))
						sqlgraph.HasNeighborsWith(s, step, func(s *sql.Selector) { s.Where(sql.EQ(s.C("id"), r.id)) })
					})
					if n, err := result(call(query, "Count", p.ctx)); err != nil || n != 0 {
						t.Errorf("%v of %s have the %s %s (%v)", n, e.name, column, r.id, err)
					}
				}
			}
			for _, child := range w.guarded() {
				for column, target := range edgesOf(child.table) {
					if target != e.table.Name {
						continue
					}
					for _, r := range w.rows {
						if r.table != child.table.Name || r.provider == p.scope.Provider() {
							continue
						}
						p.counts["has with"]++
						query := e.query(p.client)
						query.(guard.Predicator).WhereP(func(s *sql.Selector) {
							step := sqlgraph.NewStep(sqlgraph.From(e.table.Name, "id"), sqlgraph.To(child.table.Name, "id"),
								sqlgraph.Edge(sqlgraph.O2M, true, child.table.Name, column))
							sqlgraph.HasNeighborsWith(s, step, func(s *sql.Selector) { s.Where(sql.EQ(s.C("id"), r.id)) })
						})
						if n, err := result(call(query, "Count", p.ctx)); err != nil || n != 0 {
							t.Errorf("%v of %s are the %s of %s (%v)", n, e.name, column, r.id, err)
						}
					}
				}
			}
		}
	})
}

// No change reaches a row outside the scope, and none is created there.
func TestWriting(t *testing.T) {
	eachWall(t, func(t *testing.T, w *world, p *prober) {
		before := w.snapshot(t)
		for _, e := range w.guarded() {
			_, foreign := w.split(p.scope, e.table.Name)
			for _, r := range foreign {
				p.changes(t, e, r)
			}
			p.creates(t, e)
		}
		w.unchanged(t, before, "a refused change", func(row) bool { return true })
		sameCount(t, before, w.snapshot(t), "a refused creation")
		for _, e := range w.guarded() {
			p.createsAtHome(t, e)
		}
	})
}

// createsAtHome holds the refusals to account: the same row, with nothing of
// another tenant in it, is created.
func (p *prober) createsAtHome(t *testing.T, e entity) {
	t.Helper()
	w, organization := p.world, p.world.acme.organizations[0]
	switch class := w.class[e.table.Name]; {
	case p.scope.Provider() != w.acme.provider, class == database.RootProvider, class == database.RootOrganization && !p.scope.All():
		return
	case !p.scope.All() && !p.scope.Reaches(organization):
		if class == database.Organization {
			return
		}
		organization = ""
	}
	p.counts["own"]++
	builder, err := w.create(e, p.client, fmt.Sprintf("created-%d", p.counts["own"]), w.others(e, w.acme, organization))
	if err != nil {
		t.Fatal(err)
	}
	id, err := save(p.ctx, builder)
	if err != nil {
		t.Errorf("one's own %s cannot be created: %v", e.name, err)
	}
	// Another viewpoint creates it again.
	if _, err := w.db.System().ExecContext(t.Context(), `DELETE FROM "`+e.table.Name+`" WHERE id = $1`, id); err != nil {
		t.Fatal(err)
	}
}

func (p *prober) changes(t *testing.T, e entity, r row) {
	t.Helper()
	refused := func(how string, err error) {
		t.Helper()
		p.counts["change"]++
		if err == nil {
			t.Errorf("%s of %s %s (%s) went through", how, e.name, r.id, r.canary)
		}
	}
	update := call(e.of(p.client), "UpdateOneID", r.id)[0].Interface()
	for _, column := range e.table.Columns {
		if set, ok := setter(update, column.Name); ok && column.Name != "updated_at" {
			if value, err := make1(set.Type().In(0), column, "changed"); err == nil {
				set.Call([]reflect.Value{value})
			}
		}
	}
	_, err := result(call(update, "Save", p.ctx))
	refused("UpdateOneID", err)
	_, err = result(call(call(e.of(p.client), "DeleteOneID", r.id)[0], "Exec", p.ctx))
	refused("DeleteOneID", err)

	only := func(s *sql.Selector) { s.Where(sql.EQ(s.C("id"), r.id)) }
	for _, how := range []string{"Update", "Delete"} {
		p.counts["change"]++
		bulk := call(e.of(p.client), how)[0]
		where := bulk.MethodByName("Where")
		where.Call([]reflect.Value{reflect.ValueOf(only).Convert(where.Type().In(0).Elem())})
		method := "Exec"
		if how == "Update" {
			method = "Save"
		}
		// An append-only table refuses it outright.
		if n, err := result(call(bulk, method, p.ctx)); err == nil && n != 0 {
			t.Errorf("%s of %s %s (%s) changed %v rows", how, e.name, r.id, r.canary, n)
		}
	}
}

// creates tries to create rows in another tenant, and with edges into one.
func (p *prober) creates(t *testing.T, e entity) {
	t.Helper()
	w := p.world
	try := func(what string, values map[string]any) {
		t.Helper()
		p.counts["create"] += 2
		switch err := p.create(t, e, what, values); {
		case err == nil:
			t.Errorf("a %s with %s was created", e.name, what)
		case sqlgraph.IsUniqueConstraintError(err), ent.IsValidationError(err):
			t.Errorf("a %s with %s was refused, but not for that: %v", e.name, what, err)
		}
	}
	home := w.others(e, w.acme, w.acme.organizations[0])
	if w.class[e.table.Name] == database.Shared && len(p.scope.Organizations()) == 0 && !p.scope.All() {
		delete(home, "organization_id")
	}
	with := func(column string, value any) map[string]any {
		values := map[string]any{column: value}
		for k, v := range home {
			if k != column {
				values[k] = v
			}
		}
		return values
	}
	if _, ok := e.table.Column("provider_id"); ok {
		try("another provider", with("provider_id", w.bolt.provider))
	}
	if _, ok := e.table.Column("organization_id"); ok {
		for _, o := range w.rows {
			if o.table == "organizations" && !w.visible(p.scope, o) {
				try("another organization", with("organization_id", o.id))
				values := w.others(e, w.bolt, o.id)
				if o.provider == w.acme.provider {
					values = w.others(e, w.acme, o.id)
				}
				try("another organization and its edges", values)
			}
		}
	}
	for column, target := range edgesOf(e.table) {
		for _, r := range w.rows {
			crosses := r.provider != w.acme.provider ||
				w.class[e.table.Name] == database.Organization && w.class[target] == database.Organization && r.organization != w.acme.organizations[0]
			if r.table == target && crosses {
				try("the "+column+" of another tenant", with(column, r.id))
			}
		}
	}
}

// create tries it alone and in bulk.
func (p *prober) create(t *testing.T, e entity, what string, values map[string]any) error {
	t.Helper()
	canary := fmt.Sprintf("created-%d", p.counts["create"])
	one, err := p.world.create(e, p.client, canary, values)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := save(p.ctx, one); err == nil {
		return nil
	}
	again, err := p.world.create(e, p.client, canary, values)
	if err != nil {
		t.Fatal(err)
	}
	_, err = result(call(call(e.of(p.client), "CreateBulk", again)[0], "Save", p.ctx))
	if err == nil {
		t.Errorf("%s: %s in bulk", e.name, what)
	}
	return err
}

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
