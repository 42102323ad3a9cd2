// Package ticket turns alerts into tickets of the provider's service desk:
// integrations with it, which company each organization is there, what becomes
// of each alert type, and the delivery.
//
// # Once, whatever fails
//
// No service desk offers an idempotency key, so a request whose answer is lost
// may or may not have made a ticket. Every ticket carries a marker that follows
// from its incident. Delivery works on an outbox: a [Ticket] row and its
// deliveries are written in the transaction that changes the alert
// ([Outbox]). One worker at a time holds a ticket, by a lease, and takes its
// deliveries in order. Before a ticket is sent, the delivery is committed as
// ATTEMPTING; what is found in that state, and every answer that leaves doubt,
// becomes UNCERTAIN: the marker is looked up, again after pauses since search
// indexes lag, and only when it stays absent is the ticket sent again. A scan
// later looks for what was made after all, and closes it.
//
// The rows are the truth. Jobs only hasten them: a lost job costs the time
// until the next sweep. A job is a [Lane], an organization's turn at an
// integration, so that one with ten thousand tickets delays nobody; and every
// call passes the vendor's limits, which package limit keeps for all replicas.
package ticket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/ticket/limit"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// The types of alert that ticketing raises about itself. The catalogue of
// alerts keeps them from becoming tickets.
const (
	alertIntegrationFailing = "INTEGRATION_FAILING"
	alertDeliveryFailed     = "TICKET_DELIVERY_FAILED"
)

// Alarms raises and ends alerts about ticketing itself, in the context's
// transaction.
type Alarms interface {
	// Alarm says that a condition holds in an organization.
	Alarm(ctx context.Context, organization, alertType, dedupeKey, title, description string) error
	// Clear ends a condition, everywhere in the scope if no organization is
	// named, and answers how many alerts that were.
	Clear(ctx context.Context, organization, alertType, dedupeKey string) (int, error)
	// ResolveAll ends alerts of any type, with a remark, and answers how many
	// were not over yet.
	ResolveAll(ctx context.Context, ids []string, remark string) (int, error)
}

// AlertTypes finds an alert type that can become tickets, by its key or UUID.
type AlertTypes func(keyOrUUID string) (key string, ok bool)

// Dependencies are what a [Service] needs; all of it is required.
type Dependencies struct {
	DB         *database.DB
	Vault      *secret.Vault
	Outbox     *Outbox
	Alarms     Alarms
	AlertTypes AlertTypes
	Drivers    psa.Drivers
	Limiter    *limit.Limiter
	Logger     *slog.Logger
	Clock      func() time.Time
}

func (d Dependencies) validate() error {
	for _, required := range []struct {
		name    string
		missing bool
	}{
		{"a database", d.DB == nil}, {"a vault", d.Vault == nil}, {"an outbox", d.Outbox == nil},
		{"alarms", d.Alarms == nil}, {"the alert types", d.AlertTypes == nil}, {"drivers", d.Drivers == nil}, {"a limiter", d.Limiter == nil},
		{"a logger", d.Logger == nil}, {"a clock", d.Clock == nil},
	} {
		if required.missing {
			return fmt.Errorf("ticket: %s is required", required.name)
		}
	}
	return nil
}

// Service keeps integrations and delivers tickets. It is safe for concurrent
// use, by any number of replicas.
type Service struct {
	db      *database.DB
	client  *ent.Client
	vault   *secret.Vault
	outbox  *Outbox
	alarms  Alarms
	types   AlertTypes
	drivers psa.Drivers
	limiter *limit.Limiter
	logger  *slog.Logger
	clock   func() time.Time
	config  Config
	lanes   lanes
	log     *audit.Log

	offered    *recent[[]psa.Option]  // by integration
	catalogues *recent[[]psa.Company] // by integration
}

// New returns a service, or what is wrong with its configuration.
func New(d Dependencies, c Config) (*Service, error) {
	if err := errors.Join(d.validate(), c.Validate()); err != nil {
		return nil, err
	}
	offered, err := newRecent[[]psa.Option](optionsAge, d.Clock)
	if err != nil {
		return nil, err
	}
	catalogues, err := newRecent[[]psa.Company](catalogueAge, d.Clock)
	if err != nil {
		return nil, err
	}
	return &Service{
		offered: offered, catalogues: catalogues,
		db: d.DB, client: d.DB.Client(), vault: d.Vault, outbox: d.Outbox, alarms: d.Alarms, types: d.AlertTypes,
		drivers: d.Drivers, limiter: d.Limiter, logger: d.Logger, clock: d.Clock, config: c, log: audit.New(d.DB.Client()),
	}, nil
}

func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }
