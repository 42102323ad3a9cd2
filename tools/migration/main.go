// Command migration keeps the versioned migrations in step with the schema:
//
//	go run ./tools/migration NAME     # write the next migration of each engine
//	go run ./tools/migration -check   # fail if one is missing
//	go run ./tools/migration -sum     # accept a migration edited by hand
//
// The difference on PostgreSQL is found on an empty database of a server:
// BAILIWICK_TEST_POSTGRES names one, else a throw-away server is started.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/sqltool"
	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/schema"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb/cluster"
)

const timeout = 5 * time.Minute

var validName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// engines maps ent's names to the folders of their migrations.
var engines = map[string]string{dialect.Postgres: "migrations/postgres", dialect.SQLite: "migrations/sqlite"}

func main() {
	check := flag.Bool("check", false, "write nothing, and fail if a migration is missing")
	sum := flag.Bool("sum", false, "rewrite the checksums after an edit by hand")
	flag.Parse()
	if err := run(*check, *sum, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "migration:", err)
		os.Exit(1)
	}
}

func run(check, sum bool, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	switch {
	case sum:
		return rewriteSums()
	case check:
		name = "missing"
	case !validName.MatchString(name):
		return errors.New("name the migration in lower case, words joined by _, such as add_device_notes")
	}
	for _, engine := range []string{dialect.SQLite, dialect.Postgres} {
		if err := step(ctx, engine, check, name); err != nil {
			return fmt.Errorf("%s: %w", engine, err)
		}
	}
	return nil
}

func step(ctx context.Context, engine string, check bool, name string) error {
	path := engines[engine]
	if check {
		scratch, err := os.MkdirTemp("", "bailiwick-migrations-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(scratch) //nolint:errcheck // a temporary copy
		if err := os.CopyFS(scratch, os.DirFS(path)); err != nil {
			return err
		}
		path = scratch
	}
	before, err := filepath.Glob(filepath.Join(path, "*.sql"))
	if err != nil {
		return err
	}
	if err := write(ctx, engine, path, name); err != nil {
		return err
	}
	after, err := filepath.Glob(filepath.Join(path, "*.sql"))
	if err != nil {
		return err
	}
	switch {
	case len(after) == len(before):
		fmt.Printf("%s: the migrations match the schema\n", engine)
		return nil
	case check:
		missing, err := os.ReadFile(after[len(after)-1])
		if err != nil {
			return err
		}
		return fmt.Errorf("a migration is missing; run go run ./tools/migration NAME:\n%s", missing)
	default:
		fmt.Printf("%s: wrote %s\n", engine, after[len(after)-1])
		return nil
	}
}

func write(ctx context.Context, engine, path, name string) error {
	dir, err := sqltool.NewGooseDir(path)
	if err != nil {
		return err
	}
	plan, err := database.Bailiwick(engine)
	if err != nil {
		return err
	}
	driver, release, err := scratch(ctx, engine)
	if err != nil {
		return err
	}
	// Indexes written by hand, such as ones on expressions, are not dropped.
	atlas, err := schema.NewMigrate(driver, schema.WithDir(dir), schema.WithFormatter(sqltool.GooseFormatter),
		schema.WithMigrationMode(schema.ModeReplay), schema.WithDropIndex(false), schema.WithDropColumn(true))
	if err == nil {
		err = atlas.NamedDiff(ctx, name, plan.Tables...)
	}
	return errors.Join(err, release())
}

// scratch opens an empty database of the engine. The caller releases it.
func scratch(ctx context.Context, engine string) (driver *sql.Driver, release func() error, err error) {
	if engine == dialect.SQLite {
		return scratchSQLite()
	}
	return scratchPostgres(ctx)
}

func scratchSQLite() (*sql.Driver, func() error, error) {
	dir, err := os.MkdirTemp("", "bailiwick-scratch-")
	if err != nil {
		return nil, nil, err
	}
	driver, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "scratch.db")+"?_pragma=foreign_keys(1)")
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	// ent knows the engine by another name than its driver registers.
	driver = sql.OpenDB(dialect.SQLite, driver.DB())
	return driver, func() error { return errors.Join(driver.Close(), os.RemoveAll(dir)) }, nil
}

func scratchPostgres(ctx context.Context) (*sql.Driver, func() error, error) {
	url, stop := os.Getenv("BAILIWICK_TEST_POSTGRES"), func() error { return nil }
	if url == "" {
		server, err := cluster.Start(ctx)
		if err != nil {
			return nil, nil, err
		}
		url, stop = server.URL(), server.Stop
	}
	name := fmt.Sprintf("bailiwick_scratch_%d", os.Getpid())
	own, drop, err := cluster.CreateDatabase(ctx, url, name, "template0")
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	driver, err := sql.Open(dialect.Postgres, own)
	if err != nil {
		return nil, nil, errors.Join(err, drop(ctx), stop())
	}
	return driver, func() error { return errors.Join(driver.Close(), drop(ctx), stop()) }, nil
}

func rewriteSums() error {
	for _, path := range engines {
		dir, err := sqltool.NewGooseDir(path)
		if err != nil {
			return err
		}
		sum, err := dir.Checksum()
		if err != nil {
			return err
		}
		if err := migrate.WriteSumFile(dir, sum); err != nil {
			return err
		}
	}
	return nil
}
