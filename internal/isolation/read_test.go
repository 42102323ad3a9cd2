package isolation_test

import (
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
