package database

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// maxAttempts bounds how often [DB.InTx] runs its function when PostgreSQL
// gives up a transaction in favour of another.
const maxAttempts = 4

var errRolledBackInside = errors.New("database: a part of the transaction was rolled back")

// InTx runs a function in a transaction: every statement under the function's
// context belongs to it, whoever sends it, until the function returns. It
// commits when the function returns nil, and rolls back when it returns an
// error or panics. Within another InTx it joins that transaction.
//
// The scope is fixed when the transaction begins; a statement under another
// one is refused. A failed statement dooms the whole, on both engines: InTx
// then fails even if the function returns nil. When PostgreSQL reports a
// serialization failure or a deadlock, the function runs again from the start,
// so it must change nothing outside of the database; [AfterCommit] is for that.
func (db *DB) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if tx := ambientOf(ctx, db); tx != nil && !tx.ended() {
		if err := tx.admits(ctx); err != nil {
			return err
		}
		err := fn(ctx)
		if err != nil {
			tx.doom(err)
		}
		return err
	}
	for attempt := 1; ; attempt++ {
		again, err := db.runTx(ctx, fn)
		if !again || attempt == maxAttempts {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// runTx runs the function once, and reports whether it may run again.
func (db *DB) runTx(ctx context.Context, fn func(context.Context) error) (again bool, err error) {
	tx, err := db.begin(ctx, nil)
	if err != nil {
		return false, err
	}
	committed := false
	defer func() {
		if !committed {
			if err := tx.rollback(); err != nil && !errors.Is(err, stdsql.ErrTxDone) && ctx.Err() == nil {
				db.logger.WarnContext(ctx, "roll back", "error", err)
			}
		}
	}()
	if err := fn(context.WithValue(ctx, ambientKey{}, tx)); err != nil {
		// The function may have replaced the driver's error by its own.
		_, doomed := tx.end()
		return yielded(err) || yielded(doomed), err
	}
	if err := tx.commit(); err != nil {
		return yielded(err), err
	}
	committed = true
	for _, callback := range tx.callbacks() {
		callback()
	}
	return false, nil
}

// yielded reports whether PostgreSQL gave up a transaction so that another
// could go on, and it may succeed when tried again.
func yielded(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && (e.Code == pqerror.TRSerializationFailure || e.Code == pqerror.TRDeadlockDetected)
}

// pause waits for a few milliseconds, at random, so that the transactions that
// collided do not meet again.
func pause(ctx context.Context, attempt int) error {
	timer := time.NewTimer(time.Duration(1+rand.IntN(5<<attempt)) * time.Millisecond) //nolint:gosec // spreads retries, keeps no secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// AfterCommit runs a function once the context's transaction has committed,
// in the order of the calls; it is dropped if the transaction rolls back.
// Without a transaction it runs at once.
func AfterCommit(ctx context.Context, fn func()) {
	tx, _ := ctx.Value(ambientKey{}).(*ambient)
	if tx == nil || !tx.later(fn) {
		fn()
	}
}

// TxFrom returns the context's transaction while it lasts. It is for libraries
// that enqueue in the caller's transaction; statements sent through it are
// neither observed nor serialized with those of ent's driver.
func TxFrom(ctx context.Context) (*stdsql.Tx, bool) {
	tx, _ := ctx.Value(ambientKey{}).(*ambient)
	if tx == nil || tx.ended() {
		return nil, false
	}
	return tx.tx, true
}

// Detached returns a context whose statements run outside of the transaction
// that ctx carries. They see what was committed before. On SQLite, which has
// one writer, they may only read while the transaction lasts: a write would
// wait for it.
func Detached(ctx context.Context) context.Context {
	return context.WithValue(ctx, ambientKey{}, (*ambient)(nil))
}

type ambientKey struct{}

// ambientOf returns the transaction that the context carries for a database,
// ended or not.
func ambientOf(ctx context.Context, db *DB) *ambient {
	tx, _ := ctx.Value(ambientKey{}).(*ambient)
	if tx == nil || tx.db != db {
		return nil
	}
	return tx
}

// ambient is a transaction that a context carries. Its statements take turns:
// a query holds the turn until its rows are closed.
type ambient struct {
	db    *DB
	tx    *stdsql.Tx
	reach reach
	turn  chan struct{} // holds a token while a statement is under way

	mu     sync.Mutex
	done   bool
	doomed error
	after  []func()
}

func (db *DB) begin(ctx context.Context, opts *stdsql.TxOptions) (*ambient, error) {
	r, err := reachOf(ctx)
	if err != nil {
		return nil, err
	}
	pool := db.app
	if r.system {
		pool = db.system
	}
	tx, err := pool.BeginTx(ctx, opts)
	if err != nil {
		return nil, Unavailable(fmt.Errorf("begin: %w", err))
	}
	return &ambient{db: db, tx: tx, reach: r, turn: make(chan struct{}, 1)}, nil
}

// admits verifies that the context's scope is the transaction's.
func (a *ambient) admits(ctx context.Context) error {
	r, err := reachOf(ctx)
	switch {
	case err != nil:
		return err
	case r == a.reach:
		return nil
	case r.system:
		return errSystemInTx
	default:
		return errScopeChanged
	}
}

// take waits for the turn. It reports false once the transaction has ended.
func (a *ambient) take(ctx context.Context) (bool, error) {
	if a.ended() {
		return false, nil
	}
	if err := a.admits(ctx); err != nil {
		return true, err
	}
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return true, ctx.Err()
	}
	if a.ended() {
		a.release()
		return false, nil
	}
	return true, nil
}

func (a *ambient) release() { <-a.turn }

func (a *ambient) conn() sql.Conn { return sql.Conn{ExecQuerier: a.tx} }

func (a *ambient) exec(ctx context.Context, query string, args, v any) (ran bool, err error) {
	if ran, err := a.take(ctx); !ran || err != nil {
		return ran, err
	}
	defer a.release()
	return true, a.statement(ctx, query, func() error { return a.conn().Exec(ctx, query, args, v) })
}

func (a *ambient) query(ctx context.Context, query string, args, v any) (ran bool, err error) {
	if ran, err := a.take(ctx); !ran || err != nil {
		return ran, err
	}
	err = a.statement(ctx, query, func() error { return a.conn().Query(ctx, query, args, v) })
	rows, ok := v.(*sql.Rows)
	if err != nil || !ok {
		a.release()
		return true, err
	}
	rows.ColumnScanner = &turnRows{ColumnScanner: rows.ColumnScanner, release: sync.OnceFunc(a.release)}
	return true, nil
}

func (a *ambient) queryContext(ctx context.Context, query string, args []any) (rows *stdsql.Rows, ran bool, err error) {
	if ran, err := a.take(ctx); !ran || err != nil {
		return nil, ran, err
	}
	defer a.release()
	err = a.statement(ctx, query, func() (err error) {
		rows, err = a.tx.QueryContext(ctx, query, args...) //nolint:rowserrcheck,sqlclosecheck // the caller reads and closes them
		return err
	})
	return rows, true, err
}

func (a *ambient) statement(ctx context.Context, query string, run func() error) error {
	err := a.db.observed(ctx, query, run)
	if err != nil {
		a.doom(err)
	}
	return err
}

// turnRows gives the turn back when the rows are closed.
type turnRows struct {
	sql.ColumnScanner
	release func()
}

// Close implements sql.ColumnScanner.
func (r *turnRows) Close() error {
	defer r.release()
	return r.ColumnScanner.Close()
}

func (a *ambient) ended() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.done
}

func (a *ambient) doom(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.doomed == nil {
		a.doomed = err
	}
}

func (a *ambient) later(fn func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done {
		return false
	}
	a.after = append(a.after, fn)
	return true
}

func (a *ambient) callbacks() []func() {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.after
}

// end marks the transaction as over; it reports whether it was not before.
func (a *ambient) end() (first bool, doomed error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	first, a.done = !a.done, true
	return first, a.doomed
}

func (a *ambient) commit() error {
	first, doomed := a.end()
	switch {
	case !first:
		return stdsql.ErrTxDone
	case doomed != nil:
		return errors.Join(fmt.Errorf("commit a transaction in which a statement failed: %w", doomed), a.tx.Rollback())
	}
	if err := a.tx.Commit(); err != nil {
		return Unavailable(fmt.Errorf("commit: %w", err))
	}
	return nil
}

func (a *ambient) rollback() error {
	_, _ = a.end()
	return a.tx.Rollback()
}
