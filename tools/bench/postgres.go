package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb/cluster"
	"github.com/bailiwick/bailiwick/tools/bench/data"
	"github.com/bailiwick/bailiwick/tools/bench/process"
)

const (
	serverVariable = "BAILIWICK_TEST_POSTGRES"
	dropTimeout    = time.Minute
)

// postgres is the server that both sides use.
type postgres struct {
	url        string
	postmaster int // its process; 0 if that is not on this machine
	stop       func() error
}

func startPostgres(ctx context.Context) (*postgres, error) {
	p := &postgres{url: os.Getenv(serverVariable), stop: func() error { return nil }}
	if p.url == "" {
		server, err := cluster.Start(ctx)
		if err != nil {
			return nil, fmt.Errorf("start PostgreSQL, since %s names none: %w", serverVariable, err)
		}
		p.url, p.stop = server.URL(), server.Stop
	}
	err := ask(ctx, p.url, func(db *sql.DB) error {
		var backend int
		err := db.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&backend)
		p.postmaster = postmasterOf(backend) // while the backend is there
		return err
	})
	if err == nil {
		return p, nil
	}
	return nil, errors.Join(err, p.stop())
}

// postmasterOf is the process that forked a backend, if that is on this machine.
func postmasterOf(backend int) int {
	pid, err := process.Parent(backend)
	if err != nil {
		return 0
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil || !strings.HasPrefix(string(name), "post") {
		return 0
	}
	return pid
}

// database makes a database of a size for this run, and returns its URL and
// what drops it. What was generated is kept on the server as a template.
func (p *postgres) database(ctx context.Context, size data.Size, out io.Writer) (url string, drop func() error, err error) {
	template, err := p.template(ctx, size, out)
	if err != nil {
		return "", nil, err
	}
	var suffix [6]byte
	rand.Read(suffix[:])
	url, remove, err := cluster.CreateDatabase(ctx, p.url, "bailiwick_bench_run_"+hex.EncodeToString(suffix[:]), template)
	if err != nil {
		return "", nil, err
	}
	return url, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
		defer cancel()
		return remove(ctx)
	}, nil
}

func (p *postgres) template(ctx context.Context, size data.Size, out io.Writer) (string, error) {
	schema, err := fingerprint(ctx, p.url)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("bailiwick_bench_%.12s_%d_%s", schema, data.Revision, size)
	exists := false
	err = ask(ctx, p.url, func(db *sql.DB) error {
		return db.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&exists)
	})
	if err != nil || exists {
		return name, err
	}
	// Built under another name, so that a process that dies leaves no half of it.
	building := name + "_building"
	if err := cluster.Exec(ctx, p.url, `DROP DATABASE IF EXISTS "`+building+`" WITH (FORCE)`); err != nil {
		return "", err
	}
	url, _, err := cluster.CreateDatabase(ctx, p.url, building, "template0")
	if err != nil {
		return "", err
	}
	if err := migrate(ctx, url); err != nil {
		return "", err
	}
	if err := data.Fill(ctx, url, size, progress(out)); err != nil {
		return "", err
	}
	return name, cluster.Exec(ctx, p.url, `ALTER DATABASE "`+building+`" RENAME TO "`+name+`"`)
}

// progress draws a bar a table.
func progress(out io.Writer) data.Progress {
	const width = 30
	return func(table string, done, of int) {
		filled := width * done / max(1, of)
		fmt.Fprintf(out, "\r%-14s [%s%s] %d", table, strings.Repeat("=", filled), strings.Repeat(" ", width-filled), done)
		if done == of {
			fmt.Fprintln(out)
		}
	}
}

func ask(_ context.Context, url string, run func(*sql.DB) error) error {
	db, err := sql.Open("postgres", url)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1) // what a statement sets is there for the next
	return errors.Join(run(db), db.Close())
}

func open(ctx context.Context, url string) (*database.DB, error) {
	return database.Open(ctx, database.Config{URL: url, Logger: slog.New(slog.DiscardHandler)})
}

func migrate(ctx context.Context, url string) error {
	db, err := open(ctx, url)
	if err != nil {
		return err
	}
	migrator, err := db.Migrator()
	if err == nil {
		err = migrator.Up(ctx, nil)
	}
	return errors.Join(err, db.Close())
}

func fingerprint(ctx context.Context, url string) (string, error) {
	db, err := open(ctx, url)
	if err != nil {
		return "", err
	}
	var schema string
	migrator, err := db.Migrator()
	if err == nil {
		schema, err = migrator.Fingerprint()
	}
	return schema, errors.Join(err, db.Close())
}

// addCaller makes the API key that our server is called with.
func addCaller(ctx context.Context, url string) (key string, err error) {
	db, err := open(ctx, url)
	if err != nil {
		return "", err
	}
	key, err = data.AddCaller(ctx, db.Client())
	return key, errors.Join(err, db.Close())
}
