package ticket_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

// fate ends a worker at one of its steps: a statement that writes, or the
// moment before or after a call to the vendor.
type fate struct{ left atomic.Int64 }

func (f *fate) step() {
	if f.left.Add(-1) == 0 {
		panic(death{})
	}
}

func (f *fate) observe(_ context.Context, query string, _ time.Duration, _ error) {
	verb, _, _ := strings.Cut(query, " ")
	switch strings.ToUpper(verb) {
	case "INSERT", "UPDATE", "DELETE":
		f.step()
	}
}

// mortal is a vendor whose caller may die before and after every call.
type mortal struct {
	psa.Vendor
	fate *fate
}

func (m mortal) Create(ctx context.Context, d psa.Draft) (psa.Remote, error) {
	m.fate.step()
	defer m.fate.step()
	return m.Vendor.Create(ctx, d)
}

func (m mortal) Find(ctx context.Context, marker, company string, since time.Time) ([]psa.Remote, error) {
	m.fate.step()
	defer m.fate.step()
	return m.Vendor.Find(ctx, marker, company, since)
}

func (m mortal) Get(ctx context.Context, id string) (psa.Remote, error) {
	m.fate.step()
	return m.Vendor.Get(ctx, id)
}

func (m mortal) ListNotes(ctx context.Context, id string) ([]psa.RemoteNote, error) {
	m.fate.step()
	return m.Vendor.ListNotes(ctx, id)
}

func (m mortal) AddNote(ctx context.Context, id string, n psa.Note) error {
	m.fate.step()
	defer m.fate.step()
	return m.Vendor.AddNote(ctx, id, n)
}

func (m mortal) Close(ctx context.Context, id string, c psa.Closing) error {
	m.fate.step()
	defer m.fate.step()
	return m.Vendor.Close(ctx, id, c)
}

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
				fate := &fate{}
				real := w.driver()
				driver := psa.Driver{Settings: real.Settings, Open: func(credentials []byte, gate psa.Gate) (psa.Vendor, error) {
					v, err := real.Open(credentials, gate)
					return mortal{v, fate}, err
				}}
				worker := w.on(testdb.Open(t, database.Config{URL: url, Observe: fate.observe}), w.jobs, driver).tickets
				one := w.tenants[0]
				deaths := 0
				for step := int64(1); ; step++ {
					w.server.Mend()
					for _, f := range scenario.faults {
						w.server.Inject(f)
					}
					fate.left.Store(step)
					key := fmt.Sprint("step ", step)
					a := w.raise(one.in[0], key)
					w.drive(worker)
					w.worsen(one.in[0], key)
					w.drive(worker)
					w.resolve(one.in[0], a)
					w.drive(worker)
					w.requireOnce(one, a, "Initial Issue", "More severe", "Resolved")
					if fate.left.Load() > 0 {
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
