package isolation_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql/sqlgraph"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

// loose lists the columns that hold an id and are no foreign key, each with
// the reason. What they name may be gone, or lie outside of Bailiwick.
var loose = map[string]string{
	"device_commands.job_id":                         "a job over several organizations is the provider's; read only within the reach of the command itself",
	"api_keys.organization_ids":                      "a narrowing; each request intersects it with the administrator's own reach",
	"system_log_events.actor_id":                     "the log outlives the administrator",
	"system_log_events.api_key_id":                   "the log outlives the key",
	"system_log_events.request_id":                   "of the request, not of a row",
	"tickets.external_id":                            "the vendor's",
	"tickets.external_company_id":                    "the vendor's",
	"ticketing_integrations.webhook_external_id":     "the vendor's",
	"ticketing_company_mappings.external_company_id": "the vendor's",

	"ticketing_billing_mappings.external_company_id":   "the vendor's",
	"ticketing_billing_mappings.external_agreement_id": "the vendor's",
	"ticketing_billing_mappings.external_line_id":      "the vendor's",
	"ticketing_integrations.company_type_ids":          "the vendor's",
	"ticketing_integrations.catch_all_company_id":      "the vendor's",
	"ticketing_errors.ticket_id":                       "the error outlives the ticket",
	"apple_mdms.creator_apple_id":                      "Apple's",
}

// key is a foreign key of the live database.
type key struct {
	table, target          string
	columns, targetColumns []string
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
		k1.columns, k1.targetColumns = append(k1.columns, own), append(k1.targetColumns, far)
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
			if k.targetColumns[len(k.columns)-1] != "id" {
				t.Errorf("%s(%v) → %s(%v): the id does not come last", k.table, k.columns, k.target, k.targetColumns)
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
	err := w.lead(t, mine, column, r, false)
	if sqlgraph.IsUniqueConstraintError(err) {
		err = w.lead(t, mine, column, r, true)
	}
	switch {
	case err == nil:
		t.Errorf("%s.%s of %s now leads to %s (%s)", mine.table, column, mine.canary, r.id, r.canary)
	case !sqlgraph.IsForeignKeyConstraintError(err):
		t.Errorf("%s.%s → %s is refused, but not by a key: %v", mine.table, column, r.table, err)
	}
}

// lead tries to lead a row elsewhere, on demand without the rows that a unique
// index would show in its way, and undoes it.
func (w *world) lead(t *testing.T, mine row, column string, r row, alone bool) error {
	t.Helper()
	tx, err := w.db.System().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if alone {
		if _, err := tx.ExecContext(t.Context(), `DELETE FROM "`+mine.table+`" WHERE "`+column+`" = $1`, r.id); err != nil { //nolint:gosec // names of the schema
			t.Fatal(err)
		}
	}
	_, err = tx.ExecContext(t.Context(), fmt.Sprintf(`UPDATE "%s" SET "%s" = $1 WHERE id = $2`, mine.table, column), r.id, mine.id)
	if err == nil {
		err = tx.Commit()
	}
	return err
}
