package database_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	entdriver "entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

const addUser = `INSERT INTO users (id, provider_id, organization_id) VALUES ($1, 'acme', 'a1')`

// usersOfA1 names the organization, which SQLite alone does not confine.
func usersOfA1(ctx context.Context, db *database.DB) string {
	return ids(ctx, db, "users WHERE organization_id = 'a1'")
}

var errStop = errors.New("stop")

func TestTransactionDecidesForAllWithin(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db, ctx := fixture(t, engine), in(t.Context(), "acme", "a1")
		var told []string
		tell := func(what string) func() { return func() { told = append(told, what) } }
		err := db.InTx(ctx, func(ctx context.Context) error {
			run(t, ctx, db, addUser, "kept")
			database.AfterCommit(ctx, tell("first"))
			return db.InTx(ctx, func(ctx context.Context) error {
				database.AfterCommit(ctx, tell("second"))
				tx, err := db.Driver().Tx(ctx)
				if err != nil {
					return err
				}
				if err := tx.Exec(ctx, addUser, []any{"joined"}, nil); err != nil {
					return err
				}
				if len(told) != 0 {
					t.Error("told before the commit")
				}
				return tx.Commit()
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(told) != 2 || told[0] != "first" {
			t.Errorf("after the commit %q were told", told)
		}
		if got := usersOfA1(ctx, db); got != "joined kept users-a1" {
			t.Errorf("users: %q", got)
		}

		told = nil
		err = db.InTx(ctx, func(ctx context.Context) error {
			database.AfterCommit(ctx, tell("never"))
			return db.InTx(ctx, func(ctx context.Context) error {
				run(t, ctx, db, addUser, "lost")
				return errStop
			})
		})
		if !errors.Is(err, errStop) || len(told) != 0 {
			t.Errorf("a failed transaction: %v, told %q", err, told)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			err := db.InTx(ctx, func(ctx context.Context) error {
				run(t, ctx, db, addUser, "lost")
				panic("stop")
			})
			t.Errorf("returned %v", err)
		}()
		if got := usersOfA1(ctx, db); got != "joined kept users-a1" {
			t.Errorf("after rolling back, users: %q", got)
		}
	})
}

func TestFailureInsideDoomsTheTransaction(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db, ctx := fixture(t, engine), in(t.Context(), "acme", "a1")
		swallowing := map[string]func(ctx context.Context) error{
			"a statement": func(ctx context.Context) error { return exec(ctx, db, addUser, "users-a1") },
			"a part":      func(ctx context.Context) error { return db.InTx(ctx, func(context.Context) error { return errStop }) },
			"a joined transaction": func(ctx context.Context) error {
				tx, err := db.Driver().Tx(ctx)
				if err != nil {
					t.Fatal(err)
				}
				return errors.Join(errStop, tx.Rollback())
			},
		}
		for name, fail := range swallowing {
			err := db.InTx(ctx, func(ctx context.Context) error {
				run(t, ctx, db, addUser, "lost")
				if fail(ctx) == nil {
					t.Errorf("%s did not fail", name)
				}
				return nil
			})
			if err == nil {
				t.Errorf("%s failed, and the transaction committed", name)
			}
		}
		if got := usersOfA1(ctx, db); got != "users-a1" {
			t.Errorf("users: %q", got)
		}
	})
}

func TestScopeIsFixedWithinATransaction(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db, ctx := fixture(t, engine), in(t.Context(), "acme", "a1")
		err := db.InTx(ctx, func(inside context.Context) error {
			for name, other := range map[string]context.Context{
				"another organization": in(inside, "acme", "a2"),
				"the whole provider":   all(inside, "acme"),
				"the system":           tenancy.System(inside, "test"),
			} {
				if err := exec(other, db, "DELETE FROM users"); err == nil {
					t.Errorf("%s was admitted", name)
				}
				if err := db.InTx(other, func(context.Context) error { return nil }); err == nil {
					t.Errorf("%s was admitted into a part", name)
				}
				if _, err := db.Driver().Tx(other); err == nil {
					t.Errorf("%s was admitted into ent's transaction", name)
				}
			}
			if got := ids(tenancy.System(database.Detached(inside), "test"), db, "users"); got != "users-a1 users-a2 users-b1" {
				t.Errorf("detached, the system sees %q", got)
			}
			if engine == dialect.Postgres {
				tx, _ := database.TxFrom(inside)
				if _, err := tx.ExecContext(in(inside, "acme", "a2"), "SELECT 1"); err == nil {
					t.Error("the connection changed its scope inside the transaction")
				}
			}
			return nil
		})
		if engine == dialect.SQLite && err != nil {
			t.Error(err)
		}
		if got := ids(tenancy.System(t.Context(), "test"), db, "users"); got != "users-a1 users-a2 users-b1" {
			t.Errorf("users: %q", got)
		}
	})
}

func TestContextOutlivesItsTransaction(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db, ctx := fixture(t, engine), in(t.Context(), "acme", "a1")
		var kept context.Context
		if err := db.InTx(ctx, func(ctx context.Context) error {
			kept = ctx
			if _, ok := database.TxFrom(ctx); !ok {
				t.Error("no transaction inside")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if _, ok := database.TxFrom(kept); ok {
			t.Error("a transaction after its end")
		}
		if got := usersOfA1(kept, db); got != "users-a1" {
			t.Errorf("users: %q", got)
		}
		if err := db.InTx(kept, func(ctx context.Context) error { return exec(ctx, db, addUser, "later") }); err != nil {
			t.Error(err)
		}
		ran := false
		database.AfterCommit(kept, func() { ran = true })
		if !ran {
			t.Error("without a transaction the callback did not run at once")
		}
	})
}

func TestStatementsOfATransactionTakeTurns(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db, ctx := fixture(t, engine), in(t.Context(), "acme", "a1")
		err := db.InTx(ctx, func(ctx context.Context) error {
			var workers sync.WaitGroup
			for range 8 {
				workers.Go(func() {
					for range 20 {
						if got := usersOfA1(ctx, db); got != "users-a1" {
							t.Errorf("users: %q", got)
							return
						}
					}
				})
			}
			workers.Wait()

			var rows entdriver.Rows
			if err := db.Driver().Query(ctx, "SELECT id FROM users", []any{}, &rows); err != nil {
				return err
			}
			waiting, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
			defer cancel()
			if err := exec(waiting, db, "SELECT 1"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("with rows open: %v", err)
			}
			return rows.Close()
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestCollisionsAreTriedAgain(t *testing.T) {
	onPostgres(t, func(t *testing.T, db *database.DB) {
		ctx := in(t.Context(), "acme", "a1")
		const collide = `DO $$ BEGIN RAISE EXCEPTION 'collided' USING ERRCODE = '40001'; END $$`
		attempts, told := 0, 0
		err := db.InTx(ctx, func(ctx context.Context) error {
			attempts++
			database.AfterCommit(ctx, func() { told++ })
			if err := exec(ctx, db, addUser, "once"); err != nil {
				return err
			}
			if attempts < 3 {
				if exec(ctx, db, collide) == nil {
					t.Error("no collision")
				}
				return errStop // the caller's own words hide the driver's
			}
			return nil
		})
		if err != nil || attempts != 3 || told != 1 {
			t.Errorf("%d attempts, %d told: %v", attempts, told, err)
		}
		attempts = 0
		err = db.InTx(ctx, func(ctx context.Context) error {
			attempts++
			return exec(ctx, db, collide)
		})
		if err == nil || attempts > 10 {
			t.Errorf("%d attempts: %v", attempts, err)
		}
	})
}

func TestCancelledTransactionRollsBack(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db, ctx := fixture(t, engine), in(t.Context(), "acme", "a1")
		cancelled, cancel := context.WithCancel(ctx)
		err := db.InTx(cancelled, func(ctx context.Context) error {
			run(t, ctx, db, addUser, "lost")
			cancel()
			return nil
		})
		if err == nil {
			t.Error("a cancelled transaction committed")
		}
		if got := usersOfA1(ctx, db); got != "users-a1" {
			t.Errorf("users: %q", got)
		}
	})
}

func TestObserverIsToldOfEveryStatement(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		var mu sync.Mutex
		var seen []string
		db := fixture(t, engine, func(c *database.Config) {
			c.Observe = func(_ context.Context, query string, _ time.Duration, _ error) {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, query)
			}
		})
		ctx := in(t.Context(), "acme", "a1")
		mu.Lock()
		seen = nil
		mu.Unlock()
		usersOfA1(ctx, db)
		if err := db.InTx(ctx, func(ctx context.Context) error { return exec(ctx, db, addUser, "more") }); err != nil {
			t.Fatal(err)
		}
		if len(seen) != 2 || seen[1] != addUser {
			t.Errorf("observed %q", seen)
		}
	})
}
