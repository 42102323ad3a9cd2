package ticket

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/alert"
	"github.com/bailiwick/bailiwick/ent/predicate"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketingalertconfiguration"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Settings are a vendor's part of an alert's configuration, which can be named
// after the vendor's own lists.
type Settings interface {
	psa.Settings
	// Named returns them with the names that the options have for what is
	// chosen. A name that was given, and is another, is a *fault.Error.
	Named(options []psa.Option) (psa.Settings, error)
}

// Configuration is what becomes of an alert type in an integration (JC-006 to
// JC-008).
type Configuration struct {
	Integration         string
	Organization        string // that has it instead of the default; empty for the default
	AlertType           string // its key or UUID
	ShouldCreateTickets bool
	DueDays             *int // 0 to 365; nil for no due date
	Settings            Settings
}

// SettingsKind is whose settings are stored; "" if none are. Autotask's have a
// destination and Syncro's a problem type, which both require.
func SettingsKind(raw json.RawMessage) psa.Kind {
	var distinct struct {
		Destination *string `json:"destination"`
		ProblemType *string `json:"problemType"`
	}
	switch {
	case len(raw) == 0 || json.Unmarshal(raw, &distinct) != nil:
		return ""
	case distinct.Destination != nil:
		return psa.Autotask
	case distinct.ProblemType != nil:
		return psa.Syncro
	default:
		return psa.ConnectWise
	}
}

// maxDueDays bounds when a ticket is due.
const maxDueDays = 365

// Configure sets what becomes of an alert type, once everything chosen is
// found among what the vendor offers. Errors name the field of the input. It
// calls the vendor, and so is not to be called in a transaction.
func (s *Service) Configure(ctx context.Context, c Configuration) (*ent.TicketingAlertConfiguration, error) {
	i, err := s.client.TicketingIntegration.Load(ctx, c.Integration)
	if err != nil {
		return nil, err
	}
	if err := requireKind(i, c.Settings.Kind(), "input.integrationId"); err != nil {
		return nil, err
	}
	if err := s.requireOrganization(ctx, c.Organization, "input.organizationId"); err != nil {
		return nil, err
	}
	if c.AlertType, err = s.alertType(c.AlertType); err != nil {
		return nil, err
	}
	if c.DueDays != nil && (*c.DueDays < 0 || *c.DueDays > maxDueDays) {
		return nil, fault.Invalid("input.dueDays", "must be 0 to %d", maxDueDays)
	}
	if err := c.Settings.Validate(); err != nil {
		return nil, within("input", err)
	}
	named, err := s.settled(ctx, i, c.Settings)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(named)
	if err != nil {
		return nil, err
	}
	return s.configure(ctx, c, raw)
}

func (s *Service) alertType(keyOrUUID string) (string, error) {
	key, known := s.types(keyOrUUID)
	if !known {
		return "", fault.Invalid("input.alertType", "there is no alert type %q that can become a ticket", psa.FitLine(keyOrUUID, 64))
	}
	return key, nil
}

// requireOrganization is NOT_FOUND unless an organization is in reach; none is.
func (s *Service) requireOrganization(ctx context.Context, id, field string) error {
	if id == "" {
		return nil
	}
	if _, err := s.client.Organization.Load(ctx, id); err != nil {
		missing := fault.Missing(id)
		missing.Field = field
		if fault.CodeOf(err) == fault.NotFound {
			return missing
		}
		return err
	}
	return nil
}

// configure stores a configuration, and tries the tickets again that the one
// before had blocked.
func (s *Service) configure(ctx context.Context, c Configuration, settings []byte) (set *ent.TicketingAlertConfiguration, err error) {
	which := configurationOf(c.Integration, c.Organization, c.AlertType)
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		update := s.client.TicketingAlertConfiguration.Update().Where(which...).
			SetShouldCreateTickets(c.ShouldCreateTickets).SetSettings(settings).SetNillableDueDays(c.DueDays)
		if c.DueDays == nil {
			update.ClearDueDays()
		}
		changed, err := update.Save(ctx)
		if err != nil {
			return err
		}
		if changed == 0 {
			create := s.client.TicketingAlertConfiguration.Create().
				SetIntegrationID(c.Integration).SetAlertType(c.AlertType).
				SetShouldCreateTickets(c.ShouldCreateTickets).SetSettings(settings).SetNillableDueDays(c.DueDays)
			if c.Organization != "" {
				create.SetOrganizationID(c.Organization)
			}
			if err := create.Exec(ctx); err != nil {
				return err
			}
		}
		if set, err = s.client.TicketingAlertConfiguration.Query().Where(which...).Only(ctx); err != nil {
			return err
		}
		return s.reconsider(ctx, c.Integration, c.Organization, c.AlertType)
	})
	if ent.IsConstraintError(err) {
		return nil, fault.New(fault.Conflict, "the configuration was changed by somebody else this moment").Wrap(err)
	}
	return set, err
}

// reconsider wakes the tickets that a configuration may have blocked.
func (s *Service) reconsider(ctx context.Context, integration, organization, alertType string) error {
	which := []predicate.Ticket{ticket.IntegrationID(integration), ticket.HasAlertWith(alert.TypeEQ(alertType))}
	if organization != "" {
		which = append(which, ticket.OrganizationID(organization))
	}
	return s.release(ctx, which...)
}

// configurationOf selects the default, or an organization's own configuration.
func configurationOf(integration, organization, alertType string) []predicate.TicketingAlertConfiguration {
	whose := ticketingalertconfiguration.OrganizationIDIsNil()
	if organization != "" {
		whose = ticketingalertconfiguration.OrganizationID(organization)
	}
	return []predicate.TicketingAlertConfiguration{
		ticketingalertconfiguration.IntegrationID(integration), ticketingalertconfiguration.AlertType(alertType), whose,
	}
}

// Unconfigure takes away an organization's own configuration of an alert type,
// so that the default counts again; without an organization, the default. One
// that is not there is NOT_FOUND.
func (s *Service) Unconfigure(ctx context.Context, integrationID, organizationID, keyOrUUID string) (id string, err error) {
	if _, err := s.client.TicketingIntegration.Load(ctx, integrationID); err != nil {
		return "", err
	}
	if err := s.requireOrganization(ctx, organizationID, "input.organizationId"); err != nil {
		return "", err
	}
	key, err := s.alertType(keyOrUUID)
	if err != nil {
		return "", err
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		there, err := s.client.TicketingAlertConfiguration.Query().Where(configurationOf(integrationID, organizationID, key)...).Only(ctx)
		if ent.IsNotFound(err) {
			return fault.New(fault.NotFound, "there is no such configuration")
		}
		if err != nil {
			return err
		}
		id = there.ID
		if err := s.client.TicketingAlertConfiguration.DeleteOne(there).Exec(ctx); err != nil {
			return err
		}
		return s.reconsider(ctx, integrationID, organizationID, key)
	})
	return id, err
}

// Configured is what is configured for an alert type.
type Configured struct {
	Default  *ent.TicketingAlertConfiguration // the provider's; nil if there is none
	Override *ent.TicketingAlertConfiguration // the organization's own; nil if it has none
}

// Applies is the configuration that counts; nil if there is none.
func (c Configured) Applies() *ent.TicketingAlertConfiguration {
	if c.Override != nil {
		return c.Override
	}
	return c.Default
}

// Configurations are an integration's alert configurations by alert type, and
// what an organization has instead of them if one is named.
func (s *Service) Configurations(ctx context.Context, integrationID, organizationID string) (map[string]Configured, error) {
	if _, err := s.client.TicketingIntegration.Load(ctx, integrationID); err != nil {
		return nil, err
	}
	if err := s.requireOrganization(ctx, organizationID, "organizationId"); err != nil {
		return nil, err
	}
	all, err := s.client.TicketingAlertConfiguration.Query().
		Where(ticketingalertconfiguration.IntegrationID(integrationID), ofOrganization(organizationID)).All(ctx)
	if err != nil {
		return nil, err
	}
	byType := make(map[string]Configured, len(all))
	for _, c := range all {
		configured := byType[c.AlertType]
		if c.OrganizationID == nil {
			configured.Default = c
		} else {
			configured.Override = c
		}
		byType[c.AlertType] = configured
	}
	return byType, nil
}

// ofOrganization selects the defaults, and an organization's own
// configurations if one is named.
func ofOrganization(id string) predicate.TicketingAlertConfiguration {
	if id == "" {
		return ticketingalertconfiguration.OrganizationIDIsNil()
	}
	return ticketingalertconfiguration.Or(ticketingalertconfiguration.OrganizationIDIsNil(), ticketingalertconfiguration.OrganizationID(id))
}

// firstApplying is the configuration that counts for the first alert type, in
// the order of their keys, that has any; nil if none has.
func firstApplying(configured map[string]Configured) *ent.TicketingAlertConfiguration {
	var first *ent.TicketingAlertConfiguration
	for _, c := range configured {
		if a := c.Applies(); first == nil || strings.Compare(a.AlertType, first.AlertType) < 0 {
			first = a
		}
	}
	return first
}
