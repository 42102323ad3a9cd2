package database

import (
	"encoding/json"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"
	"github.com/lib/pq"
)

// OneOf keeps the rows whose column is one of the values, which may be what
// somebody sent: those of ent's IDIn are ids, without commas. They are one argument,
// so that the statement is the same text for any number of them, and a connection
// prepares it once, and plans it once: the array is selected, for were it not, the
// planner would see how long it is and plan each run anew. No values keep no row.
func OneOf(column string, values []string) func(*sql.Selector) {
	return func(s *sql.Selector) {
		s.Where(sql.P(func(b *sql.Builder) {
			b.Ident(s.C(column))
			if b.Dialect() == dialect.Postgres {
				b.WriteString(" = ANY((SELECT ").Arg(pq.StringArray(values)).WriteString("::text[])::text[])")
				return
			}
			text, err := json.Marshal(values)
			b.AddError(err)
			b.WriteString(" IN (SELECT value FROM json_each(").Arg(string(text)).WriteString("))")
		}))
	}
}
