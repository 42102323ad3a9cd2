// Package mortal lets workers die where a test wants them dead: at any statement
// that writes, and before and after any call to a vendor.
package mortal

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Fate ends a worker at one of its steps: a statement that writes, or the
// moment before or after a call to the vendor. The zero value ends nobody. It
// is safe for concurrent use.
type Fate struct {
	mu     sync.Mutex
	left   []int
	deaths int
}

// death is what a worker panics with where it is to be dead.
type death struct{}

// Arm ends workers after so many steps each, one after the other.
func (f *Fate) Arm(steps ...int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = append([]int(nil), steps...)
}

// Deaths is how many workers have died.
func (f *Fate) Deaths() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.deaths
}

func (f *Fate) step() {
	if f.ends() {
		Die()
	}
}

func (f *Fate) ends() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.left) == 0 {
		return false
	}
	if f.left[0]--; f.left[0] > 0 {
		return false
	}
	f.left = f.left[1:]
	f.deaths++
	return true
}

// Observe is a database's observer; see database.Config.
func (f *Fate) Observe(_ context.Context, query string, _ time.Duration, _ error) {
	verb, _, _ := strings.Cut(query, " ")
	switch strings.ToUpper(verb) {
	case "INSERT", "UPDATE", "DELETE":
		f.step()
	}
}

// Survive does a worker's work, and outlives its death.
func Survive(work func()) {
	defer func() {
		v := recover()
		if _, dead := v.(death); v != nil && !dead {
			panic(v)
		}
	}()
	work()
}

// Die ends the worker that calls it.
func Die() { panic(death{}) }

// Vendor is a vendor whose caller may die before and after every call.
func (f *Fate) Vendor(v psa.Vendor) psa.Vendor { return vendor{v, f} }

// Driver opens such vendors.
func (f *Fate) Driver(d psa.Driver) psa.Driver {
	return psa.Driver{Settings: d.Settings, Open: func(credentials []byte, gate psa.Gate) (psa.Vendor, error) {
		v, err := d.Open(credentials, gate)
		if err != nil {
			return nil, err
		}
		return f.Vendor(v), nil
	}}
}

type vendor struct {
	psa.Vendor
	fate *Fate
}

func (m vendor) Create(ctx context.Context, d psa.Draft) (psa.Remote, error) {
	m.fate.step()
	defer m.fate.step()
	return m.Vendor.Create(ctx, d)
}

func (m vendor) Find(ctx context.Context, marker, company string, since time.Time) ([]psa.Remote, error) {
	m.fate.step()
	defer m.fate.step()
	return m.Vendor.Find(ctx, marker, company, since)
}

func (m vendor) Get(ctx context.Context, id string) (psa.Remote, error) {
	m.fate.step()
	return m.Vendor.Get(ctx, id)
}

func (m vendor) ListNotes(ctx context.Context, id string) ([]psa.RemoteNote, error) {
	m.fate.step()
	return m.Vendor.ListNotes(ctx, id)
}

func (m vendor) AddNote(ctx context.Context, id string, n psa.Note) error {
	m.fate.step()
	defer m.fate.step()
	return m.Vendor.AddNote(ctx, id, n)
}

func (m vendor) Close(ctx context.Context, id string, c psa.Closing) error {
	m.fate.step()
	defer m.fate.step()
	return m.Vendor.Close(ctx, id, c)
}

func (m vendor) Reopen(ctx context.Context, id, status string) error {
	m.fate.step()
	defer m.fate.step()
	return m.Vendor.Reopen(ctx, id, status)
}
