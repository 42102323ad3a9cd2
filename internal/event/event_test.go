package event_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/event"
)

const patience = 10 * time.Second

func immediately(_ context.Context, run func()) { run() }

func newBus(t *testing.T) *event.Bus {
	t.Helper()
	bus, err := event.NewBus(immediately, nil)
	require.NoError(t, err)
	return bus
}

func next(t *testing.T, events <-chan event.Event) event.Event {
	t.Helper()
	select {
	case e, open := <-events:
		require.True(t, open, "channel closed")
		return e
	case <-time.After(patience):
		t.Fatal("no event")
		return event.Event{}
	}
}

func alert(organization, id string) event.Event {
	return event.Event{Topic: event.AlertChanged, Provider: "prv_1", Organization: organization, ID: id}
}

func TestSubscriberGetsWhatItsFilterPasses(t *testing.T) {
	bus := newBus(t)
	only := func(organization string) func(event.Event) bool {
		return func(e event.Event) bool { return e.Organization == organization }
	}
	a := bus.Subscribe(t.Context(), event.AlertChanged, only("org_a"))
	b := bus.Subscribe(t.Context(), event.AlertChanged, only("org_b"))
	other := bus.Subscribe(t.Context(), event.JobEnqueued, nil)

	require.NoError(t, bus.Publish(t.Context(), alert("org_a", "1")))
	require.NoError(t, bus.Publish(t.Context(), alert("org_b", "2")))
	require.NoError(t, bus.Publish(t.Context(), alert("org_a", "3")))
	require.Equal(t, alert("org_a", "1"), next(t, a))
	require.Equal(t, alert("org_a", "3"), next(t, a))
	require.Equal(t, alert("org_b", "2"), next(t, b))
	require.Empty(t, b)
	require.Empty(t, other)
}

func TestSubscriptionEndsWithItsContext(t *testing.T) {
	bus := newBus(t)
	ctx, cancel := context.WithCancel(t.Context())
	events := bus.Subscribe(ctx, event.AlertChanged, nil)
	cancel()
	select {
	case _, open := <-events:
		require.False(t, open)
	case <-time.After(patience):
		t.Fatal("channel stays open")
	}
	require.NoError(t, bus.Publish(t.Context(), alert("org_a", "1")))
}

func TestSlowSubscriberIsToldToResyncAndNeverBlocks(t *testing.T) {
	bus := newBus(t)
	slow := bus.Subscribe(t.Context(), event.AlertChanged, nil)
	for range 1000 {
		require.NoError(t, bus.Publish(t.Context(), alert("org_a", "1")))
	}
	bus.Resync() // while full
	received := 0
	for {
		e := next(t, slow)
		if e.Resync {
			require.Equal(t, event.AlertChanged, e.Topic)
			break
		}
		received++
	}
	require.Equal(t, 64, received)
	require.Empty(t, slow)
	require.NoError(t, bus.Publish(t.Context(), alert("org_a", "2")))
	require.Equal(t, "2", next(t, slow).ID, "it goes on after the gap")
}

func TestAGapIsNeverSilent(t *testing.T) {
	bus := newBus(t)
	ctx, cancel := context.WithCancel(t.Context())
	events := bus.Subscribe(ctx, event.AlertChanged, nil)
	const total = 20_000
	var publishing sync.WaitGroup
	publishing.Go(func() {
		defer cancel()
		for range total {
			_ = bus.Publish(t.Context(), alert("org_a", "x"))
		}
		_ = bus.Publish(t.Context(), alert("org_a", "last"))
	})
	received, last, marks := 0, event.Event{}, 0
	for e := range events {
		if last = e; e.Resync {
			marks++
		} else {
			received++
		}
	}
	publishing.Wait()
	require.True(t, last.Resync || last.ID == "last", "the end was lost without a mark: %+v", last)
	require.True(t, received == total+1 || marks > 0, "%d of %d received, no mark", received, total+1)
}

func TestHandlerRunsBeforePublishReturns(t *testing.T) {
	bus := newBus(t)
	var handled []event.Event
	stop := bus.Handle(event.AccessChanged, func(e event.Event) { handled = append(handled, e) })
	e := event.Event{Topic: event.AccessChanged, Provider: "prv_1", ID: "adm_1"}
	require.NoError(t, bus.Publish(t.Context(), e))
	require.Equal(t, []event.Event{e}, handled)
	bus.Resync()
	require.Equal(t, event.Event{Topic: event.AccessChanged, Resync: true}, handled[1])
	stop()
	require.NoError(t, bus.Publish(t.Context(), e))
	bus.Resync()
	require.Len(t, handled, 2)
}

func TestEventWaitsForTheCommit(t *testing.T) {
	var commit func()
	bus, err := event.NewBus(func(_ context.Context, run func()) { commit = run }, nil)
	require.NoError(t, err)
	events := bus.Subscribe(t.Context(), event.AlertChanged, nil)
	require.NoError(t, bus.Publish(t.Context(), alert("org_a", "1")))
	require.Empty(t, events)
	commit()
	require.Equal(t, "1", next(t, events).ID)
}

func TestPublishRefuses(t *testing.T) {
	sent := 0
	fail := errors.New("transaction is aborted")
	bus, err := event.NewBus(immediately, func(_ context.Context, channel string, payloads ...string) error {
		require.Equal(t, event.Channel, channel)
		for _, payload := range payloads {
			require.LessOrEqual(t, len(payload), event.MaxSize)
		}
		sent++
		return fail
	})
	require.NoError(t, err)
	events := bus.Subscribe(t.Context(), event.AlertChanged, nil)

	large := alert("org_a", "1")
	large.Payload = strings.Repeat("x", event.MaxSize)
	require.ErrorIs(t, bus.Publish(t.Context(), large), event.ErrTooLarge)
	require.Error(t, bus.Publish(t.Context(), event.Event{}))
	require.Error(t, bus.Publish(t.Context(), event.Event{Topic: event.AlertChanged, Resync: true}))
	require.Zero(t, sent)

	require.ErrorIs(t, bus.Publish(t.Context(), alert("org_a", "1")), fail)
	require.Empty(t, events, "what was not announced is not delivered")

	_, err = event.NewBus(nil, nil)
	require.Error(t, err)
}
