package ticket_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/mortal"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

// TestDeathAtEveryStep: a worker dies at its first step, its second, and so on
// through the whole life of a ticket, and another goes on after each death.
func TestDeathAtEveryStep(t *testing.T) {
	for _, scenario := range []struct {
		name   string
		faults []standin.Fault
	}{
		{"all well", nil},
		{"answers lost", []standin.Fault{
			onCreate(standin.Fault{Action: standin.CommitDrop}), onNote(standin.Fault{Action: standin.CommitDrop}),
			onClose(standin.Fault{Action: standin.CommitDrop}),
		}},
		{"search lags", []standin.Fault{
			onFind(standin.Fault{Action: standin.StaleList, Count: 2}), onCreate(standin.Fault{Action: standin.CommitDrop}),
		}},
		{"nothing committed", []standin.Fault{onCreate(standin.Fault{Action: standin.Drop})}},
		{"credentials refused", []standin.Fault{onCreate(standin.Fault{Action: standin.Unauthorized})}},
	} {
		t.Run(scenario.name, func(t *testing.T) {
			testdb.EachEngine(t, func(t *testing.T, engine string) {
				url := testdb.URL(t, engine)
				w := newWorld(t, testdb.Open(t, database.Config{URL: url}))
				fate := &mortal.Fate{}
				worker := w.on(testdb.Open(t, database.Config{URL: url, Observe: fate.Observe}), w.jobs, fate.Driver(w.driver())).tickets
				one := w.tenants[0]
				deaths := 0
				for step := 1; ; step++ {
					w.server.Mend()
					for _, f := range scenario.faults {
						w.server.Inject(f)
					}
					fate.Arm(step)
					key := fmt.Sprint("step ", step)
					a := w.raise(one.in[0], key)
					w.drive(worker)
					w.worsen(one.in[0], key)
					w.drive(worker)
					w.resolve(one.in[0], a)
					w.drive(worker)
					w.requireOnce(one, a, "Initial Issue", "More severe", "Resolved")
					if fate.Deaths() == deaths {
						break // it lived through all of its steps
					}
					deaths++
				}
				require.Len(t, w.server.Tickets(one.token), deaths+1)
				require.Greater(t, deaths, 20)
				t.Logf("%s, %s: died at %d steps; incidents %d, tickets %d", engine, scenario.name, deaths, deaths+1, len(w.server.Tickets(one.token)))
			})
		})
	}
}
