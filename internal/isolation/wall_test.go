package isolation_test

import (
	"context"
	"testing"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

// wall is a way to reach the entities with some of the walls taken down. Each
// is built here from what the packages export; none exists in the product.
type wall struct {
	name   string
	guards bool // the guard sees the tenant's scope
	client func(db *database.DB, scope tenancy.Scope) *ent.Client
	// enter is the context that ent sees.
	enter func(ctx context.Context, scope tenancy.Scope) context.Context
}

func walls(engine string) []wall {
	list := []wall{
		{
			// The guard alone: its statements run on the system's connections, to
			// which row-level security shows every tenant.
			name: "guard", guards: true, enter: tenancy.With,
			client: func(db *database.DB, _ tenancy.Scope) *ent.Client {
				return ent.NewClient(ent.Driver(sql.OpenDB(db.Dialect(), db.System()))) //nolint:forbidigo // takes a wall down
			},
		},
		{
			name: "all", guards: true, enter: tenancy.With,
			client: func(db *database.DB, _ tenancy.Scope) *ent.Client { return db.Client() },
		},
	}
	if engine == dialect.Postgres {
		list = append(list, wall{
			// Row-level security alone: the guard takes the caller for the system,
			// and the connection knows better.
			name: "row-level security",
			client: func(db *database.DB, scope tenancy.Scope) *ent.Client {
				return ent.NewClient(ent.Driver(rescoped{db.Driver(), scope})) //nolint:forbidigo // takes a wall down
			},
			enter: func(ctx context.Context, _ tenancy.Scope) context.Context {
				return tenancy.System(ctx, "the guard is taken down")
			},
		})
	}
	return list
}

// rescoped is a driver whose statements run under a scope of its own.
type rescoped struct {
	dialect.Driver
	scope tenancy.Scope
}

func (r rescoped) Exec(ctx context.Context, query string, args, v any) error {
	return r.Driver.Exec(tenancy.With(ctx, r.scope), query, args, v)
}

func (r rescoped) Query(ctx context.Context, query string, args, v any) error {
	return r.Driver.Query(tenancy.With(ctx, r.scope), query, args, v)
}

func (r rescoped) Tx(ctx context.Context) (dialect.Tx, error) {
	tx, err := r.Driver.Tx(tenancy.With(ctx, r.scope))
	return rescopedTx{tx, r.scope}, err
}

type rescopedTx struct {
	dialect.Tx
	scope tenancy.Scope
}

func (r rescopedTx) Exec(ctx context.Context, query string, args, v any) error {
	return r.Tx.Exec(tenancy.With(ctx, r.scope), query, args, v)
}

func (r rescopedTx) Query(ctx context.Context, query string, args, v any) error {
	return r.Tx.Query(tenancy.With(ctx, r.scope), query, args, v)
}

// tally counts what was tried.
type tally map[string]int

func (c tally) log(t *testing.T) {
	t.Helper()
	total := 0
	for _, n := range c {
		total += n
	}
	t.Logf("%d probes: %v", total, map[string]int(c))
}

// eachWall runs a test on a world of its own for every engine, wall and viewpoint.
func eachWall(t *testing.T, fn func(t *testing.T, w *world, p *prober)) {
	t.Helper()
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		counts := tally{}
		for _, wall := range walls(engine) {
			t.Run(wall.name, func(t *testing.T) {
				w := newWorld(t, testdb.New(t, engine))
				for _, v := range w.viewpoints() {
					t.Run(v.name, func(t *testing.T) {
						fn(t, w, &prober{
							world: w, wall: wall, scope: v.scope, counts: counts,
							client: wall.client(w.db, v.scope), ctx: wall.enter(t.Context(), v.scope),
						})
					})
				}
			})
		}
		counts.log(t)
	})
}

// prober tries the entities from one viewpoint, through one wall.
type prober struct {
	world  *world
	wall   wall
	scope  tenancy.Scope
	client *ent.Client
	ctx    context.Context //nolint:containedctx // one subtest's
	counts tally
}
