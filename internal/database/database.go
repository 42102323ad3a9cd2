// Package database opens PostgreSQL or SQLite and keeps tenants apart in it.
//
// The tenant of a statement is the [tenancy.Scope] in its context. On
// PostgreSQL it reaches row-level security through the connection: the
// application's pool runs as a role to which the generated policies apply, the
// system's pool as a role that sees every tenant. On SQLite, which has no such
// policies, the composite foreign keys of [Compose] are the database's part.
// On both engines a context without a scope is refused.
//
// The package also shapes the schema ([Classify], [Compose], [Policies]),
// migrates it ([Migrator]) and runs transactions ([DB.InTx]).
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"entgo.io/ent/dialect"
)

// Config says which database to open, and how.
type Config struct {
	// URL names the database: postgres://…, sqlite:PATH, or the path of an
	// SQLite file, which is created if it is missing.
	URL string

	// SystemURL is an optional PostgreSQL login of its own for system work.
	// Without it system work uses URL's login, under another role.
	SystemURL string

	// MaxConns bounds the connections of each pool: the tenants' and the
	// system's on PostgreSQL, the readers on SQLite. Zero means 16.
	MaxConns int

	// Logger receives what no caller is told. Required.
	Logger *slog.Logger

	// Observe, if set, is called after every statement that ent's driver sends,
	// inside and outside of transactions, with the statement's text without its
	// values. Transaction control and the setting of the scope are not
	// reported. It must be safe for concurrent use, and fast.
	Observe func(ctx context.Context, query string, took time.Duration, err error)
}

const defaultMaxConns = 16

// Validate reports the first setting that cannot work.
func (c Config) Validate() error {
	switch {
	case c.URL == "":
		return errors.New("database: no URL")
	case c.Logger == nil:
		return errors.New("database: no logger")
	case c.MaxConns < 0:
		return fmt.Errorf("database: %d connections", c.MaxConns)
	case c.SystemURL != "" && !isPostgres(c.URL):
		return errors.New("database: a system URL needs PostgreSQL")
	case c.SystemURL != "" && !isPostgres(c.SystemURL):
		return errors.New("database: the system URL is not PostgreSQL's")
	}
	return nil
}

func isPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	dialect string
	app     *sql.DB
	system  *sql.DB
	owner   *sql.DB // migrations: the login as it is, under no role; on SQLite with foreign keys off
	readers *sql.DB // SQLite only
	driver  *router
	logger  *slog.Logger
	observe func(context.Context, string, time.Duration, error)
}

// Open opens a database and verifies that it answers. It does not migrate it:
// on PostgreSQL the pools of [DB.App] and [DB.System] connect only once
// [Migrator.Up] has created their roles.
func Open(ctx context.Context, c Config) (*DB, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.MaxConns == 0 {
		c.MaxConns = defaultMaxConns
	}
	db := &DB{logger: c.Logger, observe: c.Observe}
	open := db.openSQLite
	if isPostgres(c.URL) {
		open = db.openPostgres
	}
	if err := open(c); err != nil {
		return nil, err
	}
	db.driver = &router{db: db}
	if err := db.owner.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("database: %w", err), db.Close())
	}
	return db, nil
}

// Dialect is ent's name of the engine: dialect.Postgres or dialect.SQLite.
func (db *DB) Dialect() string { return db.dialect }

// App is the pool for tenants' work. On PostgreSQL each statement sees the
// rows of its context's scope, and no row without one; prepared statements and
// the system scope are refused. On SQLite it is the one writing connection.
func (db *DB) App() *sql.DB { return db.app }

// System is the pool for work outside every tenant, such as the job queue. On
// SQLite it is the same as [DB.App].
func (db *DB) System() *sql.DB { return db.system }

// Driver is the one ent driver of the process. It sends each statement where
// its context says: into the transaction that [DB.InTx] put there, else to the
// pool of its scope. A context without a scope is [tenancy.ErrNoScope].
func (db *DB) Driver() dialect.Driver { return db.driver }

// Ping verifies that both pools can be used. On PostgreSQL this includes their
// roles, so it fails before the first migration.
func (db *DB) Ping(ctx context.Context) error {
	pools := []*sql.DB{db.app}
	if db.system != db.app {
		pools = append(pools, db.system)
	}
	for _, pool := range pools {
		if err := pool.PingContext(ctx); err != nil {
			return fmt.Errorf("database: %w", err)
		}
	}
	return nil
}

// Close closes every connection. Statements under way fail.
func (db *DB) Close() error {
	var errs []error
	closed := make(map[*sql.DB]bool)
	for _, pool := range []*sql.DB{db.readers, db.app, db.system, db.owner} {
		if pool != nil && !closed[pool] {
			closed[pool] = true
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(errs...)
}
