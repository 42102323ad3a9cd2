package testdb

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/testkit/testdb/cluster"
)

// templateLock is the key of the lock on the server's maintenance database
// that test processes take turns by when the template is missing. It is an
// arbitrary number.
const templateLock = 0x62746462

const dropTimeout = 30 * time.Second

func server(t *testing.T) string {
	t.Helper()
	url := os.Getenv(serverVariable)
	if url == "" {
		t.Fatalf("%s names no server", serverVariable)
	}
	return url
}

// postgresDatabase copies a template into a database of the test's own.
func postgresDatabase(t *testing.T, template string) string {
	t.Helper()
	url, drop, err := cluster.CreateDatabase(t.Context(), server(t), "bailiwick_test_"+random(), template)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), dropTimeout)
		defer cancel()
		if err := drop(ctx); err != nil {
			t.Error(err)
		}
	})
	return url
}

// postgresTemplate returns the name of the migrated template database, which
// it creates when it is missing.
func postgresTemplate(ctx context.Context, server string) (name string, err error) {
	schema, err := fingerprint(ctx, server)
	if err != nil {
		return "", err
	}
	name = "bailiwick_template_" + schema
	maintenance, err := sql.Open("postgres", server)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, maintenance.Close()) }()
	// One connection: the lock belongs to it, and goes when it is closed.
	maintenance.SetMaxOpenConns(1)
	if exists, err := hasDatabase(ctx, maintenance, name); err != nil || exists {
		return name, err
	}
	if _, err := maintenance.ExecContext(ctx, "SELECT pg_advisory_lock($1)", templateLock); err != nil {
		return "", err
	}
	if exists, err := hasDatabase(ctx, maintenance, name); err != nil || exists {
		return name, err
	}
	// Built under another name, so that a process that dies leaves no half of it.
	building := name + "_building"
	if err := cluster.Exec(ctx, server, `DROP DATABASE IF EXISTS "`+building+`" WITH (FORCE)`); err != nil {
		return "", err
	}
	url, _, err := cluster.CreateDatabase(ctx, server, building, "template0")
	if err != nil {
		return "", err
	}
	if err := migrate(ctx, url); err != nil {
		return "", err
	}
	return name, cluster.Exec(ctx, server, `ALTER DATABASE "`+building+`" RENAME TO "`+name+`"`)
}

func hasDatabase(ctx context.Context, db *sql.DB, name string) (exists bool, err error) {
	err = db.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&exists)
	return exists, err
}
