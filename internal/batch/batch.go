// Package batch works requests together that come while others are being worked.
//
// A transaction for each of many small requests costs more than what they do in
// it. Who comes alone is worked at once and alone; who comes while a batch of
// their kind is under way waits for its end, and is then worked with all who
// have come meanwhile. So nobody waits for company, and the busier a server is
// the less each request costs: databases call it group commit.
package batch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Outcome is what became of one item.
type Outcome[O any] struct {
	Value O
	Err   error
}

// Config is what a [Group] needs; all of it is required but Alone.
type Config[I, O any] struct {
	// Work works items together and answers an outcome for each, in their order.
	// An error, or a panic, is every item's. The context is no request's: it has no
	// values, and ends after Timeout. Nothing may be left half-done.
	Work func(ctx context.Context, key string, items []I) ([]Outcome[O], error)
	// Alone reports whether an error of Work says that nothing was done, and that
	// each item is to be worked again by itself, so that one cannot spoil the
	// others. Nil is never.
	Alone func(error) bool
	// Most is how many items are worked together.
	Most int
	// Lanes is how many batches of one key are under way at a time.
	Lanes int
	// Timeout bounds the work of one batch.
	Timeout time.Duration
}

// Validate reports what could not work.
func (c Config[I, O]) Validate() error {
	if c.Work == nil || c.Most < 1 || c.Lanes < 1 || c.Timeout <= 0 {
		return errors.New("batch: work, a size, lanes and a timeout are required")
	}
	return nil
}

// Group works items of the same key together. It is safe for concurrent use.
type Group[I, O any] struct {
	Config[I, O]
	mu    sync.Mutex
	lanes map[string]*lane[I, O]
}

// lane is who works and who waits under a key. There is none for a key that
// nobody works under.
type lane[I, O any] struct {
	working int
	waiting []*entry[I, O]
}

// entry is an item on its way.
type entry[I, O any] struct {
	item  I
	lead  chan struct{}   // closed when whoever brought the item is to work it, and those who wait
	ended chan Outcome[O] // gets the outcome
}

// New returns a group, or what is wrong with its configuration.
func New[I, O any](c Config[I, O]) (*Group[I, O], error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Group[I, O]{Config: c, lanes: map[string]*lane[I, O]{}}, nil
}

// Do has an item worked, alone or with others of its key, and answers its
// outcome. It does not wait longer than its context; an item that is under way by
// then is worked nevertheless.
func (g *Group[I, O]) Do(ctx context.Context, key string, item I) (O, error) {
	e := &entry[I, O]{item: item, lead: make(chan struct{}), ended: make(chan Outcome[O], 1)}
	if g.enter(key, e) {
		g.work(key, []*entry[I, O]{e})
		o := <-e.ended
		return o.Value, o.Err
	}
	select {
	case o := <-e.ended:
		return o.Value, o.Err
	case <-e.lead:
		g.leads(key, e)
	case <-ctx.Done():
		if g.withdraw(key, e) {
			var none O
			return none, ctx.Err()
		}
		// It is under way: whoever works it may be this caller.
		select {
		case <-e.lead:
			g.leads(key, e)
		case o := <-e.ended:
			return o.Value, o.Err
		}
	}
	o := <-e.ended
	return o.Value, o.Err
}

// leads works an item whose turn it is, with those who wait.
func (g *Group[I, O]) leads(key string, e *entry[I, O]) {
	g.work(key, append([]*entry[I, O]{e}, g.join(key)...))
}

// join takes those who wait, as many as fit beside the one who leads.
func (g *Group[I, O]) join(key string) []*entry[I, O] {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[key]
	n := min(len(l.waiting), g.Most-1)
	joined := l.waiting[:n:n]
	l.waiting = l.waiting[n:]
	return joined
}

// enter reports whether an item is to be worked at once; else it waits.
func (g *Group[I, O]) enter(key string, e *entry[I, O]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[key]
	if l == nil {
		l = &lane[I, O]{}
		g.lanes[key] = l
	}
	if l.working < g.Lanes {
		l.working++
		return true
	}
	l.waiting = append(l.waiting, e)
	return false
}

// withdraw takes back an item that still waits, and reports whether it did.
func (g *Group[I, O]) withdraw(key string, e *entry[I, O]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[key]
	if l == nil {
		return false
	}
	for i, waiting := range l.waiting {
		if waiting == e {
			l.waiting = append(l.waiting[:i:i], l.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// leave has the first of those who wait lead the next batch.
func (g *Group[I, O]) leave(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[key]
	if len(l.waiting) == 0 {
		if l.working--; l.working == 0 {
			delete(g.lanes, key)
		}
		return
	}
	close(l.waiting[0].lead)
	l.waiting = l.waiting[1:]
}

// work works a batch and tells everybody their outcome.
func (g *Group[I, O]) work(key string, entries []*entry[I, O]) {
	outcomes := make([]Outcome[O], len(entries))
	for i := range outcomes {
		outcomes[i].Err = errUnfinished
	}
	defer func() { // also when Work panics, or ends the goroutine
		g.leave(key)
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
