package isolation_test

import (
	"context"
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
	if scope, err := tenancy.From(s.ctx); err == nil && slices.Contains(schema.AppendOnly(), s.table) && r.organization == "" && r.provider == scope.Provider() {
		return // what concerns the whole provider anyone in it may add to the log
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
		_, err := s.exec(`UPDATE `+s.table+` SET `+column+` = $1 WHERE id = $2`, value, own[0].id)
		if sqlgraph.IsUniqueConstraintError(err) && oneOfItsKind(s.tables[s.table]) {
			continue // met before the key, which TestForeignKeys tries without what is in the way
		}
		if !deniedBy(err) && !sqlgraph.IsForeignKeyConstraintError(err) {
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
