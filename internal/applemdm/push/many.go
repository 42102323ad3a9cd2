package push

import (
	"context"
	"sync"
)

// Batch is what is to be sent with one certificate. Two batches of one call
// do not share a certificate.
type Batch struct {
	Certificate   Certificate
	Notifications []Notification
}

// SendMany sends batches and returns an outcome for each notification, in
// their order. Organizations take turns, so that a large one does not make the
// others wait; no more of them at once than connections are kept, so that each
// connects once. What a refused certificate has left is not sent, and shares
// the refusal; what a cancelled context has left is to be retried later.
func (s *Sender) SendMany(ctx context.Context, batches []Batch) [][]Outcome {
	outcomes := make([][]Outcome, len(batches))
	q := &queue{streams: s.config.Streams, window: s.config.Clients, clients: s.clients}
	q.wake = sync.NewCond(&q.mu)
	total := 0
	for i, batch := range batches {
		outcomes[i] = make([]Outcome, len(batch.Notifications))
		if len(batch.Notifications) > 0 {
			q.waiting = append(q.waiting, &turn{Batch: batch, outcomes: outcomes[i]})
			total += len(batch.Notifications)
		}
	}
	q.admit()
	var workers sync.WaitGroup
	for range min(s.config.Concurrency, total) {
		workers.Go(func() {
			for t, i, ok := q.next(); ok; t, i, ok = q.next() {
				q.done(t, i, s.attempt(ctx, t, i))
			}
		})
	}
	workers.Wait()
	return outcomes
}

func (s *Sender) attempt(ctx context.Context, t *turn, i int) Outcome {
	if err := ctx.Err(); err != nil {
		return Outcome{Status: RetryLater, Err: err}
	}
	return s.Send(ctx, t.Certificate, t.Notifications[i])
}

// turn is a batch on its way.
type turn struct {
	Batch

	outcomes []Outcome
	sent     int  // notifications handed out
	flying   int  // of these, those without an outcome
	parked   bool // not in line, since all its streams are taken
	client   *client
}

// begin keeps the batch's connection for as long as the batch lasts, and reads
// its certificate once. An unusable one is left to Send.
func (t *turn) begin(clients *cache) {
	leaf, id, err := t.Certificate.leaf()
	if err != nil {
		return
	}
	t.Certificate.TLS.Leaf = leaf
	t.client = clients.acquire(id, t.Certificate.TLS)
}

func (t *turn) end(clients *cache) {
	if t.client != nil {
		clients.release(t.client)
	}
}

// queue hands out notifications, a batch after the other.
type queue struct {
	clients *cache
	streams int // of one batch
	window  int // batches in turn at once

	mu      sync.Mutex
	wake    *sync.Cond
	waiting []*turn // not begun
	line    []*turn // whose turn is next
	active  int     // begun and not finished
}

// admit lets waiting batches in while there is room; the lock is held, or
// nobody else knows of the queue yet.
func (q *queue) admit() {
	for q.active < q.window && len(q.waiting) > 0 {
		q.waiting[0].begin(q.clients)
		q.line = append(q.line, q.waiting[0])
		q.waiting = q.waiting[1:]
		q.active++
	}
}

// next waits for a notification to send: batch and index. It reports false
// once all have been handed out.
func (q *queue) next() (*turn, int, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.line) == 0 {
		if q.active == 0 {
			return nil, 0, false
		}
		q.wake.Wait()
	}
	t := q.line[0]
	q.line = q.line[1:]
	i := t.sent
	t.sent++
	t.flying++
	if t.sent < len(t.Notifications) {
		if t.flying < q.streams {
			q.line = append(q.line, t)
		} else {
			t.parked = true
		}
	}
	return t, i, true
}

// done records an outcome, and makes room for the next.
func (q *queue) done(t *turn, i int, o Outcome) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t.outcomes[i] = o
	t.flying--
	if o.Status == CertificateRefused {
		for ; t.sent < len(t.Notifications); t.sent++ {
			t.outcomes[t.sent] = o
		}
		q.leave(t)
	}
	switch {
	case t.sent < len(t.Notifications):
		if t.parked {
			t.parked = false
			q.line = append(q.line, t)
		}
	case t.flying == 0:
		t.end(q.clients)
		q.active--
		q.admit()
	}
	q.wake.Broadcast()
}

// leave takes a batch that has nothing left out of the line.
func (q *queue) leave(t *turn) {
	t.parked = false
	for i, other := range q.line {
		if other == t {
			q.line = append(q.line[:i:i], q.line[i+1:]...)
			return
		}
	}
}
