// Package secrettest holds a [secret.Store] in memory and the conformance suite
// that every store passes.
package secrettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bailiwick/bailiwick/internal/secret"
)

// Store keeps keysets in memory. It is safe for concurrent use.
type Store struct {
	mu      sync.Mutex
	records map[string]secret.Record
}

// NewStore returns an empty store.
func NewStore() *Store { return &Store{records: map[string]secret.Record{}} }

// Load implements [secret.Store].
func (s *Store) Load(_ context.Context, tenant string) (secret.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record, ok := s.records[tenant]
	if !ok {
		return secret.Record{}, secret.ErrAbsent
	}
	return record, nil
}

// Create implements [secret.Store].
func (s *Store) Create(_ context.Context, tenant string, wrapped []byte) (secret.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record, ok := s.records[tenant]
	if !ok {
		record = secret.Record{Wrapped: bytes.Clone(wrapped), Version: 1}
		s.records[tenant] = record
	}
	return record, nil
}

// Replace implements [secret.Store].
func (s *Store) Replace(_ context.Context, tenant string, version int64, wrapped []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records[tenant].Version != version {
		return secret.ErrChanged
	}
	s.records[tenant] = secret.Record{Wrapped: bytes.Clone(wrapped), Version: version + 1}
	return nil
}

// List implements [secret.Store].
func (s *Store) List(_ context.Context, after string, limit int) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var tenants []string
	for tenant := range s.records {
		if tenant > after {
			tenants = append(tenants, tenant)
		}
	}
	slices.Sort(tenants)
	return tenants[:min(limit, len(tenants))], nil
}

// Delete removes a tenant's keyset, as a rollback or the tenant's deletion does.
func (s *Store) Delete(tenant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, tenant)
}

// Run is the conformance suite. Open returns a store that is empty, and usable
// by several goroutines; tenants are ids that it accepts, at least five, unique.
func Run(t *testing.T, tenants []string, open func(t *testing.T) secret.Store) {
	t.Helper()
	ctx := t.Context()
	mustCreate := func(t *testing.T, store secret.Store, tenant, wrapped string) secret.Record {
		t.Helper()
		record, err := store.Create(ctx, tenant, []byte(wrapped))
		if err != nil {
			t.Fatalf("create: %v", err)
		}
		return record
	}
	t.Run("absent", func(t *testing.T) {
		store := open(t)
		mustCreate(t, store, tenants[0], "other")
		if _, err := store.Load(ctx, tenants[1]); !isAbsent(err) {
			t.Fatalf("load of an absent keyset: %v, want ErrAbsent", err)
		}
		if err := store.Replace(ctx, tenants[1], 1, []byte("x")); !isChanged(err) {
			t.Fatalf("replace of an absent keyset: %v, want ErrChanged", err)
		}
	})
	t.Run("the first creation wins", func(t *testing.T) {
		store := open(t)
		first := mustCreate(t, store, tenants[0], "first")
		second := mustCreate(t, store, tenants[0], "second")
		loaded, err := store.Load(ctx, tenants[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []secret.Record{first, second, loaded} {
			if string(r.Wrapped) != "first" || r.Version != first.Version {
				t.Fatalf("record %q version %d, want that of the first", r.Wrapped, r.Version)
			}
		}
	})
	t.Run("one of many wins a race", func(t *testing.T) { runRace(t, tenants[0], open(t)) })
	t.Run("replace compares the version", func(t *testing.T) {
		store := open(t)
		first := mustCreate(t, store, tenants[0], "first")
		mustCreate(t, store, tenants[1], "neighbour")
		if err := store.Replace(ctx, tenants[0], first.Version, []byte("second")); err != nil {
			t.Fatal(err)
		}
		if err := store.Replace(ctx, tenants[0], first.Version, []byte("third")); !isChanged(err) {
			t.Fatalf("replace of a stale version: %v, want ErrChanged", err)
		}
		loaded, err := store.Load(ctx, tenants[0])
		if err != nil || string(loaded.Wrapped) != "second" || loaded.Version == first.Version {
			t.Fatalf("loaded %q version %d: %v", loaded.Wrapped, loaded.Version, err)
		}
		if other, err := store.Load(ctx, tenants[1]); err != nil || string(other.Wrapped) != "neighbour" {
			t.Fatalf("the other tenant's keyset reads %q: %v", other.Wrapped, err)
		}
	})
	t.Run("list in pages", func(t *testing.T) {
		store := open(t)
		for _, tenant := range tenants {
			mustCreate(t, store, tenant, "x")
		}
		var listed []string
		for after := ""; ; {
			page, err := store.List(ctx, after, 2)
			if err != nil || len(page) > 2 {
				t.Fatalf("page of %d: %v", len(page), err)
			}
			if len(page) == 0 {
				break
			}
			listed, after = append(listed, page...), page[len(page)-1]
		}
		if want := slices.Sorted(slices.Values(tenants)); !slices.Equal(listed, want) {
			t.Fatalf("listed %v, want %v", listed, want)
		}
	})
}

func runRace(t *testing.T, tenant string, store secret.Store) {
	t.Helper()
	const racers = 8
	var (
		group sync.WaitGroup
		won   atomic.Int32
		seen  sync.Map
	)
	for i := range racers {
		group.Go(func() {
			mine := fmt.Sprintf("racer %d", i)
			record, err := store.Create(t.Context(), tenant, []byte(mine))
			if err != nil {
				t.Errorf("create: %v", err)
				return
			}
			seen.Store(string(record.Wrapped), true)
			if string(record.Wrapped) == mine {
				won.Add(1)
			}
		})
	}
	group.Wait()
	different := 0
	seen.Range(func(_, _ any) bool { different++; return true })
	if won.Load() != 1 || different != 1 {
		t.Fatalf("%d racers won and %d different keysets were returned, want one", won.Load(), different)
	}
}

func isAbsent(err error) bool { return errors.Is(err, secret.ErrAbsent) }

func isChanged(err error) bool { return errors.Is(err, secret.ErrChanged) }
