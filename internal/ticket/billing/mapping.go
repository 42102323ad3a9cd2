package billing

import (
	"context"
	"fmt"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/organization"
	"github.com/bailiwick/bailiwick/ent/ticketingbillingmapping"
	"github.com/bailiwick/bailiwick/ent/ticketingcompanymapping"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// maxMappings bounds one call.
const maxMappings = 500

// maxShown bounds the vendor's names that are kept, in UTF-16 units.
const maxShown = 80

// Mapping says on which line of which agreement an organization is billed.
type Mapping struct {
	Organization     string
	Agreement        *string // nil takes the mapping away
	Line             *string // of the agreement
	NonBillableUsers int
	Enabled          bool
}

// target is a mapping that the vendor has confirmed.
type target struct {
	Mapping

	agreement psa.Agreement
	line      psa.Line
}

// Map sets mappings once the vendor has confirmed them: the agreement is one of
// the organization's company, and the line one of the agreement's. All are set
// or none; errors name the entry's field. It calls the vendor, and so is not to
// be called in a transaction.
func (s *Service) Map(ctx context.Context, integration string, mappings []Mapping) ([]*ent.TicketingBillingMapping, error) {
	i, vendor, err := s.accounts.Vendor(ctx, integration)
	if err != nil {
		return nil, err
	}
	if err := s.checkOrganizations(ctx, mappings); err != nil {
		return nil, err
	}
	companies, err := s.companies(ctx, i.ID, mappings)
	if err != nil {
		return nil, err
	}
	targets := make([]target, len(mappings))
	for n, m := range mappings {
		targets[n].Mapping = m
		if m.Agreement == nil {
			continue
		}
		if targets[n], err = s.confirm(ctx, vendor, n, m, companies[m.Organization]); err != nil {
			return nil, err
		}
	}
	set := []*ent.TicketingBillingMapping{}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		set = set[:0]
		if err := s.clear(ctx, i.ID, targets); err != nil {
			return err
		}
		for n, t := range targets {
			if t.Agreement == nil {
				continue
			}
			m, err := s.set(ctx, i.ID, t)
			if ent.IsConstraintError(err) {
				return fault.Invalid(entry(n, "lineId"), "another organization is billed on this line already").Wrap(err)
			}
			if err != nil {
				return err
			}
			set = append(set, m)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return set, nil
}

func entry(n int, field string) string { return fmt.Sprintf("input.mappings.%d.%s", n, field) }

// checkOrganizations refuses what can be refused without the vendor.
func (s *Service) checkOrganizations(ctx context.Context, mappings []Mapping) error {
	if len(mappings) > maxMappings {
		return fault.Invalid("input.mappings", "at most %d mappings at once", maxMappings)
	}
	named, lines := map[string]bool{}, map[[2]string]bool{}
	ids := make([]string, len(mappings))
	for n, m := range mappings {
		if named[m.Organization] {
			return fault.Invalid(entry(n, "organizationId"), "the organization is named twice")
		}
		named[m.Organization], ids[n] = true, m.Organization
		switch {
		case m.Agreement == nil && m.Line != nil:
			return fault.Invalid(entry(n, "agreementId"), "a line takes its agreement")
		case m.Agreement != nil && m.Line == nil:
			return fault.Invalid(entry(n, "lineId"), "name the agreement's line")
		case m.NonBillableUsers < 0:
			return fault.Invalid(entry(n, "nonBillableUsers"), "must not be negative")
		case m.Agreement == nil:
			continue
		}
		line := [2]string{*m.Agreement, *m.Line}
		if lines[line] {
			return fault.Invalid(entry(n, "lineId"), "another organization is to be billed on this line")
		}
		lines[line] = true
	}
	found, err := s.client.Organization.Query().Where(organization.IDIn(ids...)).IDs(ctx)
	if err != nil {
		return err
	}
	for _, id := range found {
		delete(named, id)
	}
	for n, id := range ids {
		if named[id] {
			missing := fault.Missing(id)
			missing.Field = entry(n, "organizationId")
			return missing
		}
	}
	return nil
}

// companies are the vendor's companies of the organizations that are mapped.
func (s *Service) companies(ctx context.Context, integration string, mappings []Mapping) (map[string]string, error) {
	ids := make([]string, len(mappings))
	for n, m := range mappings {
		ids[n] = m.Organization
	}
	found, err := s.client.TicketingCompanyMapping.Query().
		Where(ticketingcompanymapping.IntegrationID(integration), ticketingcompanymapping.OrganizationIDIn(ids...)).All(ctx)
	if err != nil {
		return nil, err
	}
	companies := map[string]string{}
	for _, c := range found {
		companies[c.OrganizationID] = c.ExternalCompanyID
	}
	for n, m := range mappings {
		if _, mapped := companies[m.Organization]; !mapped && m.Agreement != nil {
			return nil, fault.Invalid(entry(n, "organizationId"), "map the organization to a company first")
		}
	}
	return companies, nil
}

// confirm asks the vendor for the agreement and the line of an entry.
func (s *Service) confirm(ctx context.Context, vendor psa.Biller, n int, m Mapping, company string) (target, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	t := target{Mapping: m}
	var err error
	if t.agreement, err = vendor.Agreement(ctx, *m.Agreement); err != nil {
		return t, unknown(err, entry(n, "agreementId"), "agreement", *m.Agreement)
	}
	switch {
	case t.agreement.CompanyID != company:
		return t, fault.Invalid(entry(n, "agreementId"), "the agreement is of another company than the organization's")
	case !t.agreement.Active:
		return t, fault.Invalid(entry(n, "agreementId"), "the agreement %q is not in use in the ticketing system", shown(t.agreement.Name))
	}
	if t.line, err = vendor.Line(ctx, *m.Agreement, *m.Line); err != nil {
		return t, unknown(err, entry(n, "lineId"), "line", *m.Line)
	}
	if !t.line.Active {
		return t, fault.Invalid(entry(n, "lineId"), "the line %q is not in use in the ticketing system", shown(t.line.Name))
	}
	return t, nil
}

// unknown is the error of reading what an entry names.
func unknown(err error, field, what, id string) error {
	switch psa.ClassOf(err) {
	case psa.Gone, psa.Permanent:
		return fault.Invalid(field, "the ticketing system has no such %s: %q", what, shown(id)).Wrap(err)
	}
	return psa.Refused(err, "")
}

func shown(text string) string { return psa.FitLine(text, maxShown) }

// clear deletes the mappings that are taken away or get another line, before
// any is set: lines may change places.
func (s *Service) clear(ctx context.Context, integration string, targets []target) error {
	for _, t := range targets {
		which := mappingOf(integration, t.Organization)
		if t.Agreement != nil {
			which = append(which, ticketingbillingmapping.Or(
				ticketingbillingmapping.ExternalAgreementIDNEQ(t.agreement.ID), ticketingbillingmapping.ExternalLineIDNEQ(t.line.ID)))
		}
		if _, err := s.client.TicketingBillingMapping.Delete().Where(which...).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// set changes the mapping that has the line already, or makes one.
func (s *Service) set(ctx context.Context, integration string, t target) (*ent.TicketingBillingMapping, error) {
	which := mappingOf(integration, t.Organization)
	changed, err := s.client.TicketingBillingMapping.Update().Where(which...).
		SetNonBillableUsers(t.NonBillableUsers).SetEnabled(t.Enabled).SetExternalCompanyID(t.agreement.CompanyID).
		SetExternalAgreementName(shown(t.agreement.Name)).SetExternalLineName(shown(t.line.Name)).Save(ctx)
	if err != nil {
		return nil, err
	}
	if changed > 0 {
		return s.client.TicketingBillingMapping.Query().Where(which...).Only(ctx)
	}
	return s.client.TicketingBillingMapping.Create().
		SetOrganizationID(t.Organization).SetIntegrationID(integration).SetExternalCompanyID(t.agreement.CompanyID).
		SetExternalAgreementID(t.agreement.ID).SetExternalAgreementName(shown(t.agreement.Name)).
		SetExternalLineID(t.line.ID).SetExternalLineName(shown(t.line.Name)).
		SetNonBillableUsers(t.NonBillableUsers).SetEnabled(t.Enabled).Save(ctx)
}

// Agreements lists a page of the agreements of an organization's company, as
// the vendor has them now. An organization out of reach is NOT_FOUND; one that
// is mapped to no company is PRECONDITION_FAILED.
func (s *Service) Agreements(ctx context.Context, integration, organizationID, after string) (psa.AgreementPage, error) {
	i, vendor, err := s.accounts.Vendor(ctx, integration)
	if err != nil {
		return psa.AgreementPage{}, err
	}
	if _, err := s.client.Organization.Load(ctx, organizationID); err != nil {
		return psa.AgreementPage{}, err
	}
	c, err := s.client.TicketingCompanyMapping.Query().
		Where(ticketingcompanymapping.IntegrationID(i.ID), ticketingcompanymapping.OrganizationID(organizationID)).Only(ctx)
	if ent.IsNotFound(err) {
		return psa.AgreementPage{}, fault.New(fault.PreconditionFailed, "map the organization to a company first")
	}
	if err != nil {
		return psa.AgreementPage{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	page, err := vendor.Agreements(ctx, c.ExternalCompanyID, after)
	if err != nil {
		return psa.AgreementPage{}, psa.Refused(err, "")
	}
	return page, nil
}

// Lines lists a page of what an agreement bills, as the vendor has it now. An
// agreement that it does not have is NOT_FOUND.
func (s *Service) Lines(ctx context.Context, integration, agreement, after string) (psa.LinePage, error) {
	_, vendor, err := s.accounts.Vendor(ctx, integration)
	if err != nil {
		return psa.LinePage{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	page, err := vendor.Lines(ctx, agreement, after)
	switch psa.ClassOf(err) {
	case "":
		return page, nil
	case psa.Gone:
		return psa.LinePage{}, fault.New(fault.NotFound, "the ticketing system has no such agreement").Wrap(err)
	}
	return psa.LinePage{}, psa.Refused(err, "")
}
