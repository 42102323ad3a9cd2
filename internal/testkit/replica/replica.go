// Package replica makes the services of one process that turn alerts into
// tickets, for tests and tools that run several of them side by side.
package replica

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/event"
	"github.com/bailiwick/bailiwick/internal/keystore"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/limit"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Config is what a replica is made of; all of it is required. It logs nothing.
type Config struct {
	DB         *database.DB
	Key        secret.Wrapper // the same for all replicas of a database
	Jobs       ticket.Enqueuer
	Drivers    psa.Drivers
	Policies   limit.Policies
	LimitClock limit.Clock
	Clock      func() time.Time
	Ticket     ticket.Config
}

// Replica is what one process has.
type Replica struct {
	DB      *database.DB
	Alerts  *alert.Service
	Tickets *ticket.Service
}

// New makes a replica on a database, which stays its caller's to close.
func New(c Config) (*Replica, error) {
	quiet := slog.New(slog.DiscardHandler)
	vault, err := secret.New(keystore.NewKeysets(c.DB), secret.Masters{Current: c.Key}, secret.Config{})
	if err != nil {
		return nil, fmt.Errorf("make a vault: %w", err)
	}
	outbox, err := ticket.NewOutbox(c.DB, c.Jobs, c.Clock)
	if err != nil {
		return nil, err
	}
	bus, err := event.NewBus(database.AfterCommit, nil)
	if err != nil {
		return nil, fmt.Errorf("make a bus: %w", err)
	}
	alerts, err := alert.New(alert.Config{DB: c.DB, Bus: bus, Ticketer: outbox, Logger: quiet, Clock: c.Clock})
	if err != nil {
		return nil, err
	}
	limiter, err := limit.New(limit.Config{DB: c.DB, Policies: c.Policies, Clock: c.LimitClock, Logger: quiet})
	if err != nil {
		return nil, err
	}
	tickets, err := ticket.New(ticket.Dependencies{
		DB: c.DB, Vault: vault, Outbox: outbox, Alarms: alarms{alerts}, AlertTypes: ticketed, Drivers: c.Drivers,
		Limiter: limiter, Logger: quiet, Clock: c.Clock,
	}, c.Ticket)
	if err != nil {
		return nil, err
	}
	return &Replica{DB: c.DB, Alerts: alerts, Tickets: tickets}, nil
}

// alarms lets ticketing raise alerts about itself.
type alarms struct{ *alert.Service }

// Alarm implements ticket.Alarms.
func (a alarms) Alarm(ctx context.Context, organization, alertType, dedupeKey, title, description string) error {
	_, _, err := a.Raise(ctx, alert.Report{Organization: organization, Type: alertType, DedupeKey: dedupeKey, Title: title, Description: description})
	return err
}

func ticketed(keyOrUUID string) (string, bool) {
	t, ok := alert.Find(keyOrUUID)
	return t.Key, ok && t.Ticketed
}
