package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb/cluster"
)

const dropTimeout = 30 * time.Second

// databases makes migrated databases, each a copy of one template.
type databases struct {
	server string // of PostgreSQL; empty for SQLite
	prefix string
	dir    string
	made   atomic.Int64
}

// newDatabases makes the template, on a server or in a directory of its own.
func newDatabases(ctx context.Context, server string) (d *databases, err error) {
	d = &databases{server: server, prefix: fmt.Sprintf("bailiwick_fault_%d_", os.Getpid())}
	if d.dir, err = os.MkdirTemp("", "bailiwick-fault-"); err != nil {
		return nil, err
	}
	url := "sqlite:" + d.file("template")
	if server != "" {
		if url, _, err = cluster.CreateDatabase(ctx, server, d.prefix+"template", "template0"); err != nil {
			return nil, errors.Join(err, os.RemoveAll(d.dir))
		}
	}
	if err := migrate(ctx, url); err != nil {
		d.close()
		return nil, fmt.Errorf("migrate a database: %w", err)
	}
	return d, nil
}

func (d *databases) file(name string) string { return filepath.Join(d.dir, name+".db") }

// make copies the template. What it has made is dropped, connections or not.
func (d *databases) make(ctx context.Context) (url string, drop func(), err error) {
	name := strconv.FormatInt(d.made.Add(1), 10)
	if d.server != "" {
		url, _, err = cluster.CreateDatabase(ctx, d.server, d.prefix+name, d.prefix+"template")
		return url, func() { d.drop(name) }, err
	}
	content, err := os.ReadFile(d.file("template"))
	if err == nil {
		err = os.WriteFile(d.file(name), content, 0o600)
	}
	return "sqlite:" + d.file(name), func() { _ = os.Remove(d.file(name)) }, err
}

func (d *databases) drop(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), dropTimeout)
	defer cancel()
	if err := cluster.Exec(ctx, d.server, `DROP DATABASE IF EXISTS "`+d.prefix+name+`" WITH (FORCE)`); err != nil {
		fmt.Fprintln(os.Stderr, "fault: drop a database:", err)
	}
}

func (d *databases) close() {
	if d.server != "" {
		d.drop("template")
	}
	if err := os.RemoveAll(d.dir); err != nil {
		fmt.Fprintln(os.Stderr, "fault:", err)
	}
}

func migrate(ctx context.Context, url string) error {
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
