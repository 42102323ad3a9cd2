package database_test

import (
	"strings"
	"testing"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql/schema"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

func TestClassify(t *testing.T) {
	want := map[string]database.Class{
		"providers": database.RootProvider, "organizations": database.RootOrganization,
		"users": database.Organization, "devices": database.Organization, "logs": database.Organization,
		"roles": database.Shared, "administrators": database.Provider,
		"settings": database.Global, "catalogue": database.Global, "counters": database.Global,
	}
	for _, table := range tables() {
		class, err := database.Classify(table, rules().Global)
		if err != nil || class != want[table.Name] {
			t.Errorf("%s is %s (%v), want %s", table.Name, class, err, want[table.Name])
		}
	}
}

func TestUnclassifiedTablesAreRefused(t *testing.T) {
	keyless := schema.NewTable("keyless").AddColumn(text("provider_id"))
	for name, stray := range map[string]*schema.Table{
		"no tenant":            table("strays"),
		"no provider":          table("strays", text("organization_id")),
		"an optional provider": table("strays", optional("provider_id")),
		"no id":                keyless,
	} {
		if _, err := database.Compose(append(tables(), stray), rules(), dialect.SQLite); err == nil {
			t.Errorf("%s: composed", name)
		}
		if _, err := database.Policies(append(tables(), stray), rules()); err == nil {
			t.Errorf("%s: got policies", name)
		}
	}
	for name, spoil := range map[string]func(*database.Rules){
		"a global table that is none":   func(r *database.Rules) { r.Global["none"] = "a test" },
		"a global table without reason": func(r *database.Rules) { r.Global["settings"] = "" },
		"an append-only one":            func(r *database.Rules) { r.AppendOnly = []string{"none"} },
		"a tenant's opened as global":   func(r *database.Rules) { r.AppWrites = []string{"users"} },
	} {
		spoilt := rules()
		spoil(&spoilt)
		if _, err := database.Policies(tables(), spoilt); err == nil {
			t.Errorf("%s: got policies", name)
		}
	}
}

func TestComposeLeavesItsInputAlone(t *testing.T) {
	given := tables()
	first, err := database.Compose(given, rules(), dialect.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	for i, table := range tables() {
		if len(given[i].Indexes) != len(table.Indexes) || len(given[i].ForeignKeys) != len(table.ForeignKeys) {
			t.Errorf("%s was changed", table.Name)
		}
		for _, c := range given[i].Columns {
			if c.Collation != "" {
				t.Errorf("%s.%s was given a collation", table.Name, c.Name)
			}
		}
	}
	for _, table := range first {
		if c, _ := table.Column("id"); c.Collation != "C" {
			t.Errorf("%s.id has collation %q", table.Name, c.Collation)
		}
	}
}

// The system role is bound by no policy, and SQLite has none: these edges are
// refused by the keys alone.
func TestNoEdgeLeavesTheTenant(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db, system := fixture(t, engine), tenancy.System(t.Context(), "test")
		for _, statement := range []string{
			`UPDATE devices SET user_id = 'users-a2' WHERE id = 'devices-a1'`,
			`UPDATE devices SET user_id = 'users-b1' WHERE id = 'devices-a1'`,
			`UPDATE devices SET role_id = 'roles-bolt' WHERE id = 'devices-a1'`,
			`UPDATE administrators SET role_id = 'roles-bolt' WHERE id = 'administrators-acme'`,
			`UPDATE roles SET user_id = 'users-b1' WHERE id = 'roles-acme'`,
			`UPDATE roles SET user_id = 'users-a2' WHERE id = 'roles-a1'`,
			`UPDATE devices SET organization_id = 'b1' WHERE id = 'devices-a1'`,
			`INSERT INTO devices (id, provider_id, organization_id) VALUES ('x', 'acme', 'b1')`,
			`INSERT INTO devices (id, provider_id, organization_id) VALUES ('x', 'acme', 'none')`,
			`INSERT INTO roles (id, provider_id, organization_id) VALUES ('x', 'acme', 'b1')`,
			`INSERT INTO roles (id, provider_id) VALUES ('x', 'none')`,
			`UPDATE organizations SET provider_id = 'bolt' WHERE id = 'a1'`,
		} {
			if exec(system, db, statement) == nil {
				t.Errorf("%s was admitted", statement)
			}
		}
		for _, statement := range []string{
			`UPDATE devices SET user_id = 'users-a1', role_id = 'roles-acme' WHERE id = 'devices-a1'`,
			`UPDATE devices SET role_id = 'roles-a2' WHERE id = 'devices-a2'`,
			`UPDATE administrators SET role_id = 'roles-acme' WHERE id = 'administrators-acme'`,
			`UPDATE roles SET user_id = 'users-a1' WHERE id IN ('roles-acme', 'roles-a1')`,
		} {
			run(t, system, db, statement)
		}
		if exec(system, db, `DELETE FROM users WHERE id = 'users-a1'`) == nil {
			t.Error("a user was deleted under a device that has it")
		}
		run(t, system, db, `DELETE FROM devices`)
		run(t, system, db, `UPDATE roles SET user_id = NULL`)
		run(t, system, db, `DELETE FROM organizations WHERE id = 'a1'`)
		run(t, system, db, `DELETE FROM providers WHERE id = 'bolt'`)
		if got := ids(system, db, "roles"); got != "roles-a2 roles-acme" {
			t.Errorf("after deleting an organization and a provider, roles: %q", got)
		}
	})
}

func TestEveryEdgeIsIndexed(t *testing.T) {
	for _, engine := range []string{dialect.SQLite, dialect.Postgres} {
		plan, err := database.Bailiwick(engine)
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range plan.Tables {
			leading := map[string]bool{}
			for _, c := range table.Columns {
				leading[c.Name] = c.Unique
			}
			for _, index := range table.Indexes {
				leading[index.Columns[0].Name] = true
			}
			for _, fk := range table.ForeignKeys {
				last := fk.Columns[len(fk.Columns)-1].Name
				if !leading[last] && last != "provider_id" {
					t.Errorf("%s: no index leads with %s", table.Name, last)
				}
				if fk.OnDelete == schema.SetNull && len(fk.Columns) > 1 {
					t.Errorf("%s: %s would clear the tenant", table.Name, fk.Symbol)
				}
			}
		}
	}
}

func TestPoliciesCoverEveryTable(t *testing.T) {
	plan, err := database.Bailiwick(dialect.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	statements, err := database.Policies(plan.Tables, plan.Rules)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(statements, "\n")
	for _, table := range plan.Tables {
		if !strings.Contains(text, `ALTER TABLE "`+table.Name+`" FORCE ROW LEVEL SECURITY`) {
			t.Errorf("%s has no row-level security", table.Name)
		}
	}
}
