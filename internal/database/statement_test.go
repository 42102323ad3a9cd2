package database_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	entdriver "entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

type named struct {
	name  string
	token []byte
}

// A statement reads the items that it is given, as they are and in their order.
func TestStatement(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db, ctx := fixture(t, engine), in(t.Context(), "acme", "a1")
		statement := database.NewStatement(engine, 2, []database.Column[named]{
			{Name: "name", Text: func(i named) string { return i.name }},
			{Name: "token", Data: func(i named) []byte { return i.token }},
			{Name: "again", Text: func(i named) string { return i.name + i.name }},
		}, func(given string) string { return "SELECT n, name, token, again, $1 FROM " + given + " ORDER BY n" })
		for _, names := range [][]string{nil, {"one"}, {"", `a "quoted" {b},\`, "é\n", "NULL"}} {
			items := make([]named, len(names))
			for i, name := range names {
				items[i] = named{name, bytes.Repeat([]byte{0, 0xff, byte(i)}, i)}
			}
			read := 0
			err := statement.Query(ctx, db, items, func(scan func(...any) error) error {
				var n int
				var name, again, before string
				var token []byte
				if err := scan(&n, &name, &token, &again, &before); err != nil {
					return err
				}
				want := items[read]
				if read++; n != read || name != want.name || again != want.name+want.name || !bytes.Equal(token, want.token) || before != "before" {
					t.Errorf("row %d: %d %q %q %x %q", read, n, name, again, token, before)
				}
				return nil
			}, "before")
			if err != nil || read != len(items) {
				t.Errorf("%d rows of %d: %v", read, len(items), err)
			}
		}
		rename := database.NewStatement(engine, 1, []database.Column[named]{
			{Name: "id", Text: func(i named) string { return i.name }}, {Name: "secret", Data: func(i named) []byte { return i.token }},
		}, func(given string) string {
			return "UPDATE devices SET secret = given.secret FROM " + given + " WHERE devices.id = given.id"
		})
		written, err := rename.Exec(ctx, db, []named{{"devices-a1", []byte("new")}, {"devices-b1", []byte("foreign")}, {"devices-a9", nil}})
		if err != nil || written != 1 && engine == "postgres" {
			t.Errorf("%d written: %v", written, err)
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
