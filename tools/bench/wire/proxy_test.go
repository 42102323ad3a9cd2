package wire_test

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	_ "github.com/lib/pq"

	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tools/bench/wire"
)

func TestProxyNotesWhatPasses(t *testing.T) {
	testdb.OnPostgres(t, func(t *testing.T) {
		for _, mode := range []string{"no", "yes"} {
			proxy, err := wire.Listen(t.Context(), os.Getenv("BAILIWICK_TEST_POSTGRES"))
			if err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open("postgres", proxy.URL()+"&binary_parameters="+mode)
			if err != nil {
				t.Fatal(err)
			}
			db.SetMaxOpenConns(1)
			if _, err := db.ExecContext(t.Context(), "SELECT set_config('bailiwick.provider', 'p', false)"); err != nil {
				t.Fatal(err)
			}
			proxy.Take()
			var sum int
			var null *string
			err = db.QueryRowContext(t.Context(), "SELECT $1::int + length($2::bytea), $3::text", 40, []byte("ab"), nil).Scan(&sum, &null)
			if err != nil || sum != 42 {
				t.Fatalf("binary_parameters=%s: %d, %v", mode, sum, err)
			}
			seen := proxy.Take()
			if len(seen) != 1 || !strings.HasPrefix(seen[0].SQL, "SELECT $1::int") || !strings.Contains(seen[0].Scope, "set_config") {
				t.Fatalf("binary_parameters=%s: noted %+v", mode, seen)
			}
			params := seen[0].Params
			if len(params) != 3 || string(params[0].Data) != "40" || params[1].Binary != (mode == "yes") || !params[2].Null {
				t.Errorf("binary_parameters=%s: noted parameters %+v", mode, params)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			if err := proxy.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
