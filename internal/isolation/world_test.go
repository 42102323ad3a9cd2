// Package isolation_test tries to get from one tenant into another: for every
// entity by reflection over ent's client, for every table and foreign key by
// the schema and the live catalogue, and for every root field by
// introspection. A new entity, edge or operation is tried without anyone
// adding a test.
//
// Four walls keep tenants apart, and each is tried with the others taken
// down: see [walls] for how.
package isolation_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	entschema "entgo.io/ent/dialect/sql/schema"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// row is one seeded row and whom it belongs to.
type row struct {
	table, id              string
	provider, organization string // organization is empty for the provider as a whole
	canary                 string // begins every text of the row
}

// tenant is a provider with its two organizations.
type tenant struct {
	key           string // acme or bolt
	provider      string
	organizations []string
}

// world is a database with the rows of two providers, of two organizations
// each: every table holds a row of each organization, where its class has
// such, and of each provider as a whole.
type world struct {
	db         *database.DB
	tables     map[string]*entschema.Table // as the database has them
	class      map[string]database.Class
	entities   []entity // parents before children
	acme, bolt tenant
	rows       []row
	serial     int
	// honest worlds hold what the services let in: the provider's own objects
	// lead to no organization's. In others they lead wherever the keys allow.
	honest bool
}

// newWorld seeds a fresh database, and fails if an entity cannot be seeded
// from what its columns say.
func newWorld(t testing.TB, db *database.DB) *world {
	t.Helper()
	w := emptyWorld(t, db)
	w.acme, w.bolt = w.seedTenant(t, tenant{key: "acme"}), w.seedTenant(t, tenant{key: "bolt"})
	return w
}

func emptyWorld(t testing.TB, db *database.DB) *world {
	t.Helper()
	plan, err := database.Bailiwick(db.Dialect())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{db: db, tables: map[string]*entschema.Table{}, class: map[string]database.Class{}}
	for _, table := range plan.Tables {
		w.tables[table.Name] = table
		if w.class[table.Name], err = database.Classify(table, plan.Rules.Global); err != nil {
			t.Fatal(err)
		}
	}
	w.entities = entitiesOf(t, db.Client(), w.tables)
	return w
}

// seedTenant gives a tenant its rows; one that is served has a provider, and
// the rows of no tenant, already.
func (w *world) seedTenant(t testing.TB, tn tenant) tenant {
	t.Helper()
	key, served := tn.key, tn.provider != ""
	if served {
		w.rows = append(w.rows, row{table: "providers", id: tn.provider, provider: tn.provider, canary: "canary-" + key})
	}
	for _, e := range w.entities {
		switch w.class[e.table.Name] {
		case database.Global:
			if !served && key == "acme" { // once: such rows belong to nobody
				w.seed(t, e, tn, "", "canary-none")
			}
		case database.RootProvider:
			if !served {
				tn.provider = w.seed(t, e, tn, "", "canary-"+key)
			}
		case database.RootOrganization:
			for n := 1; n <= 2; n++ {
				id := w.seed(t, e, tn, "", fmt.Sprintf("canary-%s-%d", key, n))
				tn.organizations = append(tn.organizations, id)
			}
		default:
			for n, organization := range tn.organizations {
				w.seed(t, e, tn, organization, fmt.Sprintf("canary-%s-%d", key, n+1))
			}
			if w.class[e.table.Name] != database.Organization {
				w.seed(t, e, tn, "", "canary-"+key+"-p")
			}
		}
	}
	return tn
}

// seed creates one row, and remembers it.
func (w *world) seed(t testing.TB, e entity, tn tenant, organization, canary string) string {
	t.Helper()
	r := row{table: e.table.Name, provider: tn.provider, organization: organization, canary: canary}
	switch w.class[r.table] {
	case database.RootProvider, database.Global:
		r.provider = ""
	case database.Provider:
		r.organization = ""
		if organization != "" {
			// Several rows of one provider, each with the edges of another organization.
			r.canary = fmt.Sprintf("canary-%s-p%d", tn.key, slices.Index(tn.organizations, organization)+1)
		}
	}
	home := organization
	if w.honest && w.class[r.table] == database.Provider {
		home = ""
	}
	builder, err := w.create(e, w.db.Client(), r.canary, w.parents(e, tn, home))
	if err != nil {
		t.Fatalf("%s cannot be seeded from its columns: %v", e.name, err)
	}
	id, err := save(tenancy.System(t.Context(), "seed"), builder)
	if err != nil {
		t.Fatalf("%s cannot be seeded from its columns: %v", e.name, err)
	}
	r.id = id
	switch w.class[r.table] {
	case database.RootProvider:
		r.provider = id
	case database.RootOrganization:
		r.organization = id
	}
	w.rows = append(w.rows, r)
	return id
}

// parents are the values of an entity's tenancy columns and edges, within a
// tenant: of the organization where the target has one there.
func (w *world) parents(e entity, tn tenant, organization string) map[string]any {
	values := map[string]any{}
	if _, ok := e.table.Column("provider_id"); ok {
		values["provider_id"] = tn.provider
	}
	if _, ok := e.table.Column("organization_id"); ok && organization != "" {
		values["organization_id"] = organization
	}
	for column, target := range edgesOf(e.table) {
		if id := w.find(target, tn.provider, organization); id != "" {
			values[column] = id
		}
	}
	return values
}

// others are parents like those of the seeded row, but for the objects of the
// provider as a whole: with these a second row breaks no unique key.
func (w *world) others(e entity, tn tenant, organization string) map[string]any {
	values := w.parents(e, tn, organization)
	for column, target := range edgesOf(e.table) {
		if w.class[target] != database.Provider {
			continue
		}
		i := slices.IndexFunc(w.rows, func(r row) bool { return r.table == target && r.provider == tn.provider })
		values[column] = w.rows[i].id
	}
	return values
}

// find is a row of a table in a tenant: the organization's own if there is
// one, else the newest of the provider.
func (w *world) find(table, provider, organization string) string {
	found := ""
	for _, r := range w.rows {
		if r.table != table || r.provider != provider {
			continue
		}
		found = r.id
		if r.organization == organization {
			return r.id
		}
	}
	return found
}

// edgesOf lists the columns of a table that refer to another table, but for
// those that say whose a row is.
func edgesOf(table *entschema.Table) map[string]string {
	edges := map[string]string{}
	for _, fk := range table.ForeignKeys {
		column := fk.Columns[len(fk.Columns)-1].Name
		if column != "organization_id" && column != "provider_id" {
			edges[column] = fk.RefTable.Name
		}
	}
	return edges
}

// in is a scope over some of acme's organizations.
func (w *world) in(organizations ...string) tenancy.Scope {
	return tenancy.ForOrganizations(tester, w.acme.provider, organizations...)
}

var tester = tenancy.Principal{Kind: tenancy.Administrator, AdministratorID: "adm_tester", Name: "tester"}

// viewpoint is a scope that must reach exactly the rows that it is for.
type viewpoint struct {
	name  string
	scope tenancy.Scope
}

func (w *world) viewpoints() []viewpoint {
	return []viewpoint{
		{"one organization", w.in(w.acme.organizations[0])},
		{"two organizations", w.in(w.acme.organizations...)},
		{"the whole provider", tenancy.ForProvider(tester, w.acme.provider)},
		{"no organization", w.in()},
		{"an unknown provider", tenancy.ForProvider(tester, "prov_unknown")},
	}
}

// visible reports whether a scope is meant to reach a row.
func (w *world) visible(s tenancy.Scope, r row) bool {
	reached := s.All() || s.Reaches(r.organization)
	switch w.class[r.table] {
	case database.Organization, database.RootOrganization:
		return r.provider == s.Provider() && reached
	case database.Shared:
		// What a log holds of the whole provider is for whoever reaches all of it.
		ofProvider := r.organization == "" && !slices.Contains(schema.AppendOnly(), r.table)
		return r.provider == s.Provider() && (ofProvider || reached)
	case database.Provider, database.RootProvider:
		return r.provider == s.Provider()
	default:
		return false
	}
}

// split divides a table's rows into those within a scope, and the others.
func (w *world) split(s tenancy.Scope, table string) (own, foreign []row) {
	for _, r := range w.rows {
		switch {
		case r.table != table:
		case w.visible(s, r):
			own = append(own, r)
		default:
			foreign = append(foreign, r)
		}
	}
	return own, foreign
}

// guarded lists the entities that belong to tenants.
func (w *world) guarded() []entity {
	return slices.DeleteFunc(slices.Clone(w.entities), func(e entity) bool { return w.class[e.table.Name] == database.Global })
}

// snapshot is the content of every seeded table, row by row, as the system
// sees it.
func (w *world) snapshot(t testing.TB) map[string]string {
	t.Helper()
	content := map[string]string{}
	for name := range w.tables {
		rows, err := w.db.System().QueryContext(context.Background(), `SELECT * FROM "`+name+`"`)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values, targets := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				targets[i] = &values[i]
			}
			if err := rows.Scan(targets...); err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			for i, v := range values {
				if b, ok := v.([]byte); ok {
					v = string(b)
				}
				fmt.Fprintf(&text, "%s=%v\n", columns[i], v)
				values[i] = v
			}
			content[name+"/"+fmt.Sprint(values[slices.Index(columns, "id")])] = text.String()
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if err := rows.Close(); err != nil { //nolint:sqlclosecheck // the next table waits for the connection
			t.Fatal(err)
		}
	}
	return content
}

// unchanged fails the test unless every row that keep holds for is as it was.
func (w *world) unchanged(t *testing.T, before map[string]string, what string, keep func(row) bool) {
	t.Helper()
	after := w.snapshot(t)
	for _, r := range w.rows {
		if key := r.table + "/" + r.id; keep(r) && before[key] != after[key] {
			t.Errorf("%s changed %s (%s):\n%s→\n%s", what, key, r.canary, before[key], after[key])
		}
	}
}

// sameCount fails the test if rows were added.
func sameCount(t *testing.T, before, after map[string]string, what string) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if _, known := before[key]; !known {
			t.Errorf("%s added %s", what, key)
		}
	}
}

// leaks is what of a scope's foreign rows occurs in a text: their ids and the
// canaries of tenants outside of the scope.
func (w *world) leaks(s tenancy.Scope, text string) []string {
	own := map[string]bool{}
	for _, r := range w.rows {
		if w.visible(s, r) {
			own[r.canary] = true
		}
	}
	found := map[string]bool{}
	for _, r := range w.rows {
		if w.visible(s, r) || w.class[r.table] == database.Global {
			continue
		}
		if strings.Contains(text, r.id) {
			found[r.table+" "+r.id] = true
		}
		if !own[r.canary] && mentions(text, r.canary) {
			found[r.canary] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// mentions reports whether a canary occurs, and not one that begins like it.
func mentions(text, canary string) bool {
	for rest := text; ; {
		i := strings.Index(rest, canary)
		if i < 0 {
			return false
		}
		rest = rest[i+len(canary):]
		if len(rest) < 2 || rest[0] != '-' || rest[1] < '0' || rest[1] > '9' && rest[1] != 'p' {
			return true
		}
	}
}
