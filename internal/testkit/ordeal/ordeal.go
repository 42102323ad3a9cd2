// Package ordeal takes ticketing through faults: the real services of several
// replicas, the vendors' stand-ins over HTTP on loopback, and a clock that it
// moves. What is left it judges by what the vendor has, not by what the
// services say of it. Tests and tools/fault use it; the server does not.
package ordeal

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// tenants is how many providers there are, each with as many organizations as
// it has companies at the vendor.
const tenants, organizations = 2, 2

// DefaultCrowd is how many alerts come within a minute in the fault of that
// name.
const DefaultCrowd = 10_000

// Config is an ordeal.
type Config struct {
	URL    string   // of a migrated database without rows, which the replicas open
	Vendor psa.Kind // whose stand-in is called
	Fault  string   // one of Faults, or of Canaries
	Seeds  int      // runs, each at random in its own way; a fault may need one only
	Crowd  int      // alerts of the fault that is about their number; DefaultCrowd if 0

	// Progress, if set, is told of each run that is over.
	Progress func()
}

// Result is what came of it.
type Result struct {
	Runs       int
	Struck     int // requests that met the fault, or deaths, moves or revocations
	Incidents  int // conditions that want one ticket each
	Tickets    int // that the vendor has
	Lost       int // tickets, notes and closings that the vendor does not have
	Doubled    int // tickets and notes that it has once too often
	Disordered int // notes out of order, and what is in a wrong place or state
	Again      int // duplicates that were found, and closed
	Remark     string
	Complaints []string // the first few, in words
}

// Sound reports whether everything is there, once and in order, and the fault
// did strike.
func (r Result) Sound() bool {
	return r.Lost == 0 && r.Doubled == 0 && r.Disordered == 0 && len(r.Complaints) == 0
}

const maxComplaints = 12

func (r *Result) complain(count *int, format string, args ...any) {
	if count != nil {
		*count++
	}
	if len(r.Complaints) < maxComplaints {
		r.Complaints = append(r.Complaints, fmt.Sprintf(format, args...))
	}
}

// Faults lists what a vendor is tried with, by name.
func Faults(kind psa.Kind) (names []string) {
	for _, f := range faults() {
		if f.at(kind) {
			names = append(names, f.name)
		}
	}
	return names
}

// Canaries lists clients with a defect, each under a fault that shows it: an
// ordeal that finds nothing wrong with them is none.
func Canaries() (names []string) {
	for _, f := range canaries() {
		names = append(names, f.name)
	}
	return names
}

// Run takes a vendor through a fault. The error is a failure of the ordeal
// itself; what is wrong with the tickets is in the result.
func Run(ctx context.Context, c Config) (result Result, err error) {
	all := slices.Concat(faults(), canaries())
	n := slices.IndexFunc(all, func(f fault) bool { return f.name == c.Fault })
	if n < 0 {
		return Result{}, fmt.Errorf("there is no fault %q", c.Fault)
	}
	f := all[n]
	if c.Crowd == 0 {
		c.Crowd = DefaultCrowd
	}
	if c.Progress == nil {
		c.Progress = func() {}
	}
	s, err := newSite(ctx, c, f)
	if err != nil {
		return Result{}, fmt.Errorf("set up: %w", err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	seeds := c.Seeds
	if f.once {
		seeds = 1
	}
	for seed := range seeds {
		// Each vendor and fault has its own chances.
		h := fnv.New64a()
		_, _ = h.Write([]byte(string(c.Vendor) + c.Fault))
		s.random, s.seed = rand.New(rand.NewPCG(uint64(seed), h.Sum64())), seed //nolint:gosec // chances that repeat
		if err := f.run(ctx, s); err != nil {
			return s.result, fmt.Errorf("seed %d: %w", seed, err)
		}
		s.result.Runs++
		c.Progress()
	}
	s.census()
	if f.name != nothing && s.result.Struck == 0 {
		s.result.complain(nil, "the fault never struck")
	}
	return s.result, nil
}

// callTimeout is how long a client waits for its vendor: no call of an ordeal
// takes that long on its own.
const callTimeout = 20 * time.Second
