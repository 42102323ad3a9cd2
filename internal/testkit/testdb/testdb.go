// Package testdb gives each test a database of its own, migrated, on either
// engine, in a few milliseconds.
//
// PostgreSQL is the server that BAILIWICK_TEST_POSTGRES names. If none is
// named, tests on it do not run, and say so; BAILIWICK_TEST_ENGINES lists the
// engines that must, and CI=true stands for both.
package testdb

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"entgo.io/ent/dialect"

	"github.com/bailiwick/bailiwick/internal/database"
)

const (
	serverVariable  = "BAILIWICK_TEST_POSTGRES"
	enginesVariable = "BAILIWICK_TEST_ENGINES"
	setupTimeout    = 2 * time.Minute
	conns           = 8
)

// Each runs a test on a fresh database of every engine, as a subtest named
// after it.
func Each(t *testing.T, fn func(t *testing.T, db *database.DB)) {
	t.Helper()
	EachEngine(t, func(t *testing.T, engine string) { fn(t, New(t, engine)) })
}

// EachEngine runs a test for every engine, by ent's name for it, as a subtest
// named sqlite or postgres.
func EachEngine(t *testing.T, fn func(t *testing.T, engine string)) {
	t.Helper()
	if wanted("sqlite") {
		t.Run("sqlite", func(t *testing.T) { fn(t, dialect.SQLite) })
	}
	OnPostgres(t, func(t *testing.T) { fn(t, dialect.Postgres) })
}

// OnPostgres runs a test of what SQLite does not have, as a subtest named
// postgres.
func OnPostgres(t *testing.T, fn func(t *testing.T)) {
	t.Helper()
	switch {
	case os.Getenv(serverVariable) != "":
		if wanted("postgres") {
			t.Run("postgres", fn)
		}
	case demanded("postgres"):
		t.Fatalf("%s names no server, and PostgreSQL is required", serverVariable)
	default:
		t.Logf("not run on PostgreSQL: %s names no server", serverVariable)
	}
}

// wanted reports whether an engine is to be tested where it can be.
func wanted(engine string) bool {
	return os.Getenv(enginesVariable) == "" || demanded(engine)
}

func demanded(engine string) bool {
	list := os.Getenv(enginesVariable)
	if list == "" {
		return os.Getenv("CI") == "true"
	}
	return slices.Contains(strings.Split(list, ","), engine)
}

// New opens a fresh, migrated database of an engine, which goes with the test.
func New(t *testing.T, engine string) *database.DB {
	t.Helper()
	return Open(t, database.Config{URL: URL(t, engine)})
}

// Open opens a database, and closes it with the test. It fills in a logger and
// the number of connections if they are missing.
func Open(t *testing.T, c database.Config) *database.DB {
	t.Helper()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.MaxConns == 0 {
		c.MaxConns = conns
	}
	db, err := database.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// URL is the address of a fresh, migrated database, which goes with the test.
func URL(t *testing.T, engine string) string {
	t.Helper()
	if engine == dialect.SQLite {
		path := filepath.Join(t.TempDir(), "bailiwick.db")
		if err := copyTemplate(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		return "sqlite:" + path
	}
	template, err := postgresTemplate(t.Context(), server(t))
	if err != nil {
		t.Fatal(err)
	}
	return postgresDatabase(t, template)
}

// Blank is the address of a fresh database without any table, which goes with
// the test.
func Blank(t *testing.T, engine string) string {
	t.Helper()
	if engine == dialect.SQLite {
		return "sqlite:" + filepath.Join(t.TempDir(), "bailiwick.db")
	}
	return postgresDatabase(t, "template0")
}

// migrate brings the database at url to the current schema.
func migrate(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	db, err := database.Open(ctx, database.Config{URL: url, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	migrator, err := db.Migrator()
	if err == nil {
		err = migrator.Up(ctx, nil)
	}
	return errors.Join(err, db.Close())
}

// fingerprint names the schema that url's engine is migrated to.
func fingerprint(ctx context.Context, url string) (string, error) {
	db, err := database.Open(ctx, database.Config{URL: url, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return "", err
	}
	var schema string
	migrator, err := db.Migrator()
	if err == nil {
		schema, err = migrator.Fingerprint()
	}
	return schema[:min(16, len(schema))], errors.Join(err, db.Close())
}

// copyTemplate copies the migrated SQLite file, which is kept among the
// machine's temporary files under the schema's fingerprint.
func copyTemplate(ctx context.Context, path string) error {
	dir, err := os.MkdirTemp("", "bailiwick-testdb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is kept has been moved out
	build := filepath.Join(dir, "template.db")
	schema, err := fingerprint(ctx, "sqlite:"+build)
	if err != nil {
		return err
	}
	template := filepath.Join(os.TempDir(), "bailiwick-testdb-"+schema+".db")
	content, err := os.ReadFile(template)
	if errors.Is(err, fs.ErrNotExist) {
		if err := migrate(ctx, "sqlite:"+build); err != nil {
			return err
		}
		if content, err = os.ReadFile(build); err != nil {
			return err
		}
		// Renamed into place, so that no other process sees half of it.
		err = os.Rename(build, template)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600) //nolint:gosec // a path of the test's own
}

func random() string {
	b := make([]byte, 8)
	rand.Read(b)
	return hex.EncodeToString(b)
}
