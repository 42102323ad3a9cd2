package database_test

import (
	"context"
	"net/url"
	"os"
	"slices"
	"testing"
	"time"

	"entgo.io/ent/dialect"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb/cluster"
	"github.com/bailiwick/bailiwick/tenancy"
)

// A production set-up: the tables' owner is no superuser, and the server runs
// under two logins that own nothing and hold one role each.
func TestWithoutSuperuser(t *testing.T) {
	testdb.OnPostgres(t, func(t *testing.T) {
		// Dropped last: the cleanups run backwards.
		owner, app, system := login(t, "owner", "CREATEROLE"), login(t, "app", ""), login(t, "system", "")
		admin := testdb.Blank(t, dialect.Postgres)
		as := func(name string) string {
			u, err := url.Parse(admin)
			if err != nil {
				t.Fatal(err)
			}
			u.User = url.UserPassword(name, name)
			return u.String()
		}
		u, err := url.Parse(admin)
		if err != nil {
			t.Fatal(err)
		}
		statement(t, admin, `ALTER DATABASE "`+u.Path[1:]+`" OWNER TO `+owner, `ALTER SCHEMA public OWNER TO `+owner)

		migrating := testdb.Open(t, database.Config{URL: as(owner)})
		migrator, err := migrating.Migrator()
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := migrator.Up(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		statement(t, admin, `GRANT bailiwick_app TO `+app, `GRANT bailiwick_system TO `+system)
		db := testdb.Open(t, database.Config{URL: as(app), SystemURL: as(system)})
		for _, db := range []*database.DB{migrating, db} {
			if err := db.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		everything := tenancy.System(t.Context(), "test")
		client := db.Client()
		for _, id := range []string{"acme", "bolt"} {
			client.Provider.Create().SetID(id).SetName(id).SaveX(everything)
			client.Organization.Create().SetName(id).SaveX(all(t.Context(), id))
		}
		if n := client.Organization.Query().CountX(everything); n != 2 {
			t.Errorf("the system counts %d organizations", n)
		}
		// Past ent's filter, the policies alone.
		if got, err := list(all(t.Context(), "acme"), db, "SELECT name FROM organizations"); err != nil || len(got) != 1 {
			t.Errorf("acme sees %q %v", got, err)
		}
		if _, err := db.App().ExecContext(all(t.Context(), "acme"), "SET ROLE bailiwick_system"); err == nil {
			t.Error("the application's login became the system")
		}
	})
}

// login creates a login with its own name for a password.
func login(t *testing.T, part, options string) string {
	t.Helper()
	name := "bailiwick_test_" + part + "_" + time.Now().UTC().Format("150405000000")
	server := os.Getenv("BAILIWICK_TEST_POSTGRES")
	statement(t, server, "CREATE ROLE "+name+" LOGIN "+options+" PASSWORD '"+name+"'")
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := cluster.Exec(ctx, server, "DROP OWNED BY "+name, "DROP ROLE "+name); err != nil {
			t.Error(err)
		}
	})
	return name
}

func statement(t *testing.T, url string, statements ...string) {
	t.Helper()
	if err := cluster.Exec(t.Context(), url, statements...); err != nil {
		t.Fatal(err)
	}
}

// Every session plans with pages of an SSD, unless the operator says otherwise.
func TestPageCost(t *testing.T) {
	testdb.OnPostgres(t, func(t *testing.T) {
		source := testdb.URL(t, dialect.Postgres)
		u, err := url.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		costs := func() (costs []string) {
			db := testdb.Open(t, database.Config{URL: source})
			for range 3 { // at a time, so that each is a session of its own
				conn, err := db.System().Conn(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				var cost string
				if err := conn.QueryRowContext(t.Context(), "SELECT current_setting('random_page_cost')").Scan(&cost); err != nil {
					t.Fatal(err)
				}
				costs = append(costs, cost)
			}
			return costs
		}
		if got := costs(); !slices.Equal(got, []string{"1.1", "1.1", "1.1"}) {
			t.Error(got)
		}
		statement(t, source, `ALTER DATABASE "`+u.Path[1:]+`" SET random_page_cost = 4`)
		if got := costs(); !slices.Equal(got, []string{"4", "4", "4"}) {
			t.Error(got)
		}
	})
}
