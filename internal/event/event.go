// Package event tells every part of every replica what has changed, so that
// caches and subscriptions keep step with the database.
//
// An event is a hint, never the truth: it is delivered at least once while all
// is well, and when some may have been missed (a slow consumer, a lost
// connection) the subscriber is told by [Event.Resync] to read again.
//
// On PostgreSQL an event travels with the transaction that caused it: the
// publisher's [Notifier] runs pg_notify inside it, so a rollback takes the
// event back. On SQLite there is one process, and the event is delivered when
// the transaction has committed.
package event

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
)

// Channel is the PostgreSQL channel that all events share.
const Channel = "bailiwick_event"

// MaxSize is the largest encoded event, in bytes. PostgreSQL refuses 8000.
const MaxSize = 7999

// ErrTooLarge reports an event beyond [MaxSize].
var ErrTooLarge = errors.New("event: too large")

// Topic is what an event is about.
type Topic string

// The topics.
const (
	// AlertChanged: an alert was raised or changed state. ID is the alert's.
	AlertChanged Topic = "alert.changed"
	// AccessChanged: an administrator, role, link, key or session changed.
	// What is cached about the ID, or the whole provider without one, is stale.
	AccessChanged Topic = "access.changed"
	// DeviceChanged: something about a device changed. ID is the device's.
	DeviceChanged Topic = "device.changed"
	// AppleMdmChanged: an organization's device management was set up, changed or
	// deleted. What is cached of it is stale.
	AppleMdmChanged Topic = "applemdm.changed"
	// JobEnqueued: a job is ready to be worked. Payload is the queue's name.
	JobEnqueued Topic = "job.enqueued"
)

// Event is something that changed.
type Event struct {
	Topic        Topic  `json:"topic"`
	Provider     string `json:"provider,omitempty"`
	Organization string `json:"organization,omitempty"`
	ID           string `json:"id,omitempty"`
	Payload      string `json:"payload,omitempty"` // small; never a secret: any database role can listen
	// Resync marks a gap instead of an event: whatever the subscriber derived
	// from earlier events may be out of date. All else but Topic is empty.
	Resync bool `json:"-"`
}

// envelope is an event on the wire. The id lets its publisher know it again.
type envelope struct {
	MessageID string `json:"m"`
	Event
}

// Notifier sends payloads on a PostgreSQL channel, within the transaction in
// the context if there is one, in one statement: SELECT pg_notify($1, $2).
type Notifier func(ctx context.Context, channel string, payloads ...string) error

// AfterCommit runs a function when the transaction in the context has
// committed, never if it rolls back, and at once if there is none.
type AfterCommit func(ctx context.Context, run func())

// Bus delivers events within the process and, with a [Notifier], to the other
// replicas' listeners. It is safe for concurrent use.
type Bus struct {
	notify      Notifier
	afterCommit AfterCommit
	// seen holds our own recent messages: each comes twice, after the commit
	// and as the database's echo, and whichever is first delivers it; the other
	// waits for the channel to be closed, so that whoever has published an event
	// knows afterwards that it was handled here. Should the commit's answer get
	// lost, the echo still delivers it.
	seen *lru.Cache[string, chan struct{}]

	mu            sync.RWMutex
	handlers      map[Topic]map[*handler]struct{}
	subscriptions map[Topic]map[*subscription]struct{}
}

type handler struct{ handle func(Event) }

// NewBus returns a bus. A nil Notifier means that this process is alone.
func NewBus(afterCommit AfterCommit, notify Notifier) (*Bus, error) {
	if afterCommit == nil {
		return nil, errors.New("event: bus without AfterCommit")
	}
	seen, err := lru.New[string, chan struct{}](8192)
	if err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	return &Bus{
		notify:        notify,
		afterCommit:   afterCommit,
		seen:          seen,
		handlers:      map[Topic]map[*handler]struct{}{},
		subscriptions: map[Topic]map[*subscription]struct{}{},
	}, nil
}

// Publish announces events, effective with the transaction in the context: all
// of them or none.
func (b *Bus) Publish(ctx context.Context, events ...Event) error {
	messages, payloads := make([]envelope, 0, len(events)), make([]string, 0, len(events))
	for _, e := range events {
		message, payload, err := encode(e)
		if err != nil {
			return err
		}
		messages, payloads = append(messages, message), append(payloads, payload)
	}
	if b.notify != nil && len(payloads) > 0 {
		if err := b.notify(ctx, Channel, payloads...); err != nil {
			return fmt.Errorf("event: notify: %w", err)
		}
	}
	b.afterCommit(ctx, func() {
		for _, message := range messages {
			b.deliverOnce(message)
		}
	})
	return nil
}

func encode(e Event) (message envelope, payload string, err error) {
	if e.Topic == "" || e.Resync {
		return envelope{}, "", errors.New("event: publish needs a topic and no resync mark")
	}
	message = envelope{MessageID: uuid.NewString(), Event: e}
	encoded, err := json.Marshal(message)
	if err != nil {
		return envelope{}, "", fmt.Errorf("event: encode: %w", err)
	}
	// Checked without PostgreSQL too: what works on one engine works on both.
	if len(encoded) > MaxSize {
		return envelope{}, "", fmt.Errorf("%w: %s has %d bytes", ErrTooLarge, e.Topic, len(encoded))
	}
	return message, string(encoded), nil
}

// Handle calls a function for every event of a topic until stop is called.
// It runs within the publisher's commit or the listener, so that a cache is
// clean before the change is answered: it must be quick, must not block and
// must not publish, handle or subscribe.
func (b *Bus) Handle(topic Topic, handle func(Event)) (stop func()) {
	h := &handler{handle}
	b.mu.Lock()
	defer b.mu.Unlock()
	add(b.handlers, topic, h)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		remove(b.handlers, topic, h)
	}
}

// Resync tells every handler and subscriber that events may have been missed.
func (b *Bus) Resync() {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for topic, handlers := range b.handlers {
		for h := range handlers {
			h.handle(Event{Topic: topic, Resync: true})
		}
	}
	for _, subscriptions := range b.subscriptions {
		for s := range subscriptions {
			s.resync()
		}
	}
}

// receive takes a notification from the database.
func (b *Bus) receive(payload string) error {
	var message envelope
	if err := json.Unmarshal([]byte(payload), &message); err != nil {
		return fmt.Errorf("event: decode notification: %w", err)
	}
	if message.MessageID == "" || message.Topic == "" {
		return errors.New("event: notification is not an event")
	}
	b.deliverOnce(message)
	return nil
}

func (b *Bus) deliverOnce(message envelope) {
	delivered := make(chan struct{})
	if before, seen, _ := b.seen.PeekOrAdd(message.MessageID, delivered); seen {
		<-before
		return
	}
	defer close(delivered)
	b.mu.RLock()
	defer b.mu.RUnlock()
	for h := range b.handlers[message.Topic] {
		h.handle(message.Event)
	}
	for s := range b.subscriptions[message.Topic] {
		s.offer(message.Event)
	}
}

func add[T comparable](sets map[Topic]map[T]struct{}, topic Topic, member T) {
	if sets[topic] == nil {
		sets[topic] = map[T]struct{}{}
	}
	sets[topic][member] = struct{}{}
}

func remove[T comparable](sets map[Topic]map[T]struct{}, topic Topic, member T) {
	delete(sets[topic], member)
	if len(sets[topic]) == 0 {
		delete(sets, topic)
	}
}
