// Package access decides who is asking and what they may do: sign-in, sessions
// and API keys, administrators with their roles and organizations, and the
// scope in which a permission is held.
//
// A request is authenticated once ([Service.Authenticate]) and then carries a
// [Caller], which answers from an immutable snapshot. What snapshots are made of
// is cached, and dropped on every replica as soon as a change is committed: a
// request that finds the cache warm reads nothing from the database.
package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/access/credential"
	"github.com/bailiwick/bailiwick/internal/access/token"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/event"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Auditor writes the system log.
type Auditor interface {
	// Record adds an event, in the ambient transaction if there is one.
	Record(ctx context.Context, e audit.Entry) error
}

// Config is what a [Service] needs. Fields without a default are required.
type Config struct {
	DB      *database.DB
	Bus     *event.Bus
	Tokens  *token.Authority
	Vault   *secret.Vault
	Hasher  *credential.Hasher
	Auditor Auditor
	Logger  *slog.Logger
	Clock   func() time.Time

	// Healthy reports whether other replicas' events arrive. While it is false
	// nothing is answered from the cache. Nil means that this process is alone.
	Healthy func() bool

	// Product is the name under which authenticators list accounts; "" means
	// Bailiwick.
	Product string

	SessionLifetime time.Duration // from the last refresh; 0 means 14 days
	CacheTTL        time.Duration // 0 means a minute
	CacheSize       int           // entries; 0 means 16384
}

// Validate reports the first thing that is missing or cannot work.
func (c Config) Validate() error {
	for _, required := range []struct {
		name    string
		missing bool
	}{
		{"a database", c.DB == nil}, {"a bus", c.Bus == nil}, {"a token authority", c.Tokens == nil},
		{"a vault", c.Vault == nil}, {"a hasher", c.Hasher == nil}, {"an auditor", c.Auditor == nil},
		{"a logger", c.Logger == nil}, {"a clock", c.Clock == nil},
	} {
		if required.missing {
			return fmt.Errorf("access: %s is required", required.name)
		}
	}
	if c.SessionLifetime < 0 || c.CacheTTL < 0 || c.CacheSize < 0 {
		return errors.New("access: durations and sizes must not be negative")
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.Healthy == nil {
		c.Healthy = func() bool { return true }
	}
	if c.Product == "" {
		c.Product = "Bailiwick"
	}
	if c.SessionLifetime == 0 {
		c.SessionLifetime = 14 * 24 * time.Hour
	}
	if c.CacheTTL == 0 {
		c.CacheTTL = time.Minute
	}
	if c.CacheSize == 0 {
		c.CacheSize = 16384
	}
	return c
}

// Service signs administrators in and manages their access. It is safe for
// concurrent use.
type Service struct {
	config   Config
	db       *database.DB
	client   *ent.Client
	cache    *cache
	throttle throttle
	later    chan chore
	stop     func()
}

// New returns a service, or what is wrong with its configuration. [Service.Run]
// does its background work; [Service.Close] ends its subscription to events.
func New(config Config) (*Service, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	cache, err := newCache(config)
	if err != nil {
		return nil, err
	}
	s := &Service{
		config: config, db: config.DB, client: config.DB.Client(), cache: cache,
		throttle: throttle{db: config.DB, clock: config.Clock},
		later:    make(chan chore, maxChores),
	}
	s.stop = config.Bus.Handle(event.AccessChanged, cache.invalidate)
	return s, nil
}

// Close ends the subscription to events; the service must not be used after it.
func (s *Service) Close() { s.stop() }

// Announce drops what is cached about an id, or about the whole provider if id
// is empty, on every replica, once the context's transaction has committed.
// Whoever changes an organization's status, or a provider's rules, calls it in
// the changing transaction.
func (s *Service) Announce(ctx context.Context, provider, id string) error {
	return s.config.Bus.Publish(ctx, event.Event{Topic: event.AccessChanged, Provider: provider, ID: id})
}

// within is a context for access's own reading and writing in a provider,
// outside of the transaction that ctx may carry.
func (s *Service) within(ctx context.Context, provider string) context.Context {
	return tenancy.With(database.Detached(ctx), tenancy.ForProvider(tenancy.ServicePrincipal("access"), provider))
}

func (s *Service) now() time.Time { return s.config.Clock().UTC().Truncate(time.Microsecond) }
