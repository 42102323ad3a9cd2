// Package queue holds what devices are told, and keeps what they answer.
//
// A command is kept until its device has reported on it by its CommandUUID.
// Reports may come twice, late, or be played back: only the first one that ends
// a command counts. What a command says is sealed where it holds a secret, and
// opened when it is given out. A device is woken by a job, which is left once
// the transaction that wants it has committed; the rows are the truth, and a
// sweep finds what a lost job has left.
package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/applemdm/inventory"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/batch"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/secret"
)

// The types of alert that the queue raises.
const (
	alertCommandFailed      = "COMMAND_FAILED"
	alertDeviceMissing      = "DEVICE_MISSING"
	alertCertificateRefused = "PUSH_CERTIFICATE_REFUSED"
)

// Alarms raises and ends alerts, in the context's transaction.
type Alarms interface {
	// Alarm says that a condition holds in an organization, about a device if
	// one is named.
	Alarm(ctx context.Context, organization, device, alertType, dedupeKey, title, description string) error
	// Clear ends a condition, and answers how many alerts that were.
	Clear(ctx context.Context, organization, alertType, dedupeKey string) (int, error)
}

// Enqueuer keeps jobs.
type Enqueuer interface {
	// Enqueue has a job worked, in the context's transaction if there is one.
	Enqueue(ctx context.Context, args job.Args, o job.EnqueueOptions) error
	// Track creates what lets a user follow a job, in the context's transaction.
	Track(ctx context.Context, kind string, total int) (*ent.Job, error)
}

// Config is what a [Service] needs; all of it is required but PushEvery.
type Config struct {
	DB        *database.DB
	Vault     *secret.Vault
	Jobs      Enqueuer
	Pusher    Pusher
	Alarms    Alarms
	Inventory *inventory.Store
	Log       *audit.Log
	Logger    *slog.Logger
	Clock     func() time.Time

	// PushEvery is how often a process has an organization's devices notified at
	// most. What is wanted first is not held back, and what follows is by so much.
	// Zero is as often as they are wanted.
	PushEvery time.Duration
}

// Validate reports the first thing that is missing.
func (c Config) Validate() error {
	for _, required := range []struct {
		name    string
		missing bool
	}{
		{"a database", c.DB == nil}, {"a vault", c.Vault == nil}, {"a job queue", c.Jobs == nil}, {"a pusher", c.Pusher == nil},
		{"alarms", c.Alarms == nil}, {"an inventory", c.Inventory == nil},
		{"a system log", c.Log == nil}, {"a logger", c.Logger == nil}, {"a clock", c.Clock == nil},
	} {
		if required.missing {
			return fmt.Errorf("queue: %s is required", required.name)
		}
	}
	if c.PushEvery < 0 {
		return errors.New("queue: a negative duration")
	}
	return nil
}

// Service is the queue of every device. Its changes join the context's
// transaction. It is safe for concurrent use, by any number of replicas.
type Service struct {
	Config
	client *ent.Client
	pauses pauses

	looks    *batch.Group[look, *session] // by provider
	steps    *batch.Group[step, bool]     // by provider
	looking  database.Statement[look]
	stepping [allParts + 1]database.Writes[step] // by parts
	orders   *batch.Group[order, *Told]          // by reach
	telling  database.Writes[post]               // queues commands and has their devices notified
	posting  database.Writes[post]               // queues commands
}

// lanes is how many batches of a provider's devices, or of a reach's orders, are
// under way at a time: a second would halve them.
const lanes = 1

// New returns the queue, or what is wrong with its configuration.
func New(c Config) (*Service, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Service{
		Config: c, client: c.DB.Client(), pauses: pauses{every: c.PushEvery, paused: map[job.Tenant]bool{}},
		looking: looking(c.DB.Dialect()), telling: posting(c.DB.Dialect(), true), posting: posting(c.DB.Dialect(), false),
	}
	for parts := 1; parts <= allParts; parts++ {
		s.stepping[parts] = stepping(c.DB.Dialect(), parts)
	}
	var err error
	s.looks, err = batch.New(batch.Config[look, *session]{
		Work: s.lookAll, Alone: database.Undone, Lanes: lanes,
	})
	if err != nil {
		return nil, err
	}
	s.steps, err = batch.New(batch.Config[step, bool]{
		Work: s.stepAll, Alone: database.Undone, Lanes: lanes,
	})
	if err != nil {
		return nil, err
	}
	s.orders, err = batch.New(batch.Config[order, *Told]{
		Work: s.workOrders, Alone: database.Undone, Lanes: lanes,
	})
	return s, err
}

func (s *Service) now() time.Time { return s.Clock().UTC().Truncate(time.Microsecond) }

// TargetOf is what commands are validated against.
func TargetOf(d *ent.Device) command.Target {
	return command.Target{
		Platform: command.Platform(d.Platform), OSVersion: d.OsVersion, Supervised: d.Supervised,
		UserEnrollment: d.UserEnrollment, AppleSilicon: d.AppleSilicon != nil && *d.AppleSilicon,
	}
}

// What becomes of a device that is not served. An error wraps one of these.
var (
	// ErrStranger is a sender whose key and certificate do not agree.
	ErrStranger = errors.New("queue: not a channel of this organization, or not with this certificate")
	// ErrUnenroll is a device that is to leave: it was released or blocked.
	ErrUnenroll = errors.New("queue: the device is to leave management")
	// ErrReplayed is a message that was signed before what the device has said
	// since: somebody sends it once more, or the device's clock was set back.
	ErrReplayed = errors.New("queue: signed before the device's last message")
)

// absent tells a device that is not there from other errors.
func absent(err error, id string) error {
	if ent.IsNotFound(err) {
		return fault.Missing(id)
	}
	return err
}
