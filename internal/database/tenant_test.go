package database_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"entgo.io/ent/dialect"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

func onPostgres(t *testing.T, fn func(t *testing.T, db *database.DB)) {
	t.Helper()
	testdb.OnPostgres(t, func(t *testing.T) { fn(t, fixture(t, dialect.Postgres)) })
}

func refusedBy(err error, code pqerror.Code) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && e.Code == code
}

func TestPolicyOfEachClass(t *testing.T) {
	onPostgres(t, func(t *testing.T, db *database.DB) {
		ctx := t.Context()
		scopes := []struct {
			name string
			ctx  context.Context
			want map[string]string
		}{
			{"one organization", in(ctx, "acme", "a1"), map[string]string{
				"providers": "acme", "organizations": "a1", "devices": "devices-a1",
				"roles": "roles-a1 roles-acme", "administrators": "administrators-acme",
			}},
			{"several organizations", in(ctx, "acme", "a1", "a2"), map[string]string{
				"providers": "acme", "organizations": "a1 a2", "devices": "devices-a1 devices-a2",
				"roles": "roles-a1 roles-a2 roles-acme", "administrators": "administrators-acme",
			}},
			{"a whole provider", all(ctx, "acme"), map[string]string{
				"providers": "acme", "organizations": "a1 a2", "devices": "devices-a1 devices-a2",
				"roles": "roles-a1 roles-a2 roles-acme", "administrators": "administrators-acme",
			}},
			{"no organization", in(ctx, "acme"), map[string]string{
				"providers": "acme", "organizations": "", "devices": "",
				"roles": "roles-acme", "administrators": "administrators-acme",
			}},
			{"another provider", all(ctx, "bolt"), map[string]string{
				"providers": "bolt", "organizations": "b1", "devices": "devices-b1",
				"roles": "roles-b1 roles-bolt", "administrators": "administrators-bolt",
			}},
			{"the system", tenancy.System(ctx, "test"), map[string]string{
				"providers": "acme bolt", "organizations": "a1 a2 b1", "devices": "devices-a1 devices-a2 devices-b1",
				"roles":          "roles-a1 roles-a2 roles-acme roles-b1 roles-bolt",
				"administrators": "administrators-acme administrators-bolt", "settings": "settings",
			}},
		}
		for _, s := range scopes {
			for table, want := range s.want {
				if got := ids(s.ctx, db, table); got != want {
					t.Errorf("%s sees %q of %s, want %q", s.name, got, table, want)
				}
			}
		}
	})
}

func TestWithoutScope(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db := fixture(t, engine)
		if _, err := list(t.Context(), db, "SELECT id FROM devices"); !errors.Is(err, tenancy.ErrNoScope) {
			t.Errorf("a query without a scope: %v", err)
		}
		if err := exec(t.Context(), db, "DELETE FROM devices"); !errors.Is(err, tenancy.ErrNoScope) {
			t.Errorf("a deletion without a scope: %v", err)
		}
		if err := db.InTx(t.Context(), func(context.Context) error { return nil }); !errors.Is(err, tenancy.ErrNoScope) {
			t.Errorf("a transaction without a scope: %v", err)
		}
		if engine != dialect.Postgres {
			return
		}
		// Behind the driver's back, on a connection that had a scope before.
		db.App().SetMaxOpenConns(1)
		ids(all(t.Context(), "acme"), db, "devices")
		for _, table := range []string{"providers", "organizations", "devices", "roles", "administrators"} {
			var count int
			if err := db.App().QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&count); err != nil || count != 0 {
				t.Errorf("without a scope %d rows of %s are seen (%v)", count, table, err)
			}
		}
	})
}

func TestWritesStayInTheTenant(t *testing.T) {
	onPostgres(t, func(t *testing.T, db *database.DB) {
		ctx := in(t.Context(), "acme", "a1")
		for _, statement := range []string{
			`INSERT INTO devices (id, provider_id, organization_id) VALUES ('x', 'acme', 'a2')`,
			`INSERT INTO roles (id, provider_id) VALUES ('x', 'bolt')`,
			`INSERT INTO administrators (id, provider_id) VALUES ('x', 'bolt')`,
			`INSERT INTO providers (id) VALUES ('x')`,
			`UPDATE devices SET organization_id = 'a2'`,
			`INSERT INTO devices (id, provider_id, organization_id) VALUES ('devices-b1', 'acme', 'a1')
			 ON CONFLICT (id) DO UPDATE SET user_id = NULL`,
		} {
			if err := exec(ctx, db, statement); !refusedBy(err, pqerror.InsufficientPrivilege) {
				t.Errorf("%s: %v", statement, err)
			}
		}
		run(t, ctx, db, `DELETE FROM devices`)
		if got := ids(tenancy.System(t.Context(), "test"), db, "devices"); got != "devices-a2 devices-b1" {
			t.Errorf("deleting every device left %q", got)
		}
	})
}

func TestGrants(t *testing.T) {
	onPostgres(t, func(t *testing.T, db *database.DB) {
		ctx := in(t.Context(), "acme", "a1")
		for _, statement := range []string{
			`UPDATE logs SET id = 'x'`, `DELETE FROM logs`, `TRUNCATE logs`, // append-only
			`SELECT * FROM settings`, `INSERT INTO settings (id) VALUES ('x')`, // the system's
			`INSERT INTO catalogue (id) VALUES ('x')`, `DELETE FROM catalogue`, // to be read
			`ALTER TABLE devices DISABLE ROW LEVEL SECURITY`, `DROP TABLE logs`,
		} {
			if err := exec(ctx, db, statement); !refusedBy(err, pqerror.InsufficientPrivilege) {
				t.Errorf("%s: %v", statement, err)
			}
		}
		run(t, ctx, db, `INSERT INTO logs (id, provider_id, organization_id) VALUES ('more', 'acme', 'a1')`)
		run(t, ctx, db, `DELETE FROM counters`)
		if got := ids(ctx, db, "catalogue"); got != "catalogue" {
			t.Errorf("the catalogue reads %q", got)
		}
	})
}

func TestPreparedStatementsAreRefused(t *testing.T) {
	onPostgres(t, func(t *testing.T, db *database.DB) {
		if _, err := db.App().PrepareContext(all(t.Context(), "acme"), "SELECT 1"); err == nil { //nolint:sqlclosecheck // there is none
			t.Error("a statement was prepared")
		}
		if _, err := db.App().ExecContext(tenancy.System(t.Context(), "test"), "SELECT 1"); err == nil {
			t.Error("system work ran on the application's connection")
		}
	})
}

// Ids are generated, but the wall must not rest on that.
func TestScopeValuesAreData(t *testing.T) {
	onPostgres(t, func(t *testing.T, db *database.DB) {
		system := tenancy.System(t.Context(), "test")
		hostile := []string{
			`a'; SELECT set_config('bailiwick.provider', 'acme', false); --`, `back\slash`, `quo"te`, `a1,a2`, `{a1}`, `*`, `$1`, "new\nline", `NULL`, ``,
		}
		for i, id := range hostile {
			if id == "" {
				continue
			}
			run(t, system, db, `INSERT INTO organizations (id, provider_id) VALUES ($1, 'acme')`, id)
			run(t, system, db, `INSERT INTO devices (id, provider_id, organization_id) VALUES ($1, 'acme', $2)`, fmt.Sprint("hostile-", i), id)
		}
		for i, id := range hostile {
			want := fmt.Sprint("hostile-", i)
			if id == "" {
				want = ""
			}
			if got := ids(in(t.Context(), "acme", id), db, "devices"); got != want {
				t.Errorf("organization %q sees %q", id, got)
			}
			if got := ids(in(t.Context(), "acme", id, "a1"), db, "devices"); got != strings.TrimSpace("devices-a1 "+want) {
				t.Errorf("organizations %q and a1 see %q", id, got)
			}
			if got := ids(all(t.Context(), "x"+id), db, "devices"); got != "" {
				t.Errorf("provider %q sees %q", id, got)
			}
		}
		if got := ids(in(t.Context(), "acme", "a1\x00"), db, "devices"); !strings.Contains(got, "zero byte") {
			t.Errorf("a zero byte: %q", got)
		}
	})
}

func TestScopeSurvivesErrors(t *testing.T) {
	onPostgres(t, func(t *testing.T, db *database.DB) {
		db.App().SetMaxOpenConns(1)
		for _, broken := range []string{"SELECT 1/0", "SELEKT", "SELECT set_config('bailiwick.provider', 'bolt', false), 1/0"} {
			if err := exec(in(t.Context(), "acme", "a1"), db, broken); err == nil {
				t.Fatalf("%s succeeded", broken)
			}
			if got := ids(in(t.Context(), "acme", "a1"), db, "devices"); got != "devices-a1" {
				t.Errorf("after %s: %q", broken, got)
			}
			cancelled, cancel := context.WithCancel(in(t.Context(), "acme", "a2"))
			cancel()
			if err := exec(cancelled, db, "SELECT 1"); err == nil {
				t.Error("a cancelled statement succeeded")
			}
			if got := ids(in(t.Context(), "acme", "a1"), db, "devices"); got != "devices-a1" {
				t.Errorf("after a cancelled statement: %q", got)
			}
		}
	})
}

// Few connections, many goroutines, three tenants, transactions, roll-backs
// and errors between them: nobody ever sees another's row.
func TestConcurrentTenants(t *testing.T) {
	onPostgres(t, func(t *testing.T, db *database.DB) {
		db.App().SetMaxOpenConns(3)
		rolledBack := errors.New("rolled back")
		tenants := []struct{ provider, organization string }{{"acme", "a1"}, {"acme", "a2"}, {"bolt", "b1"}}
		var workers sync.WaitGroup
		for worker := range 12 {
			tenant := tenants[worker%len(tenants)]
			workers.Go(func() {
				ctx, want := in(t.Context(), tenant.provider, tenant.organization), "devices-"+tenant.organization
				for round := range 150 {
					see := func(ctx context.Context) error {
						if got := ids(ctx, db, "devices"); got != want {
							return fmt.Errorf("%s sees %q", tenant.organization, got)
						}
						return nil
					}
					var err error
					switch round % 5 {
					case 0:
						err = db.InTx(ctx, see)
					case 1:
						err = db.InTx(ctx, func(ctx context.Context) error { return errors.Join(see(ctx), rolledBack) })
						if err != nil && err.Error() == rolledBack.Error() {
							err = nil
						}
					case 2:
						if exec(ctx, db, "SELECT 1/0") == nil {
							err = errors.New("division by zero")
						}
					case 3:
						if got := ids(all(t.Context(), tenant.provider), db, "providers"); got != tenant.provider {
							err = fmt.Errorf("%s sees the providers %q", tenant.provider, got)
						}
					default:
						err = see(ctx)
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		workers.Wait()
	})
}
