package data

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	_ "github.com/lib/pq" // the driver "postgres"
)

// seed of the measured provider's rows; the neighbour's follow from the next.
const seed = 20250101

// Revision changes when the same size no longer means the same rows.
const Revision = 1

// Progress is told how many rows of a table there are, and how many of them are written.
type Progress func(table string, done, of int)

// Fill writes a size of rows into a migrated, empty database. The login must
// be a superuser, because COPY does not work under row-level security, and
// foreign keys are not checked row by row: the rows agree by construction.
func Fill(ctx context.Context, url string, size Size, progress Progress) error {
	if err := size.Validate(); err != nil {
		return err
	}
	db, err := sql.Open("postgres", url)
	if err != nil {
		return err
	}
	for _, t := range []struct {
		*tenant
		name string
	}{
		{&tenant{source: newSource(seed), size: size}, Provider},
		{&tenant{source: newSource(seed + 1), size: size.neighbour()}, "Neighbour"},
	} {
		if err := write(ctx, db, t.tenant, t.name, progress); err != nil {
			return errors.Join(fmt.Errorf("fill %s: %w", t.name, err), db.Close())
		}
	}
	// Index-only scans need the visibility map, and the planner its statistics.
	if _, err := db.ExecContext(ctx, "VACUUM ANALYZE"); err != nil {
		return errors.Join(err, db.Close())
	}
	return db.Close()
}

// Provider is the name of the measured provider.
const Provider = "Bench"

func write(ctx context.Context, db *sql.DB, t *tenant, name string, progress Progress) (err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	if _, err := tx.ExecContext(ctx, "SET LOCAL session_replication_role = replica"); err != nil {
		return err
	}
	tables := []struct {
		name    string
		of      int
		columns []string
		rows    func(row func(...any) error) error
	}{
		{"providers", 1, []string{"id", "created_at", "updated_at", "name", "require_admin_mfa"},
			func(row func(...any) error) error { return t.provide(row, name) }},
		{"organizations", t.size.Organizations,
			[]string{"id", "created_at", "updated_at", "name", "user_count", "status", "provider_id"}, t.organize},
		{"users", t.size.Devices / devicesPerUser,
			[]string{"id", "provider_id", "created_at", "updated_at", "login", "email", "first_name", "last_name", "status", "organization_id"}, t.staff},
		{"devices", t.size.Devices,
			[]string{"id", "provider_id", "created_at", "updated_at", "name", "serial_number", "platform", "model", "os_version",
				"enrolled", "last_seen_at", "organization_id", "user_id"}, t.equip},
		{"alerts", 2 * t.size.Alerts,
			[]string{"id", "provider_id", "created_at", "updated_at", "type", "severity", "status", "title",
				"dedupe_key", "source_type", "first_occurred_at", "last_occurred_at", "resolved_at", "organization_id", "device_id"}, t.alarm},
	}
	for _, table := range tables {
		if err := copyRows(ctx, tx, table.name, table.columns, func(row func(...any) error) error {
			done := 0
			return table.rows(func(values ...any) error {
				if done++; done%1000 == 0 || done == table.of {
					progress(table.name, done, table.of)
				}
				return row(values...)
			})
		}); err != nil {
			return fmt.Errorf("%s: %w", table.name, err)
		}
	}
	return tx.Commit()
}

func copyRows(ctx context.Context, tx *sql.Tx, table string, columns []string, rows func(func(...any) error) error) (err error) {
	stmt, err := tx.PrepareContext(ctx, `COPY "`+table+`" ("`+strings.Join(columns, `", "`)+`") FROM STDIN`)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	if err := rows(func(values ...any) error {
		_, err := stmt.ExecContext(ctx, values...)
		return err
	}); err != nil {
		return err
	}
	_, err = stmt.ExecContext(ctx) // flushes
	return err
}
