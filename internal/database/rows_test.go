package database_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	entdriver "entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

// A statement reads the rows that it is given, as they are and in their order.
func TestRows(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db, ctx := fixture(t, engine), in(t.Context(), "acme", "a1")
		given := database.Rows{Name: "given", Texts: []string{"name", "place"}, Binaries: []string{"token"}}
		for _, names := range [][]string{nil, {"one"}, {"", `a "quoted" {b},\`, "é\n", "NULL"}} {
			var places []string
			var tokens [][]byte
			for i := range names {
				places = append(places, fmt.Sprint("place ", i))
				tokens = append(tokens, bytes.Repeat([]byte{0, 0xff, byte(i)}, i))
			}
			args, err := given.Args(engine, [][]string{names, places}, tokens)
			if err != nil {
				t.Fatal(err)
			}
			if len(args) != given.Count(engine) {
				t.Fatalf("%d arguments, not %d", len(args), given.Count(engine))
			}
			statement := "SELECT n, name, place, token, $1 FROM " + given.SQL(engine, 2) + " ORDER BY n"
			var rows entdriver.Rows
			if err := db.Driver().Query(ctx, statement, append([]any{"before"}, args...), &rows); err != nil {
				t.Fatal(err)
			}
			read := 0
			for ; rows.Next(); read++ {
				var n int
				var name, place, before string
				var token []byte
				if err := rows.Scan(&n, &name, &place, &token, &before); err != nil {
					t.Fatal(err)
				}
				if n != read+1 || name != names[read] || place != places[read] || !bytes.Equal(token, tokens[read]) || before != "before" {
					t.Errorf("row %d: %d %q %q %x %q", read, n, name, place, token, before)
				}
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				t.Fatal(err)
			}
			if read != len(names) {
				t.Errorf("%d rows of %d", read, len(names))
			}
		}
		if _, err := given.Args(engine, [][]string{nil}); err == nil || !strings.Contains(err.Error(), "given") {
			t.Errorf("columns that are missing: %v", err)
		}
	})
}

func TestUndone(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db, ctx := fixture(t, engine), in(t.Context(), "acme", "a1")
		err := db.InTx(ctx, func(ctx context.Context) error {
			var result entdriver.Result
			return db.Driver().Exec(ctx, "UPDATE devices SET organization_id = 'b1'", []any{}, &result)
		})
		if !database.Undone(err) {
			t.Errorf("a refused statement: %v", err)
		}
		for _, err := range []error{nil, context.Canceled, fmt.Errorf("read: %w", context.DeadlineExceeded), io.ErrUnexpectedEOF} {
			if database.Undone(err) {
				t.Errorf("nobody knows: %v", err)
			}
		}
	})
}
