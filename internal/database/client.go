package database

import (
	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/migrate"
	_ "github.com/bailiwick/bailiwick/ent/runtime" // the entities' hooks and interceptors
	"github.com/bailiwick/bailiwick/migrations"
	"github.com/bailiwick/bailiwick/schema"
)

// Client returns an ent client on the database. One serves the whole process,
// inside and outside of transactions: [DB.Driver] looks into the context.
func (db *DB) Client() *ent.Client { return ent.NewClient(ent.Driver(db.Driver())) } //nolint:forbidigo // the right place

// Migrator returns the migrator of Bailiwick's own schema.
func (db *DB) Migrator() (*Migrator, error) {
	plan, err := Bailiwick(db.Dialect())
	if err != nil {
		return nil, err
	}
	return NewMigrator(db, plan)
}

// Bailiwick is the plan of Bailiwick's own schema for an engine, by ent's name
// for it.
func Bailiwick(engine string) (Plan, error) {
	files, err := migrations.Files(engine)
	if err != nil {
		return Plan{}, err
	}
	rules := Rules{Global: schema.Global(), AppendOnly: schema.AppendOnly()}
	tables, err := Compose(migrate.Tables, rules, engine)
	if err != nil {
		return Plan{}, err
	}
	return Plan{Files: files, Tables: tables, Rules: rules}, nil
}
