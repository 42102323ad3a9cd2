package testdb_test

import (
	"testing"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

func TestDatabasesAreApart(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		system := tenancy.System(t.Context(), "test")
		db.Client().Provider.Create().SetName("acme").SaveX(system)
		other := testdb.New(t, db.Dialect())
		if n := other.Client().Provider.Query().CountX(system); n != 0 {
			t.Errorf("a fresh database has %d providers", n)
		}
	})
}
