package ticket

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/alert"
	"github.com/bailiwick/bailiwick/ent/predicate"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketingalertconfiguration"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro"
)

// Options lists what the vendor offers for tickets, asked of it now.
func (s *Service) Options(ctx context.Context, integrationID string) ([]psa.Option, error) {
	i, err := s.client.TicketingIntegration.Fetch(ctx, integrationID)
	if err != nil {
		return nil, err
	}
	return s.options(ctx, i)
}

func (s *Service) options(ctx context.Context, i *ent.TicketingIntegration) ([]psa.Option, error) {
	vendor, err := s.vendor(ctx, i)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	options, err := vendor.Options(ctx)
	return options, refused(err, "")
}

// Configurations are an integration's alert configurations, by alert type.
func (s *Service) Configurations(ctx context.Context, integrationID string) (map[string]*ent.TicketingAlertConfiguration, error) {
	if _, err := s.client.TicketingIntegration.Fetch(ctx, integrationID); err != nil {
		return nil, err
	}
	all, err := s.client.TicketingAlertConfiguration.Query().
		Where(ticketingalertconfiguration.IntegrationID(integrationID)).All(ctx)
	if err != nil {
		return nil, err
	}
	byType := make(map[string]*ent.TicketingAlertConfiguration, len(all))
	for _, c := range all {
		byType[c.AlertType] = c
	}
	return byType, nil
}

// SyncroConfiguration is what becomes of an alert type in Syncro (JC-008).
type SyncroConfiguration struct {
	Integration         string
	AlertType           string // its key or UUID
	ShouldCreateTickets bool
	DueDays             *int // 0 to 365; nil for no due date
	Settings            SyncroSettings
}

// maxDueDays bounds when a ticket is due.
const maxDueDays = 365

// ConfigureSyncro sets what becomes of an alert type, once every name in it is
// found among what the vendor offers. Errors name the field of the input. It
// calls the vendor, and so is not to be called in a transaction.
func (s *Service) ConfigureSyncro(ctx context.Context, c SyncroConfiguration) (*ent.TicketingAlertConfiguration, error) {
	i, err := s.client.TicketingIntegration.Fetch(ctx, c.Integration)
	if err != nil {
		return nil, err
	}
	if i.Kind != ticketingintegration.KindSyncro {
		return nil, fault.Invalid("input.integrationId", "the integration is not one with Syncro")
	}
	key, known := s.types(c.AlertType)
	if !known {
		return nil, fault.Invalid("input.alertType", "there is no alert type %q that can become a ticket", psa.FitLine(c.AlertType, 64))
	}
	if c.DueDays != nil && (*c.DueDays < 0 || *c.DueDays > maxDueDays) {
		return nil, fault.Invalid("input.dueDays", "must be 0 to %d", maxDueDays)
	}
	if c.Settings.UserID == 0 && c.Settings.Username != "" {
		return nil, fault.Invalid("input.userId", "is missing: a user's name alone assigns nobody")
	}
	settings := c.Settings.settings()
	if err := settings.Validate(); err != nil {
		return nil, within("input", err)
	}
	options, err := s.options(ctx, i)
	if err != nil {
		return nil, err
	}
	if err := settings.Check(options); err != nil {
		return nil, within("input", err)
	}
	if c.Settings.UserID != 0 {
		name := label(options, syncro.OptionUser, strconv.FormatInt(c.Settings.UserID, 10))
		if c.Settings.Username != "" && c.Settings.Username != name {
			return nil, fault.Invalid("input.username", "the user %d is called %q", c.Settings.UserID, name)
		}
		c.Settings.Username = name
	}
	return s.configure(ctx, i, key, c)
}

func label(options []psa.Option, name, value string) string {
	for _, o := range options {
		for _, v := range o.Values {
			if o.Name == name && v.Value == value {
				return v.Label
			}
		}
	}
	return ""
}

// configure stores a configuration, and tries the tickets again that the one
// before had blocked.
func (s *Service) configure(ctx context.Context, i *ent.TicketingIntegration, key string, c SyncroConfiguration) (set *ent.TicketingAlertConfiguration, err error) {
	raw, err := json.Marshal(c.Settings)
	if err != nil {
		return nil, err
	}
	which := []predicate.TicketingAlertConfiguration{
		ticketingalertconfiguration.IntegrationID(i.ID), ticketingalertconfiguration.AlertType(key),
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		update := s.client.TicketingAlertConfiguration.Update().Where(which...).
			SetShouldCreateTickets(c.ShouldCreateTickets).SetSettings(raw).SetNillableDueDays(c.DueDays)
		if c.DueDays == nil {
			update.ClearDueDays()
		}
		changed, err := update.Save(ctx)
		if err != nil {
			return err
		}
		if changed == 0 {
			err = s.client.TicketingAlertConfiguration.Create().
				SetIntegrationID(i.ID).SetAlertType(key).
				SetShouldCreateTickets(c.ShouldCreateTickets).SetSettings(raw).SetNillableDueDays(c.DueDays).Exec(ctx)
			if err != nil {
				return err
			}
		}
		if set, err = s.client.TicketingAlertConfiguration.Query().Where(which...).Only(ctx); err != nil {
			return err
		}
		return s.release(ctx, ticket.IntegrationID(i.ID), ticket.HasAlertWith(alert.TypeEQ(key)))
	})
	if ent.IsConstraintError(err) {
		return nil, fault.New(fault.Conflict, "the configuration was changed by somebody else this moment").Wrap(err)
	}
	return set, err
}
