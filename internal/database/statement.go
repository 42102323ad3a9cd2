package database

import (
	"context"
	stdsql "database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"
	"github.com/lib/pq"
)

// Column is a column of a table that a statement is given: of texts or of data,
// never NULL.
type Column[I any] struct {
	Name string
	Text func(I) string
	Data func(I) []byte
}

// Statement does for many items what it would do for one: it reads them as a
// table of its arguments, so that one text does for any number of them, which a
// connection prepares once. It is built once and safe for concurrent use.
type Statement[I any] struct {
	engine  string
	columns []Column[I]
	text    string
}

// NewStatement builds a statement around a table of items that its SQL has in a
// FROM and calls given. A column n counts them from 1. Placeholders are $1, $2 and
// so on, on both engines; the table's arguments begin at a number, after those
// that lead.
//
// What many rows share, such as a status or the provider, is best compared as an
// expression, which no index serves (joined with the empty text, for instance): a
// planner that takes these rows to be few would read them all rather than look
// each item up.
func NewStatement[I any](engine string, first int, columns []Column[I], build func(given string) string) Statement[I] {
	return Statement[I]{engine, columns, build(table(engine, first, columns))}
}

func table[I any](engine string, first int, columns []Column[I]) string {
	names, items := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
		switch {
		case engine != dialect.Postgres && c.Data != nil:
			items[i] = fmt.Sprintf("unhex(json_extract(value, '$[%d]')) AS %s", i, c.Name)
		case engine != dialect.Postgres:
			items[i] = fmt.Sprintf("json_extract(value, '$[%d]') AS %s", i, c.Name)
		// Selected, an array is of unknown length to the planner, which then keeps one
		// plan for all lengths: it would make one for each run.
		case c.Data != nil:
			items[i] = fmt.Sprintf("(SELECT $%d::bytea[])", first+i)
		default:
			items[i] = fmt.Sprintf("(SELECT $%d::text[])", first+i)
		}
	}
	if engine != dialect.Postgres {
		return fmt.Sprintf("(SELECT key + 1 AS n, %s FROM json_each($%d)) AS given", strings.Join(items, ", "), first)
	}
	return fmt.Sprintf("unnest(%s) WITH ORDINALITY AS given (%s, n)", strings.Join(items, ", "), strings.Join(names, ", "))
}

// JSON reads a text of a statement, empty for NULL, as a column of JSON keeps it.
func JSON(engine, text string) string {
	if engine != dialect.Postgres {
		return "NULLIF(" + text + ", '')"
	}
	return "NULLIF(" + text + ", '')::jsonb"
}

// Writes does several writes for the same items, in an order in which each may
// refer to what the one before it has written. On PostgreSQL they are one
// statement, and cost one round trip: none of them reads what another has written,
// and references are checked at its end. SQLite has one for each.
type Writes[I any] []Statement[I]

// NewWrites builds writes as [NewStatement] does, each around a table of items that
// its SQL has as @given.
func NewWrites[I any](engine string, first int, columns []Column[I], writes ...string) Writes[I] {
	if engine != dialect.Postgres {
		list := make(Writes[I], len(writes))
		for i, write := range writes {
			list[i] = NewStatement(engine, first, columns, func(given string) string { return strings.ReplaceAll(write, "@given", given) })
		}
		return list
	}
	return Writes[I]{NewStatement(engine, first, columns, func(given string) string {
		last := len(writes) - 1
		named := []string{"WITH given AS (SELECT * FROM " + given + ")"}
		for i, write := range writes[:last] {
			named = append(named, fmt.Sprintf("write%d AS (%s)", i, write))
		}
		return strings.ReplaceAll(strings.Join(named, ", ")+" "+writes[last], "@given", "given")
	})}
}

// Exec writes, and answers how many rows the last write has written.
func (w Writes[I]) Exec(ctx context.Context, db *DB, items []I, leading ...any) (written int64, err error) {
	for _, statement := range w {
		if written, err = statement.Exec(ctx, db, items, leading...); err != nil {
			return 0, err
		}
	}
	return written, nil
}

// Query writes, and has each row read that the last write answers.
func (w Writes[I]) Query(ctx context.Context, db *DB, items []I, read func(scan func(...any) error) error, leading ...any) error {
	last := len(w) - 1
	if _, err := w[:last].Exec(ctx, db, items, leading...); err != nil {
		return err
	}
	return w[last].Query(ctx, db, items, read, leading...)
}

// args are the statement's arguments: those that lead, and the items.
func (s Statement[I]) args(items []I, leading []any) ([]any, error) {
	args := slices.Clone(leading)
	if s.engine != dialect.Postgres {
		document, err := s.document(items)
		return append(args, document), err
	}
	for _, c := range s.columns {
		if c.Data != nil {
			args = append(args, pq.ByteaArray(values(items, c.Data)))
		} else {
			args = append(args, pq.StringArray(values(items, c.Text)))
		}
	}
	return args, nil
}

func values[I, V any](items []I, of func(I) V) []V {
	list := make([]V, len(items))
	for i, item := range items {
		list[i] = of(item)
	}
	return list
}

// document is what SQLite is given, which has no arrays.
func (s Statement[I]) document(items []I) (string, error) {
	rows := make([][]string, len(items))
	for i, item := range items {
		rows[i] = values(s.columns, func(c Column[I]) string {
			if c.Data != nil {
				return hex.EncodeToString(c.Data(item))
			}
			return c.Text(item)
		})
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return "", fmt.Errorf("database: items of a statement: %w", err)
	}
	return string(text), nil
}

// Exec runs a statement that answers no rows, in the context's transaction if
// there is one, and answers how many it has written.
func (s Statement[I]) Exec(ctx context.Context, db *DB, items []I, leading ...any) (int64, error) {
	args, err := s.args(items, leading)
	if err != nil {
		return 0, err
	}
	var result stdsql.Result
	if err := db.driver.Exec(ctx, s.text, args, &result); err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Query runs a statement, in the context's transaction if there is one, and has
// each row read.
func (s Statement[I]) Query(ctx context.Context, db *DB, items []I, read func(scan func(...any) error) error, leading ...any) (err error) {
	args, err := s.args(items, leading)
	if err != nil {
		return err
	}
	var rows sql.Rows
	if err := db.driver.Query(ctx, s.text, args, &rows); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := read(rows.Scan); err != nil {
			return fmt.Errorf("read a row: %w", err)
		}
	}
	return rows.Err()
}
