package inventory

import (
	"context"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/internal/event"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Watch sends every device in reach that changes, as it is when it is sent,
// until the context ends. Two changes in quick succession may both show the
// later state.
//
// The reach is asked for anew at every event, so that what is taken away from
// the subscriber stops at once, and what is granted begins; when it is refused,
// the channel is closed. When events may have been missed, the devices that
// have changed since the last one are sent instead, some perhaps again.
func (s *Store) Watch(ctx context.Context, reach func(context.Context) (tenancy.Scope, error)) (<-chan *ent.Device, error) {
	scope, err := reach(ctx)
	if err != nil {
		return nil, err
	}
	provider := scope.Provider()
	ctx, stop := context.WithCancel(ctx)
	events := s.Bus.Subscribe(ctx, event.DeviceChanged, func(e event.Event) bool { return e.Provider == provider })
	changed := make(chan *ent.Device)
	go func() {
		defer close(changed)
		defer stop()
		last := s.now()
		for e := range events {
			devices, err := s.since(ctx, e, last, reach)
			if err != nil {
				if ctx.Err() == nil {
					s.Logger.WarnContext(ctx, "end a subscription to devices", "error", err)
				}
				return
			}
			last = s.now()
			for _, d := range devices {
				select {
				case changed <- d:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return changed, nil
}

// overlap covers what was being committed when the last event was sent, and
// clocks that differ between replicas.
const overlap = 10 * time.Second

// maxMissed bounds how many devices are sent to make up for missed events.
const maxMissed = 500

// since reads the device that an event is about, if it is in reach; or, when
// events may have been missed, the devices in reach that have changed since.
func (s *Store) since(ctx context.Context, e event.Event, last time.Time, reach func(context.Context) (tenancy.Scope, error)) ([]*ent.Device, error) {
	scope, err := reach(ctx)
	if err != nil {
		return nil, err
	}
	q := s.client.Device.Query()
	switch {
	case e.Resync:
		q.Where(device.UpdatedAtGTE(last.Add(-overlap))).Order(device.ByUpdatedAt()).Limit(maxMissed)
	case !scope.All() && !scope.Reaches(e.Organization):
		return nil, nil
	default:
		q.Where(device.ID(e.ID))
	}
	return q.All(tenancy.With(ctx, scope))
}
