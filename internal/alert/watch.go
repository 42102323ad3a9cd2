package alert

import (
	"context"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/alert"
	"github.com/bailiwick/bailiwick/internal/event"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Watch sends every alert in reach that changes, as it is when it is sent,
// until the context ends. Two changes in quick succession may both show the
// later state.
//
// The reach is asked for anew at every event, so that what is taken away from
// the subscriber stops at once, and what is granted begins. When it is refused,
// or when events may have been missed, the channel is closed: the subscriber
// subscribes again and then reads the alerts as they are.
func (s *Service) Watch(ctx context.Context, reach func(context.Context) (tenancy.Scope, error)) (<-chan *ent.Alert, error) {
	scope, err := reach(ctx)
	if err != nil {
		return nil, err
	}
	provider := scope.Provider()
	ctx, stop := context.WithCancel(ctx)
	events := s.bus.Subscribe(ctx, event.AlertChanged, func(e event.Event) bool { return e.Provider == provider })
	changed := make(chan *ent.Alert)
	go func() {
		defer close(changed)
		defer stop()
		for e := range events {
			a, more := s.seen(ctx, e, reach)
			if !more {
				return
			}
			if a == nil {
				continue
			}
			select {
			case changed <- a:
			case <-ctx.Done():
				return
			}
		}
	}()
	return changed, nil
}

// seen reads the alert that an event is about: nil if it is out of reach. It
// reports whether the subscription goes on.
func (s *Service) seen(ctx context.Context, e event.Event, reach func(context.Context) (tenancy.Scope, error)) (a *ent.Alert, more bool) {
	if e.Resync {
		return nil, false
	}
	scope, err := reach(ctx)
	if err != nil {
		s.logger.DebugContext(ctx, "end a subscription to alerts", "error", err)
		return nil, false
	}
	if !scope.All() && !scope.Reaches(e.Organization) {
		return nil, true
	}
	a, err = s.client.Alert.Query().Where(alert.ID(e.ID)).Only(tenancy.With(ctx, scope))
	switch {
	case ent.IsNotFound(err):
		return nil, true
	case err != nil:
		if ctx.Err() == nil {
			s.logger.WarnContext(ctx, "read a changed alert", "alert", e.ID, "error", err)
		}
		return nil, false
	}
	return a, true
}
