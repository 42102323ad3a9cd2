// Package alert keeps what goes wrong in the organizations: a catalogue of what
// can, the alerts with their occurrences, and their life from open to resolved.
//
// An alert is one incident of one condition, named by type and dedupe key.
// However many report it at once, it has one open alert, and every report is an
// occurrence of that. When the condition comes back after its end, the next
// incident begins.
package alert

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/event"
)

// Ticketer is told of an alert's life, within the transaction that changes it:
// what it writes exists exactly when the change does. It hears of alerts whose
// type is ticketed, and calls nobody.
type Ticketer interface {
	// Opened begins incidents of one type in one organization.
	Opened(ctx context.Context, alerts ...*ent.Alert) error
	// Worsened reports that the severity rose.
	Worsened(ctx context.Context, a *ent.Alert) error
	// Ended reports that the alert was resolved, by whom or what, for people.
	Ended(ctx context.Context, a *ent.Alert, by string) error
}

// Config is what a [Service] needs; all of it is required.
type Config struct {
	DB       *database.DB
	Bus      *event.Bus
	Ticketer Ticketer
	Logger   *slog.Logger
	Clock    func() time.Time
}

// Validate reports the first thing that is missing.
func (c Config) Validate() error {
	for _, required := range []struct {
		name    string
		missing bool
	}{
		{"a database", c.DB == nil}, {"a bus", c.Bus == nil}, {"a ticketer", c.Ticketer == nil},
		{"a logger", c.Logger == nil}, {"a clock", c.Clock == nil},
	} {
		if required.missing {
			return fmt.Errorf("alert: %s is required", required.name)
		}
	}
	return nil
}

// Service raises, moves and watches alerts. Its changes join the context's
// transaction. It is safe for concurrent use.
type Service struct {
	db     *database.DB
	client *ent.Client
	bus    *event.Bus
	ticket Ticketer
	logger *slog.Logger
	clock  func() time.Time
}

// New returns a service, or what is wrong with its configuration.
func New(c Config) (*Service, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Service{
		db: c.DB, client: c.DB.Client(), bus: c.Bus, ticket: c.Ticketer, logger: c.Logger, clock: c.Clock,
	}, nil
}

func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// announce tells every subscriber, once the transaction has committed.
func (s *Service) announce(ctx context.Context, alerts ...*ent.Alert) error {
	events := make([]event.Event, len(alerts))
	for i, a := range alerts {
		events[i] = event.Event{Topic: event.AlertChanged, Provider: a.ProviderID, Organization: a.OrganizationID, ID: a.ID}
	}
	return s.bus.Publish(ctx, events...)
}

// ticketed reports whether alerts of a type may become tickets. One that is in
// no catalogue any more may have tickets to close.
func ticketed(key string) bool {
	t, known := Find(key)
	return !known || t.Ticketed
}
