package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/bailiwick/bailiwick/internal/app"
	"github.com/bailiwick/bailiwick/internal/database"
)

type migrateGroup struct {
	Up     migrateUp     `cmd:"" help:"Apply every pending migration."`
	Status migrateStatus `cmd:"" help:"List the migrations; exit code 3 while any is pending."`
	Down   migrateDown   `cmd:"" help:"Take back the newest migration, with the data in what it created."`
}

type migrateUp struct {
	settings `embed:""`
}

// Help implements kong.HelpProvider.
func (migrateUp) Help() string {
	return `It needs a login that owns the database: --database-system-url if that is set, else --database-url. Processes that migrate at the same time take turns. Running it again changes nothing.

Example:

	bailiwick migrate up --database-url postgres://bailiwick@db/bailiwick

` + exitCodes
}

// Run applies what is pending.
func (m *migrateUp) Run(ctx context.Context, c console) error {
	return m.migrator(ctx, c, func(migrator *database.Migrator) error {
		applied := 0
		err := migrator.Up(ctx, func(number int64, name string, i, n int) {
			applied = n
			c.tell("%d/%d  %d  %s", i, n, number, name)
		})
		if err != nil {
			return err
		}
		if applied == 0 {
			return c.printf("nothing to do: the database is up to date\n")
		}
		if applied == 1 {
			return c.printf("applied 1 migration\n")
		}
		return c.printf("applied %d migrations\n", applied)
	})
}

type migrateStatus struct {
	settings `embed:""`
}

// Help implements kong.HelpProvider.
func (migrateStatus) Help() string {
	return `Example, to wait for another process's migration:

	until bailiwick migrate status; do sleep 2; done

` + exitCodes
}

// Run lists the migrations.
func (m *migrateStatus) Run(ctx context.Context, c console) error {
	return m.migrator(ctx, c, func(migrator *database.Migrator) error {
		versions, err := migrator.Status(ctx)
		if err != nil {
			return err
		}
		pending := 0
		var lines strings.Builder
		lines.WriteString("VERSION\tNAME\tAPPLIED\n")
		for _, v := range versions {
			applied := v.AppliedAt.UTC().Format(time.RFC3339)
			if v.AppliedAt.IsZero() {
				applied = "pending"
				pending++
			}
			fmt.Fprintf(&lines, "%d\t%s\t%s\n", v.Number, v.Name, applied)
		}
		table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		if _, err := table.Write([]byte(lines.String())); err != nil {
			return err
		}
		if err := table.Flush(); err != nil {
			return err
		}
		if pending > 0 {
			return app.ErrMigrations
		}
		return nil
	})
}

type migrateDown struct {
	settings `embed:""`
	Yes      bool `help:"Do it. What the migration created is dropped, with its data."`
}

// Help implements kong.HelpProvider.
func (migrateDown) Help() string {
	return `For development. A release that has run against real data is mended by a further migration, never by this.

Example:

	bailiwick migrate down --yes --database-url sqlite:data/bailiwick.db

` + exitCodes
}

// Run takes back the newest migration.
func (m *migrateDown) Run(ctx context.Context, c console) error {
	if !m.Yes {
		return usageError{errors.New("this drops what the newest migration created, with its data: repeat it with --yes to go ahead")}
	}
	return m.migrator(ctx, c, func(migrator *database.Migrator) error {
		v, err := migrator.Down(ctx)
		if err != nil {
			return err
		}
		return c.printf("took back %d %s\n", v.Number, v.Name)
	})
}

func (s settings) migrator(ctx context.Context, c console, use func(*database.Migrator) error) (err error) {
	db, err := s.openDatabase(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	migrator, err := db.Migrator()
	if err != nil {
		return err
	}
	return use(migrator)
}
