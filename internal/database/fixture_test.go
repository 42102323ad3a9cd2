package database_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"testing/fstest"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/entsql"
	entdriver "entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/schema"
	"entgo.io/ent/schema/field"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

// rules of the fixture's tables.
func rules() database.Rules {
	return database.Rules{
		Global:     map[string]string{"settings": "a test", "catalogue": "a test", "counters": "a test"},
		AppendOnly: []string{"logs"},
		AppReads:   []string{"catalogue"},
		AppWrites:  []string{"counters"},
	}
}

func text(name string) *schema.Column { return &schema.Column{Name: name, Type: field.TypeString} }

func optional(name string) *schema.Column {
	return &schema.Column{Name: name, Type: field.TypeString, Nullable: true}
}

func table(name string, columns ...*schema.Column) *schema.Table {
	t := schema.NewTable(name).AddPrimary(text("id")).SetAnnotation(&entsql.Annotation{})
	for _, c := range columns {
		t.AddColumn(c)
	}
	return t
}

// edge adds a foreign key on a column that the table has.
func edge(t *schema.Table, column string, to *schema.Table, onDelete schema.ReferenceOption) {
	c, _ := t.Column(column)
	t.AddForeignKey(&schema.ForeignKey{
		Symbol: t.Name + "_" + column, Columns: []*schema.Column{c},
		RefTable: to, RefColumns: to.PrimaryKey, OnDelete: onDelete,
	})
}

// tables is a small schema with a table of every class, and edges between them.
func tables() []*schema.Table {
	providers := table("providers")
	organizations := table("organizations", text("provider_id"))
	users := table("users", text("provider_id"), text("organization_id"))
	devices := table("devices", text("provider_id"), text("organization_id"), optional("user_id"), optional("role_id"),
		&schema.Column{Name: "document", Type: field.TypeJSON, Nullable: true},
		&schema.Column{Name: "secret", Type: field.TypeBytes, Nullable: true})
	roles := table("roles", text("provider_id"), optional("organization_id"), optional("user_id"))
	administrators := table("administrators", text("provider_id"), optional("role_id"))
	logs := table("logs", text("provider_id"), text("organization_id"))
	edge(organizations, "provider_id", providers, schema.Cascade)
	edge(administrators, "provider_id", providers, schema.Cascade)
	for _, t := range []*schema.Table{users, devices, roles, logs} {
		edge(t, "organization_id", organizations, schema.Cascade)
	}
	edge(devices, "user_id", users, schema.SetNull)
	edge(devices, "role_id", roles, schema.SetNull)
	edge(roles, "user_id", users, schema.NoAction)
	edge(administrators, "role_id", roles, schema.NoAction)
	return []*schema.Table{
		providers, organizations, users, roles, devices, administrators, logs,
		table("settings"), table("catalogue"), table("counters"),
	}
}

// fixture opens a database with the small schema and the rows of two
// providers: acme with the organizations a1 and a2, and bolt with b1. Each
// organization owns one row of every table of organizations, and each
// provider one of every table of providers, named after table and owner.
func fixture(t *testing.T, engine string, options ...func(*database.Config)) *database.DB {
	t.Helper()
	config := database.Config{URL: testdb.Blank(t, engine)}
	for _, option := range options {
		option(&config)
	}
	composed, err := database.Compose(tables(), rules(), engine)
	if err != nil {
		t.Fatal(err)
	}
	create(t, engine, config.URL, composed)
	db := testdb.Open(t, config)
	migrator, err := database.NewMigrator(db, database.Plan{
		Files:  fstest.MapFS{"1_none.sql": {Data: []byte("-- +goose Up\nSELECT 1;\n")}},
		Tables: composed, Rules: rules(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := migrator.Up(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	system := tenancy.System(t.Context(), "fixture")
	for _, statement := range []string{
		`INSERT INTO providers (id) VALUES ('acme'), ('bolt')`,
		`INSERT INTO organizations (id, provider_id) VALUES ('a1', 'acme'), ('a2', 'acme'), ('b1', 'bolt')`,
		`INSERT INTO users (id, provider_id, organization_id) SELECT 'users-' || id, provider_id, id FROM organizations`,
		`INSERT INTO devices (id, provider_id, organization_id) SELECT 'devices-' || id, provider_id, id FROM organizations`,
		`INSERT INTO logs (id, provider_id, organization_id) SELECT 'logs-' || id, provider_id, id FROM organizations`,
		`INSERT INTO roles (id, provider_id, organization_id) SELECT 'roles-' || id, provider_id, id FROM organizations`,
		`INSERT INTO roles (id, provider_id) SELECT 'roles-' || id, id FROM providers`,
		`INSERT INTO administrators (id, provider_id) SELECT 'administrators-' || id, id FROM providers`,
		`INSERT INTO settings (id) VALUES ('settings')`,
		`INSERT INTO catalogue (id) VALUES ('catalogue')`,
		`INSERT INTO counters (id) VALUES ('counters')`,
	} {
		run(t, system, db, statement)
	}
	return db
}

// create makes the tables on a connection that the package does not know of.
func create(t *testing.T, engine, url string, composed []*schema.Table) {
	t.Helper()
	name, source := "postgres", url
	if engine == dialect.SQLite {
		name, source = "sqlite", "file:"+strings.TrimPrefix(url, "sqlite:")+"?_pragma=foreign_keys(1)"
	}
	raw, err := sql.Open(name, source)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	migrate, err := schema.NewMigrate(entdriver.OpenDB(engine, raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate.Create(t.Context(), composed...); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, ctx context.Context, db *database.DB, statement string, args ...any) { //nolint:revive // t first
	t.Helper()
	if err := exec(ctx, db, statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func exec(ctx context.Context, db *database.DB, statement string, args ...any) error {
	if args == nil {
		args = []any{}
	}
	return db.Driver().Exec(ctx, statement, args, nil)
}

// list runs a query of one column through ent's driver.
func list(ctx context.Context, db *database.DB, query string, args ...any) ([]string, error) {
	if args == nil {
		args = []any{}
	}
	var rows entdriver.Rows
	if err := db.Driver().Query(ctx, query, args, &rows); err != nil {
		return nil, err
	}
	defer rows.Close()
	var values []string
	err := entdriver.ScanSlice(rows, &values)
	return values, err
}

// ids lists the ids of a table that a context reaches, sorted, joined by
// spaces; or the error.
func ids(ctx context.Context, db *database.DB, table string) string {
	values, err := list(ctx, db, "SELECT id FROM "+table+" ORDER BY id")
	if err != nil {
		return err.Error()
	}
	return strings.Join(values, " ")
}

var tester = tenancy.Principal{Kind: tenancy.Administrator, AdministratorID: "adm", Name: "tester"}

func in(ctx context.Context, provider string, organizations ...string) context.Context {
	return tenancy.With(ctx, tenancy.ForOrganizations(tester, provider, organizations...))
}

func all(ctx context.Context, provider string) context.Context {
	return tenancy.With(ctx, tenancy.ForProvider(tester, provider))
}
