package ticket

import (
	"cmp"
	"context"
	"slices"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticketingalertconfiguration"
	"github.com/bailiwick/bailiwick/schema"
)

// want is what an organization wants of an integration for alerts of a type.
type want struct {
	integration   *ent.TicketingIntegration
	configuration *ent.TicketingAlertConfiguration // the organization's own, or the provider's default
	rules         schema.TicketRules
}

// automatic reports whether alerts become tickets without anyone asking.
func (w want) automatic() bool {
	return w.configuration.ShouldCreateTickets && w.integration.AutomaticTicketing
}

// wants are the integrations that are configured for an alert type, in the
// order of their ids. An organization's own configuration stands in place of
// the provider's default, and inherits its rules.
func (o *Outbox) wants(ctx context.Context, organization, alertType string) ([]want, error) {
	rows, err := o.client.TicketingAlertConfiguration.Query().
		Where(ticketingalertconfiguration.AlertType(alertType),
			ticketingalertconfiguration.Or(
				ticketingalertconfiguration.OrganizationIDIsNil(), ticketingalertconfiguration.OrganizationID(organization))).
		WithIntegration().All(ctx)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	// Of one integration, the default comes before the organization's own.
	slices.SortFunc(rows, func(a, b *ent.TicketingAlertConfiguration) int {
		return cmp.Or(cmp.Compare(a.IntegrationID, b.IntegrationID), cmp.Compare(own(a), own(b)))
	})
	var all []want
	for _, row := range rows {
		last := len(all) - 1
		if last < 0 || all[last].integration.ID != row.IntegrationID {
			all = append(all, want{row.Edges.Integration, row, Effective(row.Edges.Integration.Rules, row.Rules)})
			continue
		}
		fallback := all[last].configuration.Rules
		all[last] = want{row.Edges.Integration, row, Effective(row.Edges.Integration.Rules, fallback, row.Rules)}
	}
	return all, nil
}

func own(c *ent.TicketingAlertConfiguration) int {
	if c.OrganizationID == nil {
		return 0
	}
	return 1
}

// wantOf is what an organization wants of one integration; false if it is not
// configured for the alert type.
func (o *Outbox) wantOf(ctx context.Context, i *ent.TicketingIntegration, organization, alertType string) (want, bool, error) {
	all, err := o.wants(ctx, organization, alertType)
	if err != nil {
		return want{}, false, err
	}
	n := slices.IndexFunc(all, func(w want) bool { return w.integration.ID == i.ID })
	if n < 0 {
		return want{integration: i, rules: Effective(i.Rules)}, false, nil
	}
	return all[n], true, nil
}
