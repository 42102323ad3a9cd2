// Package lateral restricts a query to the first rows of each of several
// parents, in one statement whose cost follows the rows returned and not the
// rows that the parents have: a lateral join on PostgreSQL, a union of limited
// index scans on SQLite. A window function would number every row first.
package lateral

import (
	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"
	"github.com/lib/pq"
)

// In keeps the rows of the parents.
func In(column string, parents []string) func(*sql.Selector) { return IDs(column, parents...) }

// First keeps the first limit rows of each parent. Shape adds the inner
// query's predicates and order.
func First(table, column string, parents []string, limit int, shape func(*sql.Selector)) func(*sql.Selector) {
	return func(s *sql.Selector) {
		inner := func(isParent func(b *sql.Builder)) *sql.Selector {
			t := sql.Dialect(s.Dialect()).Select().From(sql.Dialect(s.Dialect()).Table(table))
			t.Select(t.C("id"))
			t.Where(sql.P(func(b *sql.Builder) {
				b.Ident(t.C(column)).WriteString(" = ")
				isParent(b)
			}))
			shape(t)
			return t.Limit(limit)
		}
		if s.Dialect() == dialect.Postgres {
			s.Where(sql.P(func(b *sql.Builder) {
				b.Ident(s.C("id")).WriteString(" IN (SELECT l.id FROM unnest((")
				list(b, parents)
				b.WriteString(")) AS p(id) CROSS JOIN LATERAL (")
				b.Join(inner(func(b *sql.Builder) { b.WriteString("p.id") }))
				b.WriteString(") AS l)")
			}))
			return
		}
		s.Where(sql.P(func(b *sql.Builder) {
			b.Ident(s.C("id")).WriteString(" IN (")
			for i, parent := range parents {
				if i > 0 {
					b.WriteString(" UNION ALL ")
				}
				b.WriteString("SELECT * FROM (")
				b.Join(inner(func(b *sql.Builder) { b.Arg(parent) }))
				b.WriteString(")")
			}
			b.WriteString(")")
		}))
	}
}

// IDs keeps the rows with one of the ids. On PostgreSQL they travel as one
// parameter, so that the statement has one text, and one plan, however many
// there are.
func IDs(column string, ids ...string) func(*sql.Selector) {
	return func(s *sql.Selector) {
		if s.Dialect() != dialect.Postgres {
			sql.FieldIn(column, ids...)(s)
			return
		}
		s.Where(sql.P(func(b *sql.Builder) {
			b.Ident(s.C(column)).WriteString(" = ANY((")
			list(b, ids)
			b.WriteString(")::text[])")
		}))
	}
}

// list selects ids as an array. Were it not selected, the planner would see how
// long it is, believe that it can do better with that, and so plan each run anew,
// which takes longer than most of them.
func list(b *sql.Builder, ids []string) {
	b.WriteString("SELECT ").Arg(pq.StringArray(ids)).WriteString("::text[]")
}
