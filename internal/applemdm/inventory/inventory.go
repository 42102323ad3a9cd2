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
func Tells(requestType string) bool {
	switch requestType {
	case "DeviceInformation", "SecurityInfo", "InstalledApplicationList", "ProfileList", "CertificateList",
		"AvailableOSUpdates", "OSUpdateStatus", "ScheduleOSUpdate", "ActivationLockBypassCode", "ClearActivationLockBypassCode":
		return true
	}
	return false
}

// Apply keeps what a device has answered to a command that it acknowledged.
// Commands whose answer tells nothing are none of its business. Errors of
// package result say that the answer is not usable; nothing is changed then.
func (s *Store) Apply(ctx context.Context, c *ent.DeviceCommand, body []byte) error {
	switch c.RequestType {
	case "DeviceInformation":
		return apply(ctx, s, c, body, result.DeviceInformation, s.information)
	case "SecurityInfo":
		return apply(ctx, s, c, body, result.SecurityInfo, s.security)
	case "InstalledApplicationList":
		return apply(ctx, s, c, body, result.InstalledApplicationList, s.applications)
	case "ProfileList":
		return apply(ctx, s, c, body, result.ProfileList, s.profiles)
	case "CertificateList":
		return apply(ctx, s, c, body, result.CertificateList, s.certificates)
	case "AvailableOSUpdates":
		return apply(ctx, s, c, body, result.AvailableOSUpdates, s.offered)
	case "OSUpdateStatus":
		return apply(ctx, s, c, body, result.OSUpdateStatus, s.underway)
	case "ScheduleOSUpdate":
		return apply(ctx, s, c, body, result.ScheduleOSUpdate, s.scheduled)
	case "ActivationLockBypassCode":
		return apply(ctx, s, c, body, result.ActivationLockBypassCode, s.bypassCode)
	case "ClearActivationLockBypassCode":
		return s.forgetBypassCode(ctx, c)
	}
	return nil
}

func apply[R any](
	ctx context.Context, s *Store, c *ent.DeviceCommand, body []byte,
	read func([]byte) (R, error), keep func(context.Context, *ent.DeviceCommand, R) error,
) error {
	answer, err := read(body)
	if err != nil {
		return err
	}
	if err := keep(ctx, c, answer); err != nil {
		return fmt.Errorf("keep the answer to %s: %w", c.RequestType, err)
	}
	return s.Announce(ctx, c.ProviderID, c.OrganizationID, c.DeviceID)
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
