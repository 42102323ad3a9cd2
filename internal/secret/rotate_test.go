package secret_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/secret/secrettest"
)

// column is a table of secrets in memory, resealed two rows at a time.
type column struct {
	rows  map[string][]byte // by row id
	place func(row string) secret.Place
	pages int // resealed in all
}

func (*column) Name() string { return "integration.api_key" }

func (c *column) Reseal(ctx context.Context, after string, reseal secret.ResealFunc) (string, int, error) {
	c.pages++
	stored, next := 0, ""
	for _, row := range slices.Sorted(maps.Keys(c.rows)) {
		if row <= after {
			continue
		}
		fresh, changed, err := reseal(ctx, c.place(row), c.rows[row])
		if err != nil {
			return "", stored, err
		}
		if changed {
			c.rows[row] = fresh
			stored++
		}
		if next != "" {
			return row, stored, nil
		}
		next = row
	}
	return "", stored, nil
}

type rotationFixture struct {
	store  *secrettest.Store
	old    secret.Wrapper
	column *column
}

// newRotationFixture has ten tenants with one secret each under the old master.
func newRotationFixture(t *testing.T) *rotationFixture {
	t.Helper()
	f := &rotationFixture{store: secrettest.NewStore(), old: newMaster(t), column: &column{rows: map[string][]byte{}}}
	f.column.place = func(row string) secret.Place {
		place := home
		place.Tenant, place.Row = "org_"+row, row
		return place
	}
	vault := newVault(t, f.store, f.old)
	for i := range 10 {
		row := fmt.Sprintf("row%d", i)
		f.column.rows[row] = seal(t, vault, f.column.place(row), "secret of "+row)
	}
	return f
}

func (f *rotationFixture) requireAllOpen(t *testing.T, vault *secret.Vault) {
	t.Helper()
	for row, ciphertext := range f.column.rows {
		requireOpens(t, vault, f.column.place(row), ciphertext, "secret of "+row)
	}
}

func TestRotateMovesEveryKeysetToTheCurrentMaster(t *testing.T) {
	f := newRotationFixture(t)
	current := newMaster(t)
	var last secret.Progress
	report := func(p secret.Progress) { last = p }

	require.NoError(t, newVault(t, f.store, current, f.old).Rotate(t.Context(), secret.Rotation{Progress: report}))
	require.Equal(t, secret.Progress{Stage: "keysets", Cursor: "org_row9", Done: 10, Changed: 10}, last)
	f.requireAllOpen(t, newVault(t, f.store, current)) // the old master key is gone

	require.NoError(t, newVault(t, f.store, current, f.old).Rotate(t.Context(), secret.Rotation{Progress: report}))
	require.Equal(t, 0, last.Changed, "a second run finds nothing to do")

	_, err := newVault(t, f.store, f.old).Open(t.Context(), f.column.place("row0"), f.column.rows["row0"])
	require.ErrorIs(t, err, secret.ErrMaster, "the old master key alone is of no use")
}

func TestRotationKilledAtEveryStepIsResumed(t *testing.T) {
	for step := range 16 { // ten keysets, five pages, and past the end
		f := newRotationFixture(t)
		cutoff := time.Now()
		current := newMaster(t)
		run := func(ctx context.Context, report func(secret.Progress)) error {
			return newVault(t, f.store, current, f.old).Rotate(ctx, secret.Rotation{
				NewKeysBefore: cutoff, Resealers: []secret.Resealer{f.column}, Progress: report,
			})
		}
		ctx, kill := context.WithCancel(t.Context())
		done := 0
		err := run(ctx, func(secret.Progress) {
			if done++; done > step {
				kill()
			}
		})
		kill()
		if step < 14 {
			require.ErrorIs(t, err, context.Canceled, "step %d", step)
		}
		f.requireAllOpen(t, newVault(t, f.store, current, f.old)) // half-way, everything still opens

		changed := map[string]int{}
		require.NoError(t, run(t.Context(), func(p secret.Progress) { changed[p.Stage] = p.Changed }))
		require.Equal(t, max(0, 10-step-1), changed["keysets"], "step %d: what was done is not done again", step)
		f.requireAllOpen(t, newVault(t, f.store, current))

		require.NoError(t, run(t.Context(), func(p secret.Progress) { changed[p.Stage] = p.Changed }))
		require.Equal(t, map[string]int{"keysets": 0, "integration.api_key": 0}, changed)
	}
}

func TestOtherReplicaOpensWhatANewKeySealed(t *testing.T) {
	f := newRotationFixture(t)
	replica := newVault(t, f.store, f.old)
	f.requireAllOpen(t, replica) // all cached
	before := f.column.rows["row0"]

	vault := newVault(t, f.store, f.old)
	require.NoError(t, vault.Rotate(t.Context(), secret.Rotation{
		NewKeysBefore: time.Now(), Resealers: []secret.Resealer{f.column},
	}))
	require.NotEqual(t, before, f.column.rows["row0"])
	requireOpens(t, vault, f.column.place("row0"), before, "secret of row0") // from a backup
	f.requireAllOpen(t, replica)
}

func TestRotateReportsWhatItCannotUnwrapAndGoesOn(t *testing.T) {
	f := newRotationFixture(t)
	stranger := newVault(t, f.store, newMaster(t))
	place := home
	place.Tenant = "org_row2" // not the last: the others come after it
	f.store.Delete(place.Tenant)
	delete(f.column.rows, "row2")
	seal(t, stranger, place, "under a master key that nobody has")

	current := newMaster(t)
	err := newVault(t, f.store, current, f.old).Rotate(t.Context(), secret.Rotation{Resealers: []secret.Resealer{f.column}})
	require.ErrorIs(t, err, secret.ErrMaster)
	require.ErrorContains(t, err, "1 of 10 keysets")
	require.ErrorContains(t, err, "org_row2")
	require.Zero(t, f.column.pages, "nothing is resealed")
	f.requireAllOpen(t, newVault(t, f.store, current))
}

// contended changes a keyset between every load and the replace, a few times.
type contended struct {
	*secrettest.Store
	left int
}

func (s *contended) Replace(ctx context.Context, tenant string, version int64, wrapped []byte) error {
	if s.left > 0 {
		s.left--
		return secret.ErrChanged
	}
	return s.Store.Replace(ctx, tenant, version, wrapped)
}

func TestRotateRetriesAKeysetThatChangedMeanwhile(t *testing.T) {
	f := newRotationFixture(t)
	current := newMaster(t)
	require.NoError(t, newVault(t, &contended{f.store, 4}, current, f.old).Rotate(t.Context(), secret.Rotation{}))
	f.requireAllOpen(t, newVault(t, f.store, current))

	err := newVault(t, &contended{f.store, 1000}, newMaster(t), current).Rotate(t.Context(), secret.Rotation{})
	require.ErrorIs(t, err, secret.ErrChanged)
}

func TestRotateStopsAtAResealerThatFails(t *testing.T) {
	f := newRotationFixture(t)
	f.column.rows["row3"] = f.column.rows["row4"] // moved
	err := newVault(t, f.store, f.old).Rotate(t.Context(), secret.Rotation{Resealers: []secret.Resealer{f.column}})
	require.ErrorIs(t, err, secret.ErrCiphertext)
	require.ErrorContains(t, err, "integration.api_key")
	require.False(t, errors.Is(err, secret.ErrMaster))
}

func TestRotateRefusesACutoffInTheFuture(t *testing.T) {
	f := newRotationFixture(t)
	err := newVault(t, f.store, f.old).Rotate(t.Context(), secret.Rotation{NewKeysBefore: time.Now().Add(time.Hour)})
	require.ErrorContains(t, err, "future")
}
