// Package batch works requests together that come while others are being worked.
//
// A transaction for each of many small requests costs more than what they do in
// it. Who comes alone is worked at once and alone; who comes while a batch of
// their kind is under way waits for its end, and is then worked with all who
// have come meanwhile. The busier a server is the less each request costs:
// databases call it group commit.
//
// Those who have just been worked together come again together: the first of
// them waits a moment for the others, or every second batch would be of one. Who
// comes to a quiet server waits for nobody.
package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Outcome is what became of one item.
type Outcome[O any] struct {
	Value O
	Err   error
}

// Config is what a [Group] needs; Work and Lanes are required.
type Config[I, O any] struct {
	// Work works items together and answers an outcome for each, in their order.
	// An error, or a panic, is every item's. The context is no request's: it has no
	// values, and ends after Timeout. Nothing may be left half-done.
	Work func(ctx context.Context, key string, items []I) ([]Outcome[O], error)
	// Alone reports whether an error of Work says that nothing was done, and that
	// each item is to be worked again by itself, so that one cannot spoil the
	// others. Nil is never.
	Alone func(error) bool
	// Most is how many items are worked together; zero is 64.
	Most int
	// Lanes is how many batches of one key are under way at a time.
	Lanes int
	// Patience is how long an item waits for a batch that is held up, by a lock
	// for instance: those who wait are then worked beside it, in at most MostLanes. Zero
	// is a tenth of a second, and four.
	Patience  time.Duration
	MostLanes int
	// Linger is how long, at most, a batch waits until it is as large as the last
	// ones were; zero is a millisecond.
	Linger time.Duration
	// Timeout bounds the work of one batch; zero is half a minute.
	Timeout time.Duration
}

// Validate reports what could not work.
func (c Config[I, O]) Validate() error {
	if c.Work == nil || c.Most < 1 || c.Lanes < 1 || c.MostLanes < c.Lanes || c.Patience <= 0 || c.Linger <= 0 || c.Timeout <= 0 {
		return errors.New("batch: work and lanes are required, and nothing is negative")
	}
	return nil
}

// Group works items of the same key together. It is safe for concurrent use.
type Group[I, O any] struct {
	Config[I, O]
	mu    sync.Mutex
	lanes map[string]*lane[I, O]
}

// lane is who works and who waits under a key. There is none for a key under
// which nobody has worked for a while.
type lane[I, O any] struct {
	running []*run // the oldest first
	waiting []*entry[I, O]
	sizes   [2]int // of the last batches
}

// complete reports whether those who wait are as many as are to be expected: half
// of the last two batches, so that one half is worked while the other comes.
func (l *lane[I, O]) complete() bool { return 2*len(l.waiting) >= l.sizes[0]+l.sizes[1] }

func (l *lane[I, O]) idle() bool { return len(l.running) == 0 && len(l.waiting) == 0 }

// lead has the first of those who wait lead a batch.
func (l *lane[I, O]) lead() {
	l.waiting[0].lead <- l.begin()
	l.waiting = l.waiting[1:]
}

// run is a batch that is under way.
type run struct{ held bool } // up, so that others do not wait for it

// free reports whether another batch may be under way.
func (l *lane[I, O]) free(lanes int) bool {
	for _, r := range l.running {
		if !r.held {
			lanes--
		}
	}
	return lanes > 0
}

func (l *lane[I, O]) begin() *run {
	r := &run{}
	l.running = append(l.running, r)
	return r
}

// withdraw takes back an item that waits, and reports whether it did.
func (l *lane[I, O]) withdraw(e *entry[I, O]) bool {
	i := slices.Index(l.waiting, e)
	if i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
	return i >= 0
}

// entry is an item on its way.
type entry[I, O any] struct {
	item  I
	lead  chan *run       // gets the batch that whoever brought the item is to work, with those who wait
	ended chan Outcome[O] // gets the outcome
}

// New returns a group, or what is wrong with its configuration.
func New[I, O any](c Config[I, O]) (*Group[I, O], error) {
	c.Most, c.MostLanes = cmp.Or(c.Most, 64), cmp.Or(c.MostLanes, 4)
	c.Patience, c.Timeout = cmp.Or(c.Patience, 100*time.Millisecond), cmp.Or(c.Timeout, 30*time.Second)
	c.Linger = cmp.Or(c.Linger, time.Millisecond)
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Group[I, O]{Config: c, lanes: map[string]*lane[I, O]{}}, nil
}

// Do has an item worked, alone or with others of its key, and answers its
// outcome. It does not wait longer than its context; an item that is under way by
// then is worked nevertheless.
func (g *Group[I, O]) Do(ctx context.Context, key string, item I) (O, error) {
	e := &entry[I, O]{item: item, lead: make(chan *run, 1), ended: make(chan Outcome[O], 1)}
	if r := g.enter(key, e); r != nil {
		g.work(key, r, e)
	} else if err := g.wait(ctx, key, e); err != nil {
		var none O
		return none, err
	}
	o := <-e.ended
	return o.Value, o.Err
}

// wait waits for an item's turn, and works it with those who wait if it is the
// one to lead them.
func (g *Group[I, O]) wait(ctx context.Context, key string, e *entry[I, O]) error {
	patience := time.NewTimer(g.Patience)
	defer patience.Stop()
	for {
		select {
		case o := <-e.ended:
			e.ended <- o
			return nil
		case r := <-e.lead:
			g.work(key, r, e)
			return nil
		case <-patience.C:
			if r := g.overtake(key, e); r != nil {
				g.work(key, r, e)
				return nil
			}
		case <-ctx.Done():
			if g.withdraw(key, e) {
				return ctx.Err()
			}
			ctx = context.WithoutCancel(ctx) // it is under way
		}
	}
}

// enter begins a batch for an item that is to be worked at once; else it waits.
func (g *Group[I, O]) enter(key string, e *entry[I, O]) *run {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[key]
	if l == nil {
		l = &lane[I, O]{}
		g.lanes[key] = l
	}
	l.waiting = append(l.waiting, e)
	switch {
	case !l.free(g.Lanes):
	case l.complete():
		l.withdraw(e)
		return l.begin()
	case len(l.waiting) == 1:
		g.linger(key)
	}
	return nil
}

// linger looks after a lane a little later: who waits by then is worked, and a
// lane that nobody has come to is forgotten.
func (g *Group[I, O]) linger(key string) {
	time.AfterFunc(g.Linger, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		switch l := g.lanes[key]; {
		case l == nil:
		case l.idle():
			delete(g.lanes, key)
		case len(l.waiting) > 0 && l.free(g.Lanes):
			l.lead()
		}
	})
}

// overtake begins a batch beside one that is held up, if there may be one.
func (g *Group[I, O]) overtake(key string, e *entry[I, O]) *run {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[key]
	if l == nil || len(l.running) >= g.MostLanes || !l.withdraw(e) {
		return nil
	}
	for _, r := range l.running {
		if !r.held {
			r.held = true
			break
		}
	}
	return l.begin()
}

// withdraw takes back an item that still waits, and reports whether it did.
func (g *Group[I, O]) withdraw(key string, e *entry[I, O]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[key]
	return l != nil && l.withdraw(e)
}

// join takes those who wait, as many as fit beside the one who leads.
func (g *Group[I, O]) join(key string, first *entry[I, O]) []*entry[I, O] {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[key]
	n := min(len(l.waiting), g.Most-1)
	joined := append([]*entry[I, O]{first}, l.waiting[:n]...)
	l.waiting = l.waiting[n:]
	return joined
}

// leave ends a batch of a size, and has the first of those who wait lead the
// next.
func (g *Group[I, O]) leave(key string, ended *run, size int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[key]
	l.running = slices.DeleteFunc(l.running, func(r *run) bool { return r == ended })
	l.sizes = [2]int{l.sizes[1], size}
	switch {
	case len(l.waiting) > 0 && l.free(g.Lanes) && l.complete():
		l.lead()
	case len(l.waiting) > 0 && l.free(g.Lanes), l.idle() && max(l.sizes[0], l.sizes[1]) > 1:
		g.linger(key)
	case l.idle():
		delete(g.lanes, key)
	}
}

// work works an item with those who wait, and tells everybody their outcome.
func (g *Group[I, O]) work(key string, r *run, first *entry[I, O]) {
	entries := g.join(key, first)
	outcomes := make([]Outcome[O], len(entries))
	for i := range outcomes {
		outcomes[i].Err = errUnfinished
	}
	defer func() { // also when Work panics, or ends the goroutine
		g.leave(key, r, len(entries))
		for i, e := range entries {
			e.ended <- outcomes[i]
		}
	}()
	items := make([]I, len(entries))
	for i, e := range entries {
		items[i] = e.item
	}
	worked, err := g.run(key, items)
	if err != nil && len(items) > 1 && g.Alone != nil && g.Alone(err) {
		for i := range items {
			one, err := g.run(key, items[i:i+1])
			outcomes[i] = only(one, err)
		}
		return
	}
	for i := range outcomes {
		if err != nil {
			outcomes[i] = Outcome[O]{Err: err}
		} else {
			outcomes[i] = worked[i]
		}
	}
}

// errUnfinished is what the others of a batch get whose work has panicked.
var errUnfinished = errors.New("batch: the work did not finish")

func only[O any](worked []Outcome[O], err error) Outcome[O] {
	if err != nil {
		return Outcome[O]{Err: err}
	}
	return worked[0]
}

func (g *Group[I, O]) run(key string, items []I) ([]Outcome[O], error) {
	ctx, cancel := context.WithTimeout(context.Background(), g.Timeout)
	defer cancel()
	worked, err := g.Work(ctx, key, items)
	if err == nil && len(worked) != len(items) {
		return nil, fmt.Errorf("batch: %d outcomes for %d items", len(worked), len(items))
	}
	return worked, err
}
