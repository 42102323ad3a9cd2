package database_test

import (
	"context"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"entgo.io/ent/dialect"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

func TestMigrateFromEmpty(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db := testdb.Open(t, database.Config{URL: testdb.Blank(t, engine)})
		migrator, err := db.Migrator()
		if err != nil {
			t.Fatal(err)
		}
		steps := 0
		progress := func(_ int64, name string, i, n int) {
			steps++
			if i != steps || i > n || name == "" {
				t.Errorf("step %d of %d is called %q", i, n, name)
			}
		}
		if err := migrator.Up(t.Context(), progress); err != nil {
			t.Fatal(err)
		}
		if err := db.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		versions, err := migrator.Status(t.Context())
		if err != nil || len(versions) == 0 {
			t.Fatalf("status: %v %v", versions, err)
		}
		for _, v := range versions {
			if v.AppliedAt.IsZero() {
				t.Errorf("%d %s is pending", v.Number, v.Name)
			}
		}
		for range versions {
			if _, err := migrator.Down(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := migrator.Down(t.Context()); err == nil {
			t.Error("took back a migration too many")
		}
		if err := migrator.Up(t.Context(), nil); err != nil {
			t.Errorf("up again: %v", err)
		}
		if _, err := db.Client().Device.Query().Count(tenancy.System(t.Context(), "test")); err != nil {
			t.Error(err)
		}
	})
}

func TestPoliciesAreIdempotent(t *testing.T) {
	onPostgres(t, func(t *testing.T, db *database.DB) {
		dump := func() string {
			rows, err := list(tenancy.System(t.Context(), "test"), db,
				`SELECT format('%s %s %s %s %s', tablename, policyname, roles, qual, with_check) FROM pg_policies
				 UNION ALL SELECT format('%s %s', relname, relacl) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
				 ORDER BY 1`)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Join(rows, "\n")
		}
		before := dump()
		composed, err := database.Compose(tables(), rules(), dialect.Postgres)
		if err != nil {
			t.Fatal(err)
		}
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
		if after := dump(); after != before {
			t.Errorf("policies were\n%s\nand became\n%s", before, after)
		}
	})
}

// atlas rebuilds a table to change it. With foreign keys on, dropping the old
// one would delete the rows that refer to it.
func TestRebuildingATableKeepsItsChildren(t *testing.T) {
	db := testdb.Open(t, database.Config{URL: testdb.Blank(t, dialect.SQLite)})
	ctx := tenancy.System(t.Context(), "test")
	files := fstest.MapFS{"1_tables.sql": {Data: []byte(`-- +goose Up
CREATE TABLE parents (id text PRIMARY KEY);
CREATE TABLE children (id text PRIMARY KEY, parent_id text NOT NULL REFERENCES parents (id) ON DELETE CASCADE);
INSERT INTO parents VALUES ('p');
INSERT INTO children VALUES ('c', 'p');
`)}}
	up(t, ctx, db, files)
	files["2_rebuild.sql"] = &fstest.MapFile{Data: []byte(`-- +goose Up
PRAGMA foreign_keys = off;
CREATE TABLE new_parents (id text PRIMARY KEY, name text NULL);
INSERT INTO new_parents (id) SELECT id FROM parents;
DROP TABLE parents;
ALTER TABLE new_parents RENAME TO parents;
PRAGMA foreign_keys = on;
`)}
	up(t, ctx, db, files)
	if got := ids(ctx, db, "children"); got != "c" {
		t.Errorf("children: %q", got)
	}
	if exec(ctx, db, `INSERT INTO children VALUES ('d', 'none')`) == nil {
		t.Error("foreign keys are off after a migration")
	}
	files["3_orphan.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nDELETE FROM parents;\n")}
	migrator, err := database.NewMigrator(db, database.Plan{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	if err := migrator.Up(ctx, nil); err == nil || !strings.Contains(err.Error(), "children") {
		t.Errorf("a migration that orphaned rows: %v", err)
	}
}

func up(t *testing.T, ctx context.Context, db *database.DB, files fs.FS) { //nolint:revive // t first
	t.Helper()
	migrator, err := database.NewMigrator(db, database.Plan{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	if err := migrator.Up(ctx, nil); err != nil {
		t.Fatal(err)
	}
}

// Replicas that start at once take turns.
func TestConcurrentMigrations(t *testing.T) {
	testdb.OnPostgres(t, func(t *testing.T) {
		url := testdb.Blank(t, dialect.Postgres)
		var replicas sync.WaitGroup
		for range 3 {
			db := testdb.Open(t, database.Config{URL: url})
			replicas.Go(func() {
				migrator, err := db.Migrator()
				if err == nil {
					err = migrator.Up(t.Context(), nil)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		replicas.Wait()
	})
}

// Before the first migration nothing answers: there is no table, nor, on a new
// server, a role to connect under.
func TestUnmigratedDatabaseIsClosed(t *testing.T) {
	testdb.OnPostgres(t, func(t *testing.T) {
		db := testdb.Open(t, database.Config{URL: testdb.Blank(t, dialect.Postgres)})
		if _, err := list(all(t.Context(), "acme"), db, "SELECT id FROM devices"); err == nil {
			t.Error("an unmigrated database answered")
		}
	})
}
