package ordeal

import (
	"context"
	"slices"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	autotask "github.com/bailiwick/bailiwick/internal/ticket/psa/autotask/standin"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

// fault is what goes wrong in an ordeal.
type fault struct {
	name string
	only []psa.Kind // that it can happen at; all if empty
	run  func(context.Context, *site) error

	timeout time.Duration // of a call; callTimeout if 0
	skew    time.Duration // by which one worker's clock is late, and the other's early
	wrap    func(psa.Vendor) psa.Vendor
	mortal  bool // workers die
	real    bool // the clock goes by itself
	storms  bool // storms share a ticket, as by default
	scanned bool // duplicates may be made, and are to be closed
	once    bool // one run is enough
}

// nothing is the name of the ordeal without a fault.
const nothing = "nothing"

func faults() []fault {
	return []fault{
		{name: nothing, run: struck(func(*site) []desk.Fault { return nil })},
		{name: "commit, then drop", run: struck(writes(desk.CommitDrop))},
		{name: "commit, then 500", run: struck(writes(desk.Commit500))},
		{name: "commit, then slow", run: slow, timeout: 400 * time.Millisecond},
		{name: "2xx cut short", run: struck(calls(desk.CommitTruncate))},
		{name: "HTML with 200", run: struck(calls(desk.HTML, desk.CommitHTML))},
		{name: "drop, nothing committed", run: struck(calls(desk.Drop))},
		{name: "429 with Retry-After", run: struck(throttled(true))},
		{name: "429 without Retry-After", run: struck(throttled(false))},
		{name: "thread limit as 500", only: []psa.Kind{psa.Autotask}, run: struck(calls(autotask.ThreadLimit))},
		{name: "zone moved", only: []psa.Kind{psa.Autotask}, run: moved},
		{name: "code base moved", only: []psa.Kind{psa.ConnectWise}, run: moved},
		{name: "credentials revoked midway", run: revoked},
		{name: "search lags behind a create", run: struck(lagging(2))},
		{name: "search lags beyond every look-up", run: scanned, scanned: true},
		{name: "workers die between two steps", run: deadly, mortal: true},
		{name: "kill -9 of worker processes", run: killed, real: true},
		{name: "clocks 80 seconds apart", run: struck(writes(desk.CommitDrop)), skew: 40 * time.Second},
		{name: "a crowd of alerts", run: crowded, storms: true, once: true},
	}
}

func canaries() []fault {
	return []fault{
		{name: "a client that re-sends what got no answer", run: struck(dropped), wrap: func(v psa.Vendor) psa.Vendor { return resender{v} }},
		{name: "a client that takes notes for written", run: struck(dropped), wrap: func(v psa.Vendor) psa.Vendor { return optimist{v} }},
	}
}

// dropped are lost answers to tickets, and lost notes.
func dropped(s *site) []desk.Fault {
	return []desk.Fault{s.on(onCreate, desk.CommitDrop), s.on(onNote, desk.Drop)}
}

func (f fault) at(kind psa.Kind) bool { return len(f.only) == 0 || slices.Contains(f.only, kind) }

// on is a fault that strikes a target once.
func (s *site) on(t target, a desk.Action) desk.Fault {
	r := s.side.route(t)
	return desk.Fault{Method: r.method, Path: r.path, Action: a}
}

// struck is a run in which calls of the first tenant meet with faults. The
// second is spared.
func struck(of func(*site) []desk.Fault) func(context.Context, *site) error {
	return func(ctx context.Context, s *site) error {
		if err := s.suffer(ctx, of(s), nil); err != nil {
			return err
		}
		return s.spared()
	}
}

// suffer tells a story under faults on the first tenant's account; the last
// part, if any, comes when all is at rest.
func (s *site) suffer(ctx context.Context, all []desk.Fault, last func() error) error {
	s.idle()
	before := s.side.struck()
	for _, f := range all {
		s.side.strike(0, f)
	}
	err := s.tell(ctx, nil, func(n int) error {
		if err := s.drive(ctx, nil); err != nil || n < len(acts())-1 || last == nil {
			return err
		}
		return last()
	})
	s.result.Struck += s.side.struck() - before
	return err
}

// idle passes some time.
func (s *site) idle() {
	s.clock.to(s.clock.Now().Add(time.Duration(s.random.IntN(90)) * time.Minute))
}

// some is a choice of targets, at least one.
func (s *site) some(of ...target) []target {
	s.random.Shuffle(len(of), func(a, b int) { of[a], of[b] = of[b], of[a] })
	return of[:1+s.random.IntN(len(of))]
}

// many strikes several requests of each target, not always from the first.
func (s *site) many(targets []target, actions ...desk.Action) (all []desk.Fault) {
	for _, t := range targets {
		f := s.on(t, actions[s.random.IntN(len(actions))])
		f.Skip, f.Count = s.random.IntN(2), 1+s.random.IntN(3)
		all = append(all, f)
	}
	return all
}

// writes strikes what changes something at the vendor.
func writes(a desk.Action) func(*site) []desk.Fault {
	return func(s *site) []desk.Fault { return s.many(s.some(onCreate, onNote, onClose), a) }
}

// calls strikes calls of every kind. For a look-up to be struck there must be one.
func calls(actions ...desk.Action) func(*site) []desk.Fault {
	return func(s *site) []desk.Fault {
		targets := s.some(onCreate, onFind, onGet, onNote, onNotes, onClose)
		var all []desk.Fault
		if slices.Contains(targets, onFind) {
			all = append(all, s.on(onCreate, desk.CommitDrop))
		}
		return append(all, s.many(targets, actions...)...)
	}
}

func throttled(says bool) func(*site) []desk.Fault {
	return func(s *site) []desk.Fault {
		all := calls(desk.Throttle)(s)
		for n := range all {
			if says && all[n].Action == desk.Throttle {
				all[n].RetryAfter = time.Duration(1+s.random.IntN(90)) * time.Second
			}
		}
		return all
	}
}

// lagging is a search that does not know a ticket whose answer was lost, for so
// many look-ups at most.
func lagging(most int) func(*site) []desk.Fault {
	return func(s *site) []desk.Fault {
		find, create := s.on(onFind, desk.Stale), s.on(onCreate, desk.CommitDrop)
		find.Count, create.Skip = 1+s.random.IntN(most), s.random.IntN(2)
		return []desk.Fault{find, create}
	}
}

// slow answers after the client has gone: which it may think of a neighbour's
// call as well, on a busy machine.
func slow(ctx context.Context, s *site) error {
	all := s.many(s.some(onCreate, onNote, onClose), desk.CommitSlow)
	for n := range all {
		all[n].Count = 1
	}
	return s.suffer(ctx, all, nil)
}

// scanned is a search that lags for so long that a second ticket is made, which
// the scan closes.
func scanned(ctx context.Context, s *site) error {
	find := s.on(onFind, desk.Stale)
	find.Count = 3
	return s.suffer(ctx, []desk.Fault{find, s.on(onCreate, desk.CommitDrop)}, func() error {
		return s.workers[s.random.IntN(len(s.workers))].Tickets.Scan(ctx)
	})
}

// moved has the first tenant's account move while it is called.
func moved(ctx context.Context, s *site) error {
	s.idle()
	err := s.tell(ctx, func(int) error {
		if s.random.IntN(2) == 0 {
			s.after(1+s.random.IntN(8), false, func() {
				s.moves++
				s.side.move(0, s.moves)
			})
		}
		return nil
	}, func(int) error { return s.drive(ctx, nil) })
	s.after(0, false, nil)
	s.result.Struck = s.moves
	if err != nil {
		return err
	}
	return s.spared()
}

// deadly has workers die, and others go on.
func deadly(ctx context.Context, s *site) error {
	s.idle()
	before := s.fate.Deaths()
	if s.random.IntN(2) == 0 {
		s.side.strike(0, s.on(onCreate, desk.CommitDrop))
	}
	err := s.tell(ctx, func(int) error {
		s.fate.Arm(1+s.random.IntN(50), 1+s.random.IntN(50))
		return nil
	}, func(int) error { return s.drive(ctx, nil) })
	s.fate.Arm()
	s.result.Struck += s.fate.Deaths() - before
	return err
}
