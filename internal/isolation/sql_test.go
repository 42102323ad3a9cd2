package isolation_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql/sqlgraph"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// loose lists the columns that hold an id and are no foreign key, each with
// the reason. What they name may be gone, or lie outside of Bailiwick.
var loose = map[string]string{
	"api_keys.organization_ids":                      "a narrowing; each request intersects it with the administrator's own reach",
	"system_log_events.actor_id":                     "the log outlives the administrator",
	"system_log_events.api_key_id":                   "the log outlives the key",
	"system_log_events.request_id":                   "of the request, not of a row",
	"tickets.external_id":                            "the vendor's",
	"tickets.external_company_id":                    "the vendor's",
	"ticketing_company_mappings.external_company_id": "the vendor's",
}

// queue lists the tables that are not the schema's own.
var queue = map[string]string{
	"river_job":          "a tenant's transaction enqueues; arguments hold ids and no content",
	"river_client":       "the job queue's own",
	"river_client_queue": "the job queue's own",
	"river_leader":       "the job queue's own",
	"river_migration":    "the job queue's own",
	"river_notification": "the job queue's own",
	"river_queue":        "the job queue's own",
	"schema_versions":    "which migrations were applied",
}

// key is a foreign key of the live database.
type key struct {
	table, target           string
	columns, target_columns []string
}

// keysOf reads every foreign key between the schema's tables from the
// database's own catalogue.
func keysOf(t *testing.T, w *world) []key {
	t.Helper()
	query := `SELECT m.name, f."table", f.id, f."from", f."to" FROM sqlite_master m, pragma_foreign_key_list(m.name) f
		WHERE m.type = 'table' ORDER BY m.name, f.id, f.seq`
	if w.db.Dialect() == dialect.Postgres {
		query = `SELECT c.conrelid::regclass::text, c.confrelid::regclass::text, c.oid::bigint, a.attname, b.attname
			FROM pg_constraint c, unnest(c.conkey, c.confkey) WITH ORDINALITY AS u(own, far, n),
				pg_attribute a, pg_attribute b
			WHERE c.contype = 'f' AND a.attrelid = c.conrelid AND a.attnum = u.own AND b.attrelid = c.confrelid AND b.attnum = u.far
			ORDER BY 1, 3, u.n`
	}
	rows, err := w.db.System().QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var keys []key
	last := ""
	for rows.Next() {
		var k key
		var id int64
		var own, far string
		if err := rows.Scan(&k.table, &k.target, &id, &own, &far); err != nil {
			t.Fatal(err)
		}
		if w.tables[k.table] == nil {
			continue
		}
		if this := fmt.Sprint(k.table, id); this != last {
			keys = append(keys, k)
			last = this
		}
		k1 := &keys[len(keys)-1]
		k1.columns, k1.target_columns = append(k1.columns, own), append(k1.target_columns, far)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return keys
}

// Every foreign key between tables of tenants is held to the tenant: with the
// guard and row-level security out of the way, no row can be made to point
// into another provider, nor from one organization into another.
func TestForeignKeys(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w, counts := newWorld(t, db), tally{}
		keys := keysOf(t, w)
		before := w.snapshot(t)
		for _, k := range keys {
			counts["keys"]++
			tenants := w.class[k.table] != database.Global && w.class[k.target] != database.Global
			if !tenants {
				continue
			}
			if len(k.columns) == 1 && w.class[k.target] != database.RootProvider {
				t.Errorf("%s(%v) → %s is held to no tenant", k.table, k.columns, k.target)
			}
			column := k.columns[len(k.columns)-1]
			if k.target_columns[len(k.columns)-1] != "id" {
				t.Errorf("%s(%v) → %s(%v): the id does not come last", k.table, k.columns, k.target, k.target_columns)
			}
			for _, mine := range w.rows {
				if mine.table != k.table || w.class[k.target] == database.RootProvider && !hangs(w, mine) {
					continue // nothing ties a bare row to its provider; policies keep it there
				}
				for _, r := range w.rows {
					if r.table == k.target && crosses(w, mine, r) {
						counts["pointed away"]++
						w.refused(t, mine, column, r)
					}
				}
			}
		}
		// Moving the row itself instead, with its edges left behind.
		for _, mine := range w.rows {
			for _, r := range w.rows {
				if (r.table == "organizations" || r.table == "providers") && r.provider != mine.provider && mine.provider != "" {
					column := strings.TrimSuffix(r.table, "s") + "_id"
					if _, ok := w.tables[mine.table].Column(column); !ok {
						continue
					}
					if column == "provider_id" && !hangs(w, mine) {
						continue
					}
					counts["moved away"]++
					w.refused(t, mine, column, r)
				}
			}
		}
		w.unchanged(t, before, "a refused key", func(row) bool { return true })
		counts.log(t)
		for name, table := range w.tables {
			if w.class[name] == database.Global {
				continue
			}
			for _, c := range table.Columns {
				refers := strings.HasSuffix(c.Name, "_id") || strings.HasSuffix(c.Name, "_ids")
				keyed := slices.ContainsFunc(keys, func(k key) bool { return k.table == name && slices.Contains(k.columns, c.Name) })
				if reason := loose[name+"."+c.Name]; refers && !keyed && reason == "" {
					t.Errorf("%s.%s holds an id and is no foreign key: make it an edge, or list the reason", name, c.Name)
				}
			}
		}
	})
}

// crosses reports whether an edge between two rows would cross tenants. A
// row of the provider as a whole may lead to one of its organizations.
func crosses(w *world, from, to row) bool {
	if w.class[to.table] == database.RootProvider || w.class[to.table] == database.RootOrganization {
		return from.provider != to.provider
	}
	within := w.class[from.table] == database.Organization && w.class[to.table] == database.Organization
	return from.provider != to.provider || within && from.organization != to.organization
}

// hangs reports whether a row has an edge that would not follow it.
func hangs(w *world, r row) bool {
	return r.organization != "" && w.class[r.table] != database.RootOrganization || len(edgesOf(w.tables[r.table])) > 0
}

func (w *world) refused(t *testing.T, mine row, column string, r row) {
	t.Helper()
	statement := fmt.Sprintf(`UPDATE "%s" SET "%s" = $1 WHERE id = $2`, mine.table, column)
	switch _, err := w.db.System().ExecContext(t.Context(), statement, r.id, mine.id); {
	case err == nil:
		t.Errorf("%s.%s of %s now leads to %s (%s)", mine.table, column, mine.canary, r.id, r.canary)
	case !sqlgraph.IsForeignKeyConstraintError(err):
		t.Errorf("%s.%s → %s is refused, but not by a key: %v", mine.table, column, r.table, err)
	}
}

// Row-level security alone, by statements that ent never saw.
func TestRowLevelSecurity(t *testing.T) {
	testdb.OnPostgres(t, func(t *testing.T) {
		counts := tally{}
		for i := range 5 {
			w := newWorld(t, testdb.New(t, dialect.Postgres))
			v := w.viewpoints()[i]
			t.Run(v.name, func(t *testing.T) {
				before := w.snapshot(t)
				ctx := tenancy.With(t.Context(), v.scope)
				for _, e := range w.entities {
					s := rawProber{w, ctx, e.table.Name, counts}
					own, foreign := w.split(v.scope, s.table)
					if w.class[s.table] == database.Global {
						s.closed(t)
						continue
					}
					s.reads(t, own)
					for _, r := range foreign {
						s.writes(t, own, r)
					}
				}
				w.unchanged(t, before, "raw SQL", func(r row) bool { return true })
				sameCount(t, before, w.snapshot(t), "raw SQL")
				s := rawProber{w, ctx, "", counts}
				s.everything(t, before, v.scope)
			})
		}
		counts.log(t)
	})
}

// rawProber tries one table by statements of its own, on the application's
// connections.
type rawProber struct {
	*world
	ctx    context.Context //nolint:containedctx // one subtest's
	table  string
	counts tally
}

func (s rawProber) exec(statement string, args ...any) (int64, error) {
	done, err := s.db.App().ExecContext(s.ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

func deniedBy(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && e.Code == pqerror.InsufficientPrivilege
}

// closed holds a global table to be out of the application's hands.
func (s rawProber) closed(t *testing.T) {
	t.Helper()
	for _, statement := range []string{
		`SELECT * FROM ` + s.table, `DELETE FROM ` + s.table, `UPDATE ` + s.table + ` SET id = id`, `INSERT INTO ` + s.table + ` (id) VALUES ('x')`,
	} {
		s.counts["global"]++
		if _, err := s.exec(statement); !deniedBy(err) {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func (s rawProber) reads(t *testing.T, own []row) {
	t.Helper()
	s.counts["select"] += 2
	want := map[string]bool{}
	for _, r := range own {
		want[r.id] = true
	}
	rows, err := s.db.App().QueryContext(s.ctx, `SELECT id FROM `+s.table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var id string
		if err := rows.Scan(&id); err != nil || !want[id] {
			t.Errorf("%s shows %s (%v)", s.table, id, err)
		}
	}
	if rows.Err() != nil || n != len(own) {
		t.Errorf("%s shows %d rows, want %d (%v)", s.table, n, len(own), rows.Err())
	}
	var bare int
	if err := s.db.App().QueryRowContext(context.Background(), `SELECT count(*) FROM `+s.table).Scan(&bare); err != nil || bare != 0 {
		t.Errorf("without a scope %s shows %d rows (%v)", s.table, bare, err)
	}
}

func (s rawProber) writes(t *testing.T, own []row, r row) {
	t.Helper()
	for _, statement := range []string{
		`UPDATE ` + s.table + ` SET updated_at = now() WHERE id = $1`, `DELETE FROM ` + s.table + ` WHERE id = $1`,
	} {
		s.counts["change"]++
		if n, err := s.exec(statement, r.id); n != 0 || err != nil && !deniedBy(err) {
			t.Errorf("%s of %s: %d rows (%v)", statement, r.canary, n, err)
		}
	}
	s.counts["insert"]++
	columns, values := s.copyOf(t, r)
	var marks []string
	for i, c := range columns {
		if c == "id" {
			values[i] = r.id + "x"
		}
		marks = append(marks, fmt.Sprintf("$%d", i+1))
	}
	insert := fmt.Sprintf(`INSERT INTO %s ("%s") VALUES (%s)`, s.table, strings.Join(columns, `", "`), strings.Join(marks, ", "))
	if _, err := s.exec(insert, values...); !deniedBy(err) {
		t.Errorf("a copy of %s in %s: %v", r.canary, s.table, err)
	}
	if len(own) == 0 || r.provider == "" {
		return
	}
	for _, column := range []string{"provider_id", "organization_id"} {
		value := map[string]string{"provider_id": r.provider, "organization_id": r.organization}[column]
		if _, ok := s.tables[s.table].Column(column); !ok || value == "" || value == own[0].provider || value == own[0].organization {
			continue
		}
		s.counts["give away"]++
		// The policy sees the provider or the organization, whichever the scope is
		// about; the organization's own key holds the two together.
		if _, err := s.exec(`UPDATE `+s.table+` SET `+column+` = $1 WHERE id = $2`, value, own[0].id); !deniedBy(err) && !sqlgraph.IsForeignKeyConstraintError(err) {
			t.Errorf("%s.%s given to %s: %v", s.table, column, r.canary, err)
		}
	}
}

// copyOf reads a row as the system sees it.
func (s rawProber) copyOf(t *testing.T, r row) (columns []string, values []any) {
	t.Helper()
	rows, err := s.db.System().QueryContext(t.Context(), `SELECT * FROM `+s.table+` WHERE id = $1`, r.id)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if columns, err = rows.Columns(); err != nil {
		t.Fatal(err)
	}
	types, err := rows.ColumnTypes()
	if err != nil || !rows.Next() {
		t.Fatalf("%s %s is gone (%v)", s.table, r.id, errors.Join(err, rows.Err()))
	}
	values = make([]any, len(columns))
	targets := make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		if b, ok := v.([]byte); ok && types[i].DatabaseTypeName() != "BYTEA" {
			values[i] = string(b)
		}
	}
	return columns, values
}

// everything changes and deletes whatever it can.
func (s rawProber) everything(t *testing.T, before map[string]string, scope tenancy.Scope) {
	t.Helper()
	outside := func(r row) bool { return !s.visible(scope, r) }
	for _, e := range s.guarded() {
		s.counts["everything"]++
		own, _ := s.split(scope, e.table.Name)
		n, err := s.exec(`UPDATE ` + e.table.Name + ` SET updated_at = now()`)
		switch appendOnly := slices.Contains(schema.AppendOnly(), e.table.Name); {
		case appendOnly && !deniedBy(err):
			t.Errorf("the append-only %s was changed: %v", e.table.Name, err)
		case !appendOnly && (err != nil || n != int64(len(own))):
			t.Errorf("changing every row of %s changed %d, want %d (%v)", e.table.Name, n, len(own), err)
		}
	}
	s.unchanged(t, before, "changing everything", outside)
	for _, e := range slices.Backward(s.guarded()) {
		s.counts["everything"]++
		if _, err := s.exec(`DELETE FROM ` + e.table.Name); slices.Contains(schema.AppendOnly(), e.table.Name) != deniedBy(err) {
			t.Errorf("deleting every row of %s: %v", e.table.Name, err)
		}
	}
	s.unchanged(t, before, "deleting everything", func(r row) bool { return r.provider != scope.Provider() })
}

// No table is without row-level security, and the role that requests run
// under has no way around it.
func TestTablesAndRoles(t *testing.T) {
	testdb.OnPostgres(t, func(t *testing.T) {
		db := testdb.New(t, dialect.Postgres)
		system := db.System()
		rows, err := system.QueryContext(t.Context(), `SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,
			has_table_privilege('`+database.AppRole+`', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'),
			has_table_privilege('`+database.AppRole+`', c.oid, 'UPDATE, DELETE, TRUNCATE'),
			pg_get_userbyid(c.relowner) IN ('`+database.AppRole+`', '`+database.SystemRole+`')
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		found := map[string]bool{}
		for rows.Next() {
			var name string
			var secured, reached, changed, owned bool
			if err := rows.Scan(&name, &secured, &reached, &changed, &owned); err != nil {
				t.Fatal(err)
			}
			found[name] = true
			switch {
			case owned:
				t.Errorf("%s is owned by a role that requests run under", name)
			case queue[name] != "":
			case !secured:
				t.Errorf("%s has no forced row-level security", name)
			case schema.Global()[name] != "" && reached:
				t.Errorf("%s is global, and the application reaches it", name)
			case slices.Contains(schema.AppendOnly(), name) && changed:
				t.Errorf("%s is append-only, and the application can change it", name)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		for _, e := range entitiesOf(t, db.Client(), newWorld(t, db).tables) {
			if !found[e.table.Name] {
				t.Errorf("%s has no table", e.name)
			}
		}
		t.Logf("%d tables", len(found))
		for _, role := range []string{database.AppRole, database.SystemRole} {
			var powers string
			err := system.QueryRowContext(t.Context(), `SELECT concat_ws(' ', CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolbypassrls THEN 'bypassrls' END,
				CASE WHEN rolcreaterole THEN 'createrole' END, CASE WHEN rolcreatedb THEN 'createdb' END, CASE WHEN rolreplication THEN 'replication' END,
				(SELECT string_agg('member of ' || g.rolname, ' ') FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid))
				FROM pg_roles r WHERE rolname = $1`, role).Scan(&powers)
			if err != nil || powers != "" {
				t.Errorf("%s has %q (%v)", role, powers, err)
			}
		}
		var who string
		if err := db.App().QueryRowContext(t.Context(), `SELECT current_user`).Scan(&who); err != nil || who != database.AppRole {
			t.Errorf("requests run as %s (%v)", who, err)
		}
		var hidden sql.NullBool
		if err := db.App().QueryRowContext(t.Context(), `SELECT has_schema_privilege(current_user, current_schema(), 'CREATE')`).Scan(&hidden); err != nil || hidden.Bool {
			t.Errorf("requests may create tables (%v)", err)
		}
	})
}
