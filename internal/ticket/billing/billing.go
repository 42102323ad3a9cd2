// Package billing sets what an MSP bills each customer in its ticketing system:
// the number of an organization's users (JC-007).
//
// # What is counted
//
// Every user counts who is not DEPROVISIONED, hour by hour. A day's record keeps
// the most that were seen; the month's high-water mark is the most of any of its
// days so far, in UTC; the quantity is the mark less the users who are not
// billed. A month starts anew.
//
// # When it is written
//
// A day's record is written once the day is over, so that it holds the whole
// day: the last day of a month is written on the first of the next, before what
// that month begins with. It is due by its row, so that nothing is skipped when
// no process runs, and it is written only if it differs from what the vendor was
// last known to have for the month.
//
// # Once, whatever fails
//
// [psa.Biller.SetQuantity] bears repetition, but not two calls at a time: a
// worker holds an organization's mapping by a lease that outlives its call. What
// it leaves behind when it dies is done again. A call whose end is unknown may
// be executed late; until one was made well after it, the quantity is set again
// with every day.
package billing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Accounts opens accounts at vendors.
type Accounts interface {
	// Vendor opens an integration's account, and sends nothing. An integration
	// out of reach is NOT_FOUND.
	Vendor(ctx context.Context, integrationID string) (*ent.TicketingIntegration, psa.Vendor, error)
	// Verify tries an integration's credentials, and pauses it if they are
	// refused.
	Verify(ctx context.Context, integrationID string) (i *ent.TicketingIntegration, accepted bool, err error)
	// Failed lists for people what the vendor refused or failed at when an
	// operation was asked of it for an organization.
	Failed(ctx context.Context, i *ent.TicketingIntegration, organization, operation string, cause error)
}

// Jobs keeps jobs, and shows them to users.
type Jobs interface {
	// Enqueue has a job worked, in the context's transaction if there is one.
	Enqueue(ctx context.Context, args job.Args, o job.EnqueueOptions) error
	// Track makes the Job that a user follows.
	Track(ctx context.Context, kind string, total int) (*ent.Job, error)
}

// Dependencies are what a [Service] needs; all of it is required.
type Dependencies struct {
	DB       *database.DB
	Accounts Accounts
	Jobs     Jobs
	Logger   *slog.Logger
	Clock    func() time.Time
}

func (d Dependencies) validate() error {
	for _, required := range []struct {
		name    string
		missing bool
	}{
		{"a database", d.DB == nil}, {"accounts", d.Accounts == nil}, {"jobs", d.Jobs == nil},
		{"a logger", d.Logger == nil}, {"a clock", d.Clock == nil},
	} {
		if required.missing {
			return fmt.Errorf("billing: %s is required", required.name)
		}
	}
	return nil
}

// Config sets the pace.
type Config struct {
	// WriteAt is how long after midnight, in UTC, a day is written that is over.
	WriteAt time.Duration

	// Sample is how often users are counted, and Batch for how many
	// organizations at a time.
	Sample time.Duration
	Batch  int

	// Sweep is how often due records are looked for.
	Sweep time.Duration

	// Lease is how long a worker may hold a mapping. It exceeds CallTimeout,
	// which bounds setting one quantity.
	Lease       time.Duration
	CallTimeout time.Duration

	// Backoff is the pause after the first attempt that came to nothing; it
	// doubles with each further one, up to MaxBackoff. After MaxAttempts the
	// record has failed.
	Backoff     time.Duration
	MaxBackoff  time.Duration
	MaxAttempts int

	// ThrottlePause is how long an integration is left alone when the vendor
	// wants no more calls and does not say for how long.
	ThrottlePause time.Duration

	// Settle is how long after a call of unknown end it is taken for granted
	// that it will not be executed any more.
	Settle time.Duration
}

// DefaultConfig suits production.
func DefaultConfig() Config {
	return Config{
		WriteAt: time.Hour, Sample: time.Hour, Batch: 500, Sweep: time.Minute,
		Lease: 4 * time.Minute, CallTimeout: 2 * time.Minute,
		Backoff: time.Minute, MaxBackoff: time.Hour, MaxAttempts: 48,
		ThrottlePause: 5 * time.Minute, Settle: time.Hour,
	}
}

// Validate reports the first setting that cannot work.
func (c Config) Validate() error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"sample", c.Sample}, {"sweep", c.Sweep}, {"lease", c.Lease}, {"call timeout", c.CallTimeout}, {"backoff", c.Backoff},
		{"maximal backoff", c.MaxBackoff}, {"throttle pause", c.ThrottlePause}, {"settle", c.Settle},
	} {
		if d.value <= 0 {
			return fmt.Errorf("billing: %s must be positive", d.name)
		}
	}
	switch {
	case c.WriteAt < 0 || c.WriteAt >= 24*time.Hour:
		return errors.New("billing: the time to write must be within a day")
	case c.Sample > 24*time.Hour:
		return errors.New("billing: users must be counted every day")
	case c.Lease <= c.CallTimeout:
		return errors.New("billing: the lease must exceed the call timeout")
	case c.MaxBackoff < c.Backoff:
		return errors.New("billing: the maximal backoff is less than the first")
	case c.Batch < 1 || c.MaxAttempts < 1:
		return errors.New("billing: batch and attempts must be positive")
	}
	return nil
}

// Service counts users and bills them. It is safe for concurrent use, by any
// number of replicas.
type Service struct {
	db       *database.DB
	client   *ent.Client
	accounts Accounts
	jobs     Jobs
	logger   *slog.Logger
	clock    func() time.Time
	config   Config
}

// New returns a service, or what is wrong with its configuration.
func New(d Dependencies, c Config) (*Service, error) {
	if err := errors.Join(d.validate(), c.Validate()); err != nil {
		return nil, err
	}
	return &Service{
		db: d.DB, client: d.DB.Client(), accounts: d.Accounts, jobs: d.Jobs, logger: d.Logger, clock: d.Clock, config: c,
	}, nil
}

func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// dayOf is a time's day, as records have it.
func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// monthOf is a day's month.
func monthOf(day string) string { return day[:len("2006-01")] }

// firstOf is the first day of a day's month.
func firstOf(day string) string { return monthOf(day) + "-01" }

// midnight is when a day begins.
func midnight(day string) (time.Time, error) { return time.Parse(time.DateOnly, day) }

// due is when a day's record is written.
func (s *Service) due(day string) (time.Time, error) {
	begin, err := midnight(day)
	return begin.AddDate(0, 0, 1).Add(s.config.WriteAt), err
}
