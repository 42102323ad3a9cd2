package database

import (
	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"
)

// ForUpdate makes a query lock its rows until the transaction ends. SQLite has
// one writer, and needs no lock.
func ForUpdate(q *sql.Selector) {
	if q.Dialect() == dialect.Postgres {
		q.ForUpdate()
	}
}

// ForNoKeyUpdate is ForUpdate without holding up rows that refer to the locked.
func ForNoKeyUpdate(q *sql.Selector) {
	if q.Dialect() == dialect.Postgres {
		q.For(sql.LockNoKeyUpdate)
	}
}

// SkipLocked is ForUpdate for rows that nobody else has locked: it leaves the
// others out.
func SkipLocked(q *sql.Selector) {
	if q.Dialect() == dialect.Postgres {
		q.ForUpdate(sql.WithLockAction(sql.SkipLocked))
	}
}
