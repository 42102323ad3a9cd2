package database_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"testing"

	"entgo.io/ent/dialect"
	entdriver "entgo.io/ent/dialect/sql"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

// JSON goes as text and bytes as they are, in the same statement.
func TestDocumentsAndBytes(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db, ctx := fixture(t, engine), in(t.Context(), "acme", "a1")
		document, secret := json.RawMessage(`{"name":"é","list":[1,null]}`), []byte{0, 1, 0xff, '\\', '"'}
		run(t, ctx, db, `UPDATE devices SET document = $1, secret = $2`, document, secret)
		var rows entdriver.Rows
		if err := db.Driver().Query(ctx, `SELECT document, secret FROM devices WHERE organization_id = 'a1'`, []any{}, &rows); err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var gotDocument, gotSecret []byte
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
		if err := rows.Scan(&gotDocument, &gotSecret); err != nil {
			t.Fatal(err)
		}
		var want, got bytes.Buffer
		if err := json.Compact(&want, document); err != nil {
			t.Fatal(err)
		}
		if err := json.Compact(&got, gotDocument); err != nil {
			t.Fatal(err)
		}
		if want.Len() != got.Len() || !bytes.Equal(gotSecret, secret) {
			t.Errorf("read back %s and %v", gotDocument, gotSecret)
		}
		run(t, ctx, db, `UPDATE devices SET document = $1, secret = $2`, json.RawMessage(nil), []byte(nil))
		if got, err := list(ctx, db, `SELECT id FROM devices WHERE organization_id = 'a1' AND document IS NULL AND secret IS NULL`); err != nil || len(got) != 1 {
			t.Errorf("nulls: %q %v", got, err)
		}
	})
}

type greet struct {
	Name string `json:"name" river:"unique"`
}

func (greet) Kind() string { return "greet" }

func (greet) InsertOpts() river.InsertOpts {
	return river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

// A tenant's transaction enqueues a job, and takes it along when it rolls back.
func TestJobsAreEnqueuedInTheTransaction(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		db := fixture(t, engine)
		if engine == dialect.Postgres {
			enqueue(t, db, riverdatabasesql.New(db.System()))
			return
		}
		enqueue(t, db, riversqlite.New(db.System()))
	})
}

func enqueue[T any](t *testing.T, db *database.DB, driver riverdriver.Driver[T]) {
	t.Helper()
	client, err := river.NewClient(driver, &river.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx := in(t.Context(), "acme", "a1")
	insert := func(name string, end error) func(context.Context) error {
		return func(ctx context.Context) error {
			tx, ok := database.TxFrom(ctx)
			if !ok {
				t.Fatal("no transaction")
			}
			bound, ok := any(tx).(T)
			if !ok {
				t.Fatalf("%T is not the driver's transaction", tx)
			}
			if _, err := client.InsertTx(ctx, bound, greet{name}, nil); err != nil {
				return err
			}
			return end
		}
	}
	if err := db.InTx(ctx, insert("lost", errStop)); err == nil {
		t.Error("no error")
	}
	for range 2 { // the second is the same job
		if err := db.InTx(ctx, insert("kept", nil)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := list(tenancy.System(t.Context(), "test"), db, `SELECT kind FROM river_job`)
	if err != nil || len(got) != 1 {
		t.Errorf("jobs: %q %v", got, err)
	}
}

func TestOpenRefusesWhatCannotWork(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	for name, c := range map[string]database.Config{
		"no URL":                   {Logger: logger},
		"no logger":                {URL: "sqlite:x"},
		"memory":                   {URL: "sqlite::memory:", Logger: logger},
		"a folder":                 {URL: "sqlite:" + t.TempDir(), Logger: logger},
		"a missing folder":         {URL: "sqlite:" + filepath.Join(t.TempDir(), "none", "x.db"), Logger: logger},
		"nobody there":             {URL: "postgres://localhost:1/x?sslmode=disable", Logger: logger},
		"a broken URL":             {URL: "postgres://user:secret@host:port/x", Logger: logger},
		"a system URL with SQLite": {URL: "sqlite:x", SystemURL: "postgres://localhost/x", Logger: logger},
	} {
		db, err := database.Open(t.Context(), c)
		if err == nil {
			t.Errorf("%s: opened (%v)", name, db.Close())
			continue
		}
		if bytes.Contains([]byte(err.Error()), []byte("secret")) {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
}
