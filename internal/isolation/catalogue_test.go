package isolation_test

import (
	"database/sql"
	"slices"
	"testing"

	"entgo.io/ent/dialect"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/schema"
)

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

// No table is without row-level security, and the role that requests run
// under has no way around it.
func TestTablesAndRoles(t *testing.T) {
	testdb.OnPostgres(t, func(t *testing.T) {
		url := testdb.URL(t, dialect.Postgres)
		db := testdb.Open(t, database.Config{URL: url})
		open, found := unsecured(t, db)
		for _, finding := range open {
			t.Error(finding)
		}
		for _, e := range emptyWorld(t, db).entities {
			if !found[e.table.Name] {
				t.Errorf("%s has no table", e.name)
			}
		}
		t.Logf("%d tables", len(found))
		for _, role := range []string{database.AppRole, database.SystemRole} {
			var powers string
			err := db.System().QueryRowContext(t.Context(), `SELECT concat_ws(' ', CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolbypassrls THEN 'bypassrls' END,
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
		var may bool
		if err := db.App().QueryRowContext(t.Context(), `SELECT has_schema_privilege(current_user, current_schema(), 'CREATE')`).Scan(&may); err != nil || may {
			t.Errorf("requests may create tables (%v)", err)
		}

		owner, err := sql.Open("postgres", url)
		if err != nil {
			t.Fatal(err)
		}
		defer owner.Close()
		for _, statement := range []string{
			`CREATE TABLE bare (id text)`,
			`CREATE TABLE unforced (id text)`, `ALTER TABLE unforced ENABLE ROW LEVEL SECURITY`,
			`GRANT UPDATE ON system_log_events TO ` + database.AppRole, `GRANT SELECT ON signing_keys TO ` + database.AppRole,
			`CREATE TABLE owned (id text)`, `ALTER TABLE owned OWNER TO ` + database.AppRole,
		} {
			if _, err := owner.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{
			"bare has no forced row-level security", "owned is owned by a role that requests run under",
			"signing_keys is global, and the application reaches it", "system_log_events is append-only, and the application can change it",
			"unforced has no forced row-level security",
		}
		if open, _ := unsecured(t, db); !slices.Equal(open, want) {
			t.Errorf("a table without security is not found: %q", open)
		}
	})
}

// unsecured reports the tables that are not closed in the way of their class,
// and lists every table.
func unsecured(t *testing.T, db *database.DB) (findings []string, found map[string]bool) {
	t.Helper()
	rows, err := db.System().QueryContext(t.Context(), `SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,
		has_table_privilege('`+database.AppRole+`', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'),
		has_table_privilege('`+database.AppRole+`', c.oid, 'UPDATE, DELETE, TRUNCATE'),
		pg_get_userbyid(c.relowner) IN ('`+database.AppRole+`', '`+database.SystemRole+`')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
		ORDER BY c.relname`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found = map[string]bool{}
	for rows.Next() {
		var name string
		var secured, reached, changed, owned bool
		if err := rows.Scan(&name, &secured, &reached, &changed, &owned); err != nil {
			t.Fatal(err)
		}
		found[name] = true
		switch {
		case owned:
			findings = append(findings, name+" is owned by a role that requests run under")
		case queue[name] != "":
		case !secured:
			findings = append(findings, name+" has no forced row-level security")
		case schema.Global()[name] != "" && reached:
			findings = append(findings, name+" is global, and the application reaches it")
		case slices.Contains(schema.AppendOnly(), name) && changed:
			findings = append(findings, name+" is append-only, and the application can change it")
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return findings, found
}
