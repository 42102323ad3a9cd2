package database_test

import (
	"slices"
	"testing"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

// Any number of values is one text, and nothing in a value is taken for another.
func TestOneOf(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db, ctx := fixture(t, engine), in(t.Context(), "acme", "a1", "a2")
		texts := map[string]bool{}
		for _, c := range []struct{ ids, want []string }{
			{nil, nil},
			{[]string{"devices-a1"}, []string{"devices-a1"}},
			{[]string{"devices-a2", `{"devices-a1"}`, "devices-a1", "devices-a2", "", `a,'"`}, []string{"devices-a1", "devices-a2"}},
			{[]string{"devices-b1,devices-a1", "NULL"}, nil},
		} {
			build := sql.Dialect(engine)
			q := build.Select("id").From(build.Table("devices")).OrderBy("id")
			database.OneOf("id", c.ids)(q)
			text, args := q.Query()
			texts[text] = true
			var rows sql.Rows
			if err := db.Driver().Query(ctx, text, args, &rows); err != nil {
				t.Fatal(err)
			}
			var got []string
			if err := sql.ScanSlice(rows, &got); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q: %q", c.ids, got)
			}
		}
		if len(texts) != 1 {
			t.Errorf("%d texts", len(texts))
		}
	})
}
