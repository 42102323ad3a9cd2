package isolation_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"entgo.io/ent/dialect/sql"
	entschema "entgo.io/ent/dialect/sql/schema"
	"entgo.io/ent/dialect/sql/sqlgraph"
	"entgo.io/ent/schema/field"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/database"
)

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
	if sqlgraph.IsUniqueConstraintError(err) {
		return // the tenant has one already, and the index is met after the walls
	}
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

// oneOfItsKind reports whether a unique index goes by tenant and edges alone, so
// that the row which a probe makes up has a twin already.
func oneOfItsKind(table *entschema.Table) bool {
	edges := edgesOf(table)
	return slices.ContainsFunc(table.Indexes, func(i *entschema.Index) bool {
		return i.Unique && !slices.ContainsFunc(i.Columns, func(c *entschema.Column) bool {
			_, edge := edges[c.Name]
			return !edge && c.Name != "organization_id" && c.Type != field.TypeEnum
		})
	})
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
		case sqlgraph.IsUniqueConstraintError(err) && oneOfItsKind(e.table):
			// Met before the key, which TestForeignKeys tries without what is in the way.
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
