// Package membership keeps which devices an organization manages: how they
// come in, what they hand over for safekeeping, and how they leave.
//
// A device is known by a key, its UDID or enrollment id, and by the certificate
// that the organization's authority gave it. The first Authenticate binds the
// two. Whoever enrols anew brings nothing along: the secrets of an earlier
// enrolment, here or in another organization of the provider, are destroyed.
package membership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/applemdm/arrival"
	"github.com/bailiwick/bailiwick/internal/applemdm/inventory"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/batch"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/secret"
)

// The types of alert that memberships raise.
const (
	alertEnrolled   = "DEVICE_ENROLLED"
	alertUnenrolled = "DEVICE_UNENROLLED"
	alertMissing    = "DEVICE_MISSING"
)

// Alarms raises and ends alerts, in the context's transaction.
type Alarms interface {
	// Alarm says that a condition holds in an organization, about a device if
	// one is named.
	Alarm(ctx context.Context, organization, device, alertType, dedupeKey, title, description string) error
	// RaiseEach says that a condition holds about each of many devices of an
	// organization, whose id is its key.
	RaiseEach(ctx context.Context, organization, alertType, title string, deviceIDs []string) error
	// Clear ends a condition, and answers how many alerts that were.
	Clear(ctx context.Context, organization, alertType, dedupeKey string) (int, error)
}

// Identities are the certificates of devices.
type Identities interface {
	// Revoke ends every identity of a device, and whatever could give it
	// another, in the context's transaction.
	Revoke(ctx context.Context, deviceID string) error
	// RenewalProfile is the enrollment profile of a device, with a challenge
	// for a new certificate of its own that holds for as long as the device may
	// be given it. It is not called in a transaction, and PRECONDITION_FAILED for
	// a device that cannot renew.
	RenewalProfile(ctx context.Context, d *ent.Device, until time.Time) ([]byte, error)
}

// Seats are how many devices an organization may have.
type Seats interface {
	// ReviewSeats tells people that an organization has as many devices as it
	// may, or that there is room again, in the context's transaction.
	ReviewSeats(ctx context.Context, organization string) error
}

// Enqueuer keeps jobs.
type Enqueuer interface {
	// Enqueue has a job worked, in the context's transaction if there is one.
	Enqueue(ctx context.Context, args job.Args, o job.EnqueueOptions) error
}

// Config is what a [Service] needs; all of it is required but Lull.
type Config struct {
	DB         *database.DB
	Vault      *secret.Vault
	Jobs       Enqueuer
	Queue      *queue.Service
	Inventory  *inventory.Store
	Alarms     Alarms
	Identities Identities
	Seats      Seats
	Log        arrival.Log
	Logger     *slog.Logger
	Clock      func() time.Time
	// Lull is for how long those who enrol in an organization are waited for, so that
	// they are seen to together; zero is not at all.
	Lull time.Duration
}

// Validate reports the first thing that is missing.
func (c Config) Validate() error {
	for _, required := range []struct {
		name    string
		missing bool
	}{
		{"a database", c.DB == nil}, {"a vault", c.Vault == nil}, {"a job queue", c.Jobs == nil}, {"a command queue", c.Queue == nil},
		{"an inventory", c.Inventory == nil}, {"alarms", c.Alarms == nil}, {"identities", c.Identities == nil},
		{"seats", c.Seats == nil}, {"a log", c.Log == nil},
		{"a logger", c.Logger == nil}, {"a clock", c.Clock == nil},
	} {
		if required.missing {
			return fmt.Errorf("membership: %s is required", required.name)
		}
	}
	if c.Lull < 0 {
		return errors.New("membership: a negative duration")
	}
	return nil
}

// Service keeps memberships. Its changes join the context's transaction. It is
// safe for concurrent use, by any number of replicas.
type Service struct {
	Config
	client *ent.Client
	trail  *arrival.Trail
	bells  bells

	introduction introduction
	completion   completion
	newcomers    *batch.Group[*newcomer, bool]
	finishers    *batch.Group[*finisher, *ent.DeviceChannel]
}

// New returns a service, or what is wrong with its configuration.
func New(c Config) (*Service, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Service{
		Config: c, client: c.DB.Client(), trail: arrival.New(c.DB.Client(), c.Log), bells: bells{rung: map[job.Tenant]bool{}},
		introduction: newIntroduction(c.DB.Dialect()), completion: newCompletion(c.DB.Dialect()),
	}
	var err error
	if s.newcomers, err = newGroup(s.introduceAll); err != nil {
		return nil, err
	}
	if s.finishers, err = newGroup(s.completeAll); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Service) now() time.Time { return s.Clock().UTC().Truncate(time.Microsecond) }

func (s *Service) announce(ctx context.Context, d *ent.Device) error {
	return s.Inventory.Announce(ctx, d.ProviderID, d.OrganizationID, d.ID)
}
