package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// unknownKeyPause is how soon after a refresh an unknown kid may cause another:
// whoever invents kids must not make us read the store at their pace.
const unknownKeyPause = 5 * time.Second

const loadTimeout = 5 * time.Second

// KeySet is a replica's copy of the signing keys. Reading it takes no lock; it
// is safe for concurrent use.
type KeySet struct {
	store    Store
	schedule Schedule
	clock    func() time.Time
	log      *slog.Logger

	loading  sync.Mutex // held by whoever reads the store
	tried    atomic.Int64
	snapshot atomic.Pointer[snapshot]
}

type snapshot struct {
	loaded time.Time // taken before the read, so never later than what was read
	byID   map[string]Key
	active Key
	signs  bool
}

// NewKeySet returns a key set that reads the store when first used.
func NewKeySet(store Store, schedule Schedule, clock func() time.Time, log *slog.Logger) (*KeySet, error) {
	if err := schedule.Validate(); err != nil {
		return nil, err
	}
	s := &KeySet{store: store, schedule: schedule, clock: clock, log: log}
	s.snapshot.Store(&snapshot{})
	return s, nil
}

// Rotate does what the schedule says is due and refreshes the copy. Every
// replica calls it when it starts; after that one call a minute, by any of
// them, is enough.
func (s *KeySet) Rotate(ctx context.Context) error {
	var changed []Key
	err := s.store.Update(ctx, func(keys []Key) (_ []Key, err error) {
		now := s.clock()
		changed, err = apply(keys, s.schedule.Plan(keys, now), now)
		return changed, err
	})
	if err != nil {
		return fmt.Errorf("rotate signing keys: %w", err)
	}
	for _, k := range changed {
		s.log.InfoContext(ctx, "signing key changed", "key", k)
	}
	return s.Refresh(ctx)
}

// Refresh reads the store anew; call it when another replica reports a change.
func (s *KeySet) Refresh(ctx context.Context) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	return s.load(ctx)
}

// load wants s.loading held. It outlasts the request that needs it: others wait
// for the same keys, and a caller who hangs up must not spoil it for them.
func (s *KeySet) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	now := s.clock()
	s.tried.Store(now.UnixNano())
	keys, err := s.store.Keys(ctx)
	if err == nil {
		err = check(keys)
	}
	if err != nil {
		return fmt.Errorf("load signing keys: %w", err)
	}
	fresh := &snapshot{loaded: now, byID: make(map[string]Key, len(keys))}
	for _, k := range keys {
		if k.State != Removed {
			fresh.byID[k.ID] = k
		}
	}
	fresh.active, fresh.signs = newestActive(keys)
	s.snapshot.Store(fresh)
	return nil
}

// current is a copy that is not due, read anew if it must be.
func (s *KeySet) current(ctx context.Context) (*snapshot, error) {
	if s.due() {
		s.loading.Lock()
		defer s.loading.Unlock()
		if s.due() { // nobody refreshed while we waited
			if err := s.load(ctx); err != nil {
				return nil, err
			}
		}
	}
	return s.snapshot.Load(), nil
}

// signer is the key that signs now. It never answers from a copy that is due: a
// key retired meanwhile may be removed before such a token expires.
func (s *KeySet) signer(ctx context.Context) (Key, error) {
	current, err := s.current(ctx)
	if err != nil {
		return Key{}, err
	}
	if !current.signs {
		return Key{}, errors.New("no active signing key; rotate first")
	}
	return current.active, nil
}

// verifier finds the key of a token. A copy that is due, or that lacks the kid,
// is refreshed first, but not more often than every unknownKeyPause. If the
// store cannot be read, what is known goes on counting: to sign everyone out
// would not help a database that is down.
func (s *KeySet) verifier(ctx context.Context, kid string) (Key, bool) {
	k, known := s.snapshot.Load().byID[kid]
	if known && !s.due() {
		return k, true
	}
	// Waiting for the one who loads is for those only who cannot do without.
	switch {
	case !known:
		s.loading.Lock()
	case !s.loading.TryLock():
		return k, true
	}
	defer s.loading.Unlock()
	if k, now := s.snapshot.Load().byID[kid]; now && !s.due() {
		return k, true
	}
	if since := s.clock().UnixNano() - s.tried.Load(); since < 0 || since >= int64(unknownKeyPause) {
		if err := s.load(ctx); err != nil {
			s.log.WarnContext(ctx, "signing keys not refreshed", "error", err)
		}
	}
	k, known = s.snapshot.Load().byID[kid]
	return k, known
}

func (s *KeySet) due() bool {
	since := s.clock().Sub(s.snapshot.Load().loaded)
	return since < -leeway || since >= s.schedule.Refresh
}
