package database

import (
	"context"
	stdsql "database/sql"
	"time"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"
)

// router is the ent driver that sends each statement where its context says.
type router struct{ db *DB }

var _ dialect.Driver = (*router)(nil)

// Dialect implements dialect.Driver.
func (r *router) Dialect() string { return r.db.dialect }

// Close implements dialect.Driver. The database is closed by [DB.Close].
func (r *router) Close() error { return r.db.Close() }

// Exec implements dialect.ExecQuerier.
func (r *router) Exec(ctx context.Context, query string, args, v any) error {
	if tx := ambientOf(ctx, r.db); tx != nil {
		if ran, err := tx.exec(ctx, query, args, v); ran {
			return err
		}
	}
	pool, err := r.db.pool(ctx)
	if err != nil {
		return err
	}
	return r.db.observed(ctx, query, func() error {
		return r.conn(pool).Exec(ctx, query, args, v)
	})
}

// Query implements dialect.ExecQuerier.
func (r *router) Query(ctx context.Context, query string, args, v any) error {
	if tx := ambientOf(ctx, r.db); tx != nil {
		if ran, err := tx.query(ctx, query, args, v); ran {
			return err
		}
	}
	pool, err := r.db.queryPool(ctx, query)
	if err != nil {
		return err
	}
	return r.db.observed(ctx, query, func() error {
		return r.conn(pool).Query(ctx, query, args, v)
	})
}

func (r *router) conn(pool *stdsql.DB) *sql.Driver { return sql.OpenDB(r.db.dialect, pool) }

// ExecContext serves ent's clients generated with sql/execquery.
func (r *router) ExecContext(ctx context.Context, query string, args ...any) (stdsql.Result, error) {
	var result stdsql.Result
	err := r.Exec(ctx, query, args, &result)
	return result, err
}

// QueryContext serves ent's clients generated with sql/execquery. Within a
// transaction the rows must be closed before its next statement.
func (r *router) QueryContext(ctx context.Context, query string, args ...any) (*stdsql.Rows, error) {
	if tx := ambientOf(ctx, r.db); tx != nil {
		if rows, ran, err := tx.queryContext(ctx, query, args); ran {
			return rows, err
		}
	}
	pool, err := r.db.queryPool(ctx, query)
	if err != nil {
		return nil, err
	}
	var rows *stdsql.Rows
	err = r.db.observed(ctx, query, func() (err error) {
		rows, err = pool.QueryContext(ctx, query, args...) //nolint:rowserrcheck,sqlclosecheck // the caller reads and closes them
		return err
	})
	return rows, err
}

// Tx implements dialect.Driver: it joins the context's transaction, whose
// commit then decides, or begins one.
func (r *router) Tx(ctx context.Context) (dialect.Tx, error) { return r.BeginTx(ctx, nil) }

// BeginTx is Tx with options, which a joined transaction ignores.
func (r *router) BeginTx(ctx context.Context, opts *stdsql.TxOptions) (dialect.Tx, error) {
	if tx := ambientOf(ctx, r.db); tx != nil && !tx.ended() {
		if err := tx.admits(ctx); err != nil {
			return nil, err
		}
		return joinedTx{router: r, tx: tx}, nil
	}
	tx, err := r.db.begin(ctx, opts)
	if err != nil {
		return nil, err
	}
	return ownTx{tx}, nil
}

// joinedTx is a transaction within the ambient one. Its rollback dooms the
// whole, as a failed statement does on PostgreSQL.
type joinedTx struct {
	*router
	tx *ambient
}

func (joinedTx) Commit() error { return nil }

func (j joinedTx) Rollback() error {
	j.tx.doom(errRolledBackInside)
	return nil
}

// ownTx is a transaction that ent began for one of its own operations.
type ownTx struct{ tx *ambient }

func (o ownTx) Exec(ctx context.Context, query string, args, v any) error {
	ran, err := o.tx.exec(ctx, query, args, v)
	if !ran {
		return stdsql.ErrTxDone
	}
	return err
}

func (o ownTx) Query(ctx context.Context, query string, args, v any) error {
	ran, err := o.tx.query(ctx, query, args, v)
	if !ran {
		return stdsql.ErrTxDone
	}
	return err
}

func (o ownTx) Commit() error   { return o.tx.commit() }
func (o ownTx) Rollback() error { return o.tx.rollback() }

// pool is where a statement outside of a transaction goes, by its scope.
func (db *DB) pool(ctx context.Context) (*stdsql.DB, error) {
	r, err := reachOf(ctx)
	if err != nil {
		return nil, err
	}
	if r.system {
		return db.system, nil
	}
	return db.app, nil
}

func (db *DB) queryPool(ctx context.Context, query string) (*stdsql.DB, error) {
	pool, err := db.pool(ctx)
	if err == nil && db.readers != nil && reads(query) {
		return db.readers, nil
	}
	return pool, err
}

func (db *DB) observed(ctx context.Context, query string, run func() error) error {
	if db.observe == nil {
		return Unavailable(run())
	}
	start := time.Now()
	err := run()
	db.observe(ctx, query, time.Since(start), err)
	return Unavailable(err)
}
