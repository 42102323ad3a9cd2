package event

import (
	"context"
	"sync"
)

// subscriptionBuffer is how many events may wait for one subscriber.
const subscriptionBuffer = 64

type subscription struct {
	topic  Topic
	filter func(Event) bool

	mu     sync.Mutex // one sender at a time
	closed bool
	// One place more than subscriptionBuffer, which only a resync mark may
	// fill: when the channel is full, its last element is such a mark.
	events chan Event
}

// Subscribe returns the events of a topic that pass the filter (nil passes
// all), until the context ends; then the channel is closed. A subscriber that
// falls behind by more than 64 events loses what follows and finds an
// [Event.Resync] in its place. The filter must be quick and must not block;
// resync marks pass it by.
func (b *Bus) Subscribe(ctx context.Context, topic Topic, filter func(Event) bool) <-chan Event {
	s := &subscription{topic: topic, filter: filter, events: make(chan Event, subscriptionBuffer+1)}
	b.mu.Lock()
	add(b.subscriptions, topic, s)
	b.mu.Unlock()
	context.AfterFunc(ctx, func() {
		b.mu.Lock()
		remove(b.subscriptions, topic, s)
		b.mu.Unlock()
		s.close()
	})
	return s.events
}

func (s *subscription) offer(e Event) {
	if s.filter != nil && !s.filter(e) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if len(s.events) < subscriptionBuffer {
		s.events <- e
		return
	}
	s.mark()
}

func (s *subscription) resync() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.mark()
	}
}

// mark never blocks: the receiver only ever makes room, and a channel that is
// full ends in a mark already.
func (s *subscription) mark() {
	select {
	case s.events <- Event{Topic: s.topic, Resync: true}:
	default:
	}
}

func (s *subscription) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	close(s.events)
}
