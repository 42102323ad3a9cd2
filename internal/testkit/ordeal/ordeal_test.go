package ordeal_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"entgo.io/ent/dialect"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/testkit/ordeal"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

func TestMain(m *testing.M) {
	if worker, err := ordeal.Worker(context.Background()); worker {
		if err != nil {
			fmt.Fprintln(os.Stderr, err) // its parent misses the tickets
		}
		return
	}
	m.Run()
}

// crowd is enough alerts for a storm, and few enough for a test.
const crowd = 100

// TestFaults takes every vendor through every fault, once: tools/fault does so
// often. What the vendors differ in is nothing that the databases do, so that
// on PostgreSQL one of them will do.
func TestFaults(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		for _, vendor := range []psa.Kind{psa.Autotask, psa.ConnectWise, psa.Syncro} {
			if engine == dialect.Postgres && vendor != psa.Autotask {
				continue
			}
			for _, fault := range ordeal.Faults(vendor) {
				t.Run(string(vendor)+" "+fault, func(t *testing.T) {
					r := run(t, engine, vendor, fault)
					require.Empty(t, r.Complaints)
					require.True(t, r.Sound())
					require.NotZero(t, r.Tickets)
				})
			}
		}
	})
}

// TestCanaries: the judge sees what clients with a defect do.
func TestCanaries(t *testing.T) {
	for n, fault := range ordeal.Canaries() {
		r := run(t, dialect.SQLite, psa.Syncro, fault)
		require.False(t, r.Sound())
		require.NotZero(t, []int{r.Doubled, r.Lost}[n], "%+v", r)
	}
}

func run(t *testing.T, engine string, vendor psa.Kind, fault string) ordeal.Result {
	t.Helper()
	r, err := ordeal.Run(t.Context(), ordeal.Config{URL: testdb.URL(t, engine), Vendor: vendor, Fault: fault, Seeds: 1, Crowd: crowd})
	require.NoError(t, err)
	return r
}
