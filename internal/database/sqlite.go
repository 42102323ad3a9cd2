package database

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"strings"
	"unicode"

	"entgo.io/ent/dialect"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// openSQLite opens one connection that writes and several that only read, so
// that a burst of reads cannot starve a write and no two writers contend.
func (db *DB) openSQLite(c Config) error {
	db.dialect = dialect.SQLite
	path := strings.TrimPrefix(c.URL, "sqlite:")
	if path == "" || strings.Contains(path, ":memory:") {
		return fmt.Errorf("database: %q is not the path of a file", c.URL)
	}
	// Created here, because SQLite would let every user of the machine read it.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	pools := []struct {
		pool    **sql.DB
		pragmas []string
		max     int
	}{
		{&db.app, []string{"foreign_keys(1)"}, 1},
		{&db.readers, []string{"foreign_keys(1)", "query_only(1)"}, c.MaxConns},
		// A migration that rebuilds a table would otherwise delete its children
		// by cascade: inside a transaction the pragma can no longer be changed.
		{&db.owner, []string{"foreign_keys(0)"}, 1},
	}
	for _, p := range pools {
		pool, err := sql.Open("sqlite", sqliteDSN(path, p.pragmas...))
		if err != nil {
			return fmt.Errorf("database: %w", err)
		}
		pool.SetMaxOpenConns(p.max)
		pool.SetMaxIdleConns(p.max)
		*p.pool = pool
	}
	db.system = db.app
	return nil
}

func sqliteDSN(path string, pragmas ...string) string {
	query := url.Values{
		"_txlock":      {"immediate"},
		"_time_format": {"sqlite"},
		"_pragma": append([]string{
			"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)",
			"cache_size(-65536)", "temp_store(MEMORY)", "mmap_size(268435456)",
		}, pragmas...),
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
}

// reads reports whether a statement may go to a reader. ent runs INSERT …
// RETURNING as a query, so the kind of call does not tell. A WITH that writes
// is refused by the reader, which is query_only.
func reads(query string) bool {
	query = strings.TrimLeftFunc(query, func(r rune) bool { return unicode.IsSpace(r) || r == '(' })
	for _, verb := range []string{"SELECT", "WITH"} {
		if len(query) > len(verb) && strings.EqualFold(query[:len(verb)], verb) {
			return true
		}
	}
	return false
}
