package database

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"time"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql/schema"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// versionTable records which migrations were applied.
const versionTable = "schema_versions"

// migrationLock is the key of the advisory lock that migrating processes of
// one PostgreSQL database take turns by. It is an arbitrary number.
const migrationLock = 0x6261696c6977

// Plan is what a database is migrated to.
type Plan struct {
	Files  fs.FS           // the versioned migrations of the database's engine, in goose's format
	Tables []*schema.Table // the entities' tables, for the policies
	Rules  Rules
}

// Version is one migration and whether it was applied.
type Version struct {
	Number    int64
	Name      string
	AppliedAt time.Time // zero while it is pending
}

// Progress is told of each migration before it runs: the i-th of n, from 1.
type Progress func(version int64, name string, i, n int)

// Migrator brings a database to a [Plan]: the job queue's tables, the
// versioned migrations, then on PostgreSQL the generated policies.
//
// Migrations only go forward in earnest: a release that has run against real
// data is mended by a further migration. [Migrator.Down] is for development.
type Migrator struct {
	db       *DB
	plan     Plan
	provider *goose.Provider
}

// NewMigrator returns a migrator for an open database.
func NewMigrator(db *DB, plan Plan) (*Migrator, error) {
	engine := goose.DialectPostgres
	if db.dialect == dialect.SQLite {
		engine = goose.DialectSQLite3
	}
	provider, err := goose.NewProvider(engine, db.owner, plan.Files,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return nil, fmt.Errorf("database: read migrations: %w", err)
	}
	return &Migrator{db: db, plan: plan, provider: provider}, nil
}

// Up applies what is pending, and generates the policies anew. Processes that
// call it at the same time take turns. Progress may be nil.
func (m *Migrator) Up(ctx context.Context, progress Progress) error {
	return m.locked(ctx, func() error {
		if err := m.queue(ctx); err != nil {
			return err
		}
		versions, err := m.Status(ctx)
		if err != nil {
			return err
		}
		var pending []Version
		for _, v := range versions {
			if v.AppliedAt.IsZero() {
				pending = append(pending, v)
			}
		}
		for i, v := range pending {
			if progress != nil {
				progress(v.Number, v.Name, i+1, len(pending))
			}
			if _, err := m.provider.ApplyVersion(ctx, v.Number, true); err != nil {
				return fmt.Errorf("database: migrate to %d %s: %w", v.Number, v.Name, err)
			}
			if err := m.checkKeys(ctx); err != nil {
				return fmt.Errorf("database: after migration %d %s: %w", v.Number, v.Name, err)
			}
		}
		return m.policies(ctx)
	})
}

// Down takes back the newest migration, and what it created with it. It is an
// error if there is none.
func (m *Migrator) Down(ctx context.Context) (Version, error) {
	var v Version
	err := m.locked(ctx, func() error {
		result, err := m.provider.Down(ctx)
		if err != nil {
			return fmt.Errorf("database: take back a migration: %w", err)
		}
		v = versionOf(result.Source)
		return m.checkKeys(ctx)
	})
	return v, err
}

// Status lists every migration, oldest first.
func (m *Migrator) Status(ctx context.Context) ([]Version, error) {
	statuses, err := m.provider.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("database: read the migrations' status: %w", err)
	}
	versions := make([]Version, len(statuses))
	for i, s := range statuses {
		versions[i] = versionOf(s.Source)
		versions[i].AppliedAt = s.AppliedAt
	}
	return versions, nil
}

func versionOf(s *goose.Source) Version {
	name := strings.TrimSuffix(path.Base(s.Path), ".sql")
	if _, after, found := strings.Cut(name, "_"); found {
		name = after
	}
	return Version{Number: s.Version, Name: name}
}

// locked runs fn while no other process migrates the same database. SQLite's
// own lock on writing serves there.
func (m *Migrator) locked(ctx context.Context, fn func() error) error {
	if m.db.dialect != dialect.Postgres {
		return fn()
	}
	conn, err := m.db.owner.Conn(ctx)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer func() {
		if err := conn.Close(); err != nil {
			m.db.logger.WarnContext(ctx, "close the migration's connection", "error", err)
		}
	}()
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		return fmt.Errorf("database: wait for other migrations: %w", err)
	}
	err = fn()
	// Not under ctx: the connection goes back to the pool, and the lock with it.
	_, unlock := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(migrationLock))
	return errors.Join(err, unlock)
}

func (m *Migrator) queue(ctx context.Context) error {
	if m.db.dialect == dialect.SQLite {
		return migrateQueue(ctx, riversqlite.New(m.db.owner), m.db.logger)
	}
	return migrateQueue(ctx, riverdatabasesql.New(m.db.owner), m.db.logger)
}

// Fingerprint identifies what [Migrator.Up] leads to: it changes when a
// migration, a policy or the job queue's schema does.
func (m *Migrator) Fingerprint() (string, error) {
	hash := sha256.New()
	if err := fs.WalkDir(m.plan.Files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(m.plan.Files, path)
		hash.Write(append([]byte(path+"\n"), content...))
		return err
	}); err != nil {
		return "", fmt.Errorf("database: read migrations: %w", err)
	}
	queue, err := m.queueVersions()
	if err != nil {
		return "", err
	}
	for _, v := range queue {
		hash.Write([]byte(v.SQLUp + "\n"))
	}
	if m.db.dialect == dialect.Postgres {
		statements, err := Policies(m.plan.Tables, m.plan.Rules)
		if err != nil {
			return "", err
		}
		hash.Write([]byte(strings.Join(statements, "\n")))
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

func (m *Migrator) queueVersions() ([]rivermigrate.Migration, error) {
	if m.db.dialect == dialect.SQLite {
		migrator, err := queueMigrator(riversqlite.New(m.db.owner), m.db.logger)
		if err != nil {
			return nil, err
		}
		return migrator.AllVersions(), nil
	}
	migrator, err := queueMigrator(riverdatabasesql.New(m.db.owner), m.db.logger)
	if err != nil {
		return nil, err
	}
	return migrator.AllVersions(), nil
}

func queueMigrator[T any](driver riverdriver.Driver[T], logger *slog.Logger) (*rivermigrate.Migrator[T], error) {
	// River reports each of its own steps at level info.
	quiet := slog.New(levelHandler{logger.Handler()})
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: quiet})
	if err != nil {
		return nil, fmt.Errorf("database: the job queue's migrations: %w", err)
	}
	return migrator, nil
}

func migrateQueue[T any](ctx context.Context, driver riverdriver.Driver[T], logger *slog.Logger) error {
	migrator, err := queueMigrator(driver, logger)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("database: migrate the job queue: %w", err)
	}
	return nil
}

// levelHandler drops what is below a warning.
type levelHandler struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h levelHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// checkKeys verifies that no row lost its parent: on SQLite migrations run
// with foreign keys off.
func (m *Migrator) checkKeys(ctx context.Context) error {
	if m.db.dialect != dialect.SQLite {
		return nil
	}
	var table, parent string
	err := m.db.owner.QueryRowContext(ctx,
		`SELECT "table", "parent" FROM pragma_foreign_key_check LIMIT 1`).Scan(&table, &parent)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("check foreign keys: %w", err)
	default:
		return fmt.Errorf("a row of %s refers to a row of %s that is not there", table, parent)
	}
}

func (m *Migrator) policies(ctx context.Context) error {
	if m.db.dialect != dialect.Postgres {
		return nil
	}
	statements, err := Policies(m.plan.Tables, m.plan.Rules)
	if err != nil {
		return err
	}
	tx, err := m.db.owner.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return errors.Join(fmt.Errorf("database: apply policies: %s: %w", statement, err), tx.Rollback())
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("database: apply policies: %w", err)
	}
	return nil
}
