package ticket

import (
	"context"
	"fmt"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/organization"
	"github.com/bailiwick/bailiwick/ent/predicate"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/ent/ticketingcompanymapping"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// maxMappings is how many mappings one call sets.
const maxMappings = 500

// Mapping says which company an organization is at the vendor.
type Mapping struct {
	Organization string
	Company      *string // the vendor's id; nil takes the mapping away
}

// Map sets mappings, each company checked with the vendor, and wakes the
// tickets that waited for them. Errors name the entry's field. It calls the
// vendor, and so is not to be called in a transaction.
func (s *Service) Map(ctx context.Context, integrationID string, mappings []Mapping) ([]*ent.TicketingCompanyMapping, error) {
	i, err := s.client.TicketingIntegration.Load(ctx, integrationID)
	if err != nil {
		return nil, err
	}
	if err := s.checkOrganizations(ctx, mappings); err != nil {
		return nil, err
	}
	companies, err := s.checkCompanies(ctx, i, mappings)
	if err != nil {
		return nil, err
	}
	var set []*ent.TicketingCompanyMapping
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		set = make([]*ent.TicketingCompanyMapping, 0, len(mappings))
		for _, m := range mappings {
			if m.Company == nil {
				_, err := s.client.TicketingCompanyMapping.Delete().Where(mappingOf(i.ID, m.Organization)...).Exec(ctx)
				if err != nil {
					return err
				}
				continue
			}
			made, err := s.setMapping(ctx, i.ID, m.Organization, companies[*m.Company])
			if err != nil {
				return err
			}
			set = append(set, made)
			if err := s.release(ctx, ticket.IntegrationID(i.ID), ticket.OrganizationID(m.Organization)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return set, nil
}

func (s *Service) checkOrganizations(ctx context.Context, mappings []Mapping) error {
	if len(mappings) > maxMappings {
		return fault.Invalid("input.mappings", "at most %d mappings at once", maxMappings)
	}
	ids := make([]string, len(mappings))
	first := map[string]int{}
	for n, m := range mappings {
		if _, twice := first[m.Organization]; twice {
			return fault.Invalid(entry(n, "organizationId"), "the organization is named twice")
		}
		first[m.Organization], ids[n] = n, m.Organization
	}
	found, err := s.client.Organization.Query().Where(organization.IDIn(ids...)).IDs(ctx)
	if err != nil {
		return err
	}
	for _, id := range found {
		delete(first, id)
	}
	for n, id := range ids {
		if _, absent := first[id]; absent {
			e := fault.Missing(id)
			e.Field = entry(n, "organizationId")
			return e
		}
	}
	return nil
}

// checkCompanies asks the vendor for every company that is named.
func (s *Service) checkCompanies(ctx context.Context, i *ent.TicketingIntegration, mappings []Mapping) (map[string]psa.Company, error) {
	companies := map[string]psa.Company{}
	vendor, err := s.vendor(ctx, i)
	if err != nil {
		return nil, err
	}
	for n, m := range mappings {
		if m.Company == nil {
			continue
		}
		if _, asked := companies[*m.Company]; asked {
			continue
		}
		company, err := s.known(ctx, i, vendor, *m.Company, entry(n, "externalCompanyId"))
		if err != nil {
			return nil, err
		}
		companies[*m.Company] = company
	}
	return companies, nil
}

func (s *Service) setMapping(ctx context.Context, integration, organization string, c psa.Company) (*ent.TicketingCompanyMapping, error) {
	name := psa.FitLine(c.Name, maxCompanyName)
	changed, err := s.client.TicketingCompanyMapping.Update().Where(mappingOf(integration, organization)...).
		SetExternalCompanyID(c.ID).SetExternalCompanyName(name).Save(ctx)
	if err != nil {
		return nil, err
	}
	if changed > 0 {
		return s.client.TicketingCompanyMapping.Query().Where(mappingOf(integration, organization)...).Only(ctx)
	}
	return s.client.TicketingCompanyMapping.Create().
		SetOrganizationID(organization).SetIntegrationID(integration).
		SetExternalCompanyID(c.ID).SetExternalCompanyName(name).Save(ctx)
}

func mappingOf(integration, organization string) []predicate.TicketingCompanyMapping {
	return []predicate.TicketingCompanyMapping{
		ticketingcompanymapping.IntegrationID(integration), ticketingcompanymapping.OrganizationID(organization),
	}
}

func entry(n int, field string) string { return fmt.Sprintf("input.mappings.%d.%s", n, field) }

// release makes blocked tickets due: what blocked them has changed.
func (s *Service) release(ctx context.Context, which ...predicate.Ticket) error {
	ids, err := s.client.Ticket.Query().Where(which...).Where(ticket.StatusEQ(ticket.StatusBlocked)).IDs(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := s.rouse(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// rouse makes a ticket due, and what is blocked or dead about it pending. What
// was given up may be at the vendor: it is looked for first.
func (s *Service) rouse(ctx context.Context, id string) (*ent.Ticket, error) {
	t, err := s.client.Ticket.Query().Where(ticket.ID(id)).Modify(database.ForUpdate).Only(ctx)
	if err != nil {
		return nil, err
	}
	for from, to := range map[ticketdelivery.State]ticketdelivery.State{
		ticketdelivery.StateBlocked: ticketdelivery.StatePending,
		ticketdelivery.StateDead:    ticketdelivery.StateUncertain,
	} {
		err := s.client.TicketDelivery.Update().
			Where(ticketdelivery.TicketID(id), ticketdelivery.StateEQ(from)).SetState(to).SetLookups(0).Exec(ctx)
		if err != nil {
			return nil, err
		}
	}
	status := ticket.StatusPending
	if t.ExternalID != "" {
		status = ticket.StatusCreated
	}
	t, err = t.Update().SetStatus(status).SetAttempts(0).SetNextAttemptAt(s.now()).Save(ctx)
	if err != nil {
		return nil, err
	}
	return t, s.outbox.kick(ctx, t, s.now())
}
