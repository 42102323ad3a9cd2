// Package migrations holds the versioned migrations of each engine, as goose
// reads them. They are append-only: tools/migration writes the next one from
// the schema, and atlas.sum makes a change to an earlier one visible.
package migrations

import (
	"embed"
	"fmt"
	"io/fs"

	"entgo.io/ent/dialect"
)

//go:embed postgres sqlite
var files embed.FS

// Files returns the migrations of an engine, by ent's name for it.
func Files(engine string) (fs.FS, error) {
	dirs := map[string]string{dialect.Postgres: "postgres", dialect.SQLite: "sqlite"}
	dir, ok := dirs[engine]
	if !ok {
		return nil, fmt.Errorf("migrations: no engine %q", engine)
	}
	return fs.Sub(files, dir)
}
