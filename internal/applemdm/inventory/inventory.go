// Package inventory keeps what devices answer: facts about them, what is
// installed on them, and the secrets that they give out. It tells subscribers
// what has changed.
package inventory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/internal/applemdm/result"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/event"
	"github.com/bailiwick/bailiwick/internal/secret"
)

// Alarms raises and ends alerts, in the context's transaction.
type Alarms interface {
	// Alarm says that a condition holds in an organization, about a device.
	Alarm(ctx context.Context, organization, device, alertType, dedupeKey, title, description string) error
}

// alertUpdateFailed is raised for an update that a device could not install.
const alertUpdateFailed = "OS_UPDATE_FAILED"

// Config is what a [Store] needs; all of it is required.
type Config struct {
	DB     *database.DB
	Vault  *secret.Vault
	Bus    *event.Bus
	Alarms Alarms
	Logger *slog.Logger
	Clock  func() time.Time
}

// Validate reports whether something is missing.
func (c Config) Validate() error {
	if c.DB == nil || c.Vault == nil || c.Bus == nil || c.Alarms == nil || c.Logger == nil || c.Clock == nil {
		return errors.New("inventory: a database, a vault, a bus, alarms, a logger and a clock are required")
	}
	return nil
}

// Store keeps inventories. Its changes join the context's transaction. It is
// safe for concurrent use.
type Store struct {
	Config
	client *ent.Client
}

// New returns a store, or what is wrong with its configuration.
func New(c Config) (*Store, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Store{Config: c, client: c.DB.Client()}, nil
}

func (s *Store) now() time.Time { return s.Clock().UTC().Truncate(time.Microsecond) }

// Tells reports whether the answer to commands of this type is kept, so that
// there is something for [Store.Apply] to do.
func Tells(requestType string) bool { return keeper(requestType) != nil }

// Apply keeps what a device has answered to a command that it acknowledged.
// Commands whose answer tells nothing are none of its business. Errors of
// package result say that the answer is not usable; nothing is changed then.
func (s *Store) Apply(ctx context.Context, c *ent.DeviceCommand, body []byte) error {
	keep := keeper(c.RequestType)
	if keep == nil {
		return nil
	}
	return keep(s, ctx, c, body)
}

// keeping keeps the answer to one type of commands.
type keeping func(s *Store, ctx context.Context, c *ent.DeviceCommand, body []byte) error

// keeper is what keeps the answer to commands of a type; nil for none.
func keeper(requestType string) keeping {
	switch requestType {
	case "DeviceInformation":
		return answered(result.DeviceInformation, (*Store).information)
	case "SecurityInfo":
		return answered(result.SecurityInfo, (*Store).security)
	case "InstalledApplicationList":
		return answered(result.InstalledApplicationList, (*Store).applications)
	case "ProfileList":
		return answered(result.ProfileList, (*Store).profiles)
	case "CertificateList":
		return answered(result.CertificateList, (*Store).certificates)
	case "AvailableOSUpdates":
		return answered(result.AvailableOSUpdates, (*Store).offered)
	case "OSUpdateStatus":
		return answered(result.OSUpdateStatus, (*Store).underway)
	case "ScheduleOSUpdate":
		return answered(result.ScheduleOSUpdate, (*Store).scheduled)
	case "ActivationLockBypassCode":
		return answered(result.ActivationLockBypassCode, (*Store).bypassCode)
	case "ClearActivationLockBypassCode":
		return func(s *Store, ctx context.Context, c *ent.DeviceCommand, _ []byte) error {
			return s.forgetBypassCode(ctx, c)
		}
	}
	return nil
}

// answered keeps what read finds in an answer.
func answered[R any](read func([]byte) (R, error), keep func(*Store, context.Context, *ent.DeviceCommand, R) error) keeping {
	return func(s *Store, ctx context.Context, c *ent.DeviceCommand, body []byte) error {
		answer, err := read(body)
		if err != nil {
			return err
		}
		if err := keep(s, ctx, c, answer); err != nil {
			return fmt.Errorf("keep the answer to %s: %w", c.RequestType, err)
		}
		return s.Announce(ctx, c.ProviderID, c.OrganizationID, c.DeviceID)
	}
}

// Announce tells subscribers, once the transaction has committed, that devices
// of an organization have changed.
func (s *Store) Announce(ctx context.Context, provider, organization string, deviceIDs ...string) error {
	events := make([]event.Event, len(deviceIDs))
	for i, id := range deviceIDs {
		events[i] = event.Event{Topic: event.DeviceChanged, Provider: provider, Organization: organization, ID: id}
	}
	return s.Bus.Publish(ctx, events...)
}

// Changed announces a device that was changed by other means, unless that
// failed: then it answers why.
func (s *Store) Changed(ctx context.Context, d *ent.Device, err error) error {
	if err != nil {
		return err
	}
	return s.Announce(ctx, d.ProviderID, d.OrganizationID, d.ID)
}

// change changes a device's own fields, if it is still there.
func (s *Store) change(ctx context.Context, id string, set func(*ent.Device, *ent.DeviceUpdateOne)) error {
	d, err := s.client.Device.Query().Where(device.ID(id)).Only(ctx)
	if err != nil {
		return err
	}
	update := d.Update()
	set(d, update)
	return update.Exec(ctx)
}
