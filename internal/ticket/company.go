package ticket

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/organization"
	"github.com/bailiwick/bailiwick/ent/ticketingcompanymapping"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/likeness"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// maxCompanyName is what is kept of a company's name, in UTF-16 units; in
// bytes it fits the column.
const maxCompanyName = 80

// Search selects companies of the vendor.
type Search struct {
	Integration string
	Name        string // part of the company's name; empty for all
	After       string // the cursor that the page before ended with; empty for the first
	Page        int    // from 1, for vendors whose pages are counted; 1 if After is given
}

// Companies lists a page of the vendor's companies of the integration's types,
// and the number of the next page, which is 0 at the end and where the vendor
// does not count pages.
func (s *Service) Companies(ctx context.Context, q Search) (page psa.CompanyPage, next int, err error) {
	i, vendor, err := s.integration(ctx, q.Integration)
	if err != nil {
		return psa.CompanyPage{}, 0, err
	}
	counted := psa.Kind(i.Kind) != psa.Autotask
	query := psa.CompanyQuery{Search: q.Name, Cursor: q.After, TypeIDs: i.CompanyTypeIds}
	switch {
	case q.Page < 1:
		return psa.CompanyPage{}, 0, fault.Invalid("page", "pages are counted from 1")
	case q.Page > 1 && q.After != "":
		return psa.CompanyPage{}, 0, fault.Invalid("page", "give after or page, not both")
	case q.Page > 1 && !counted:
		return psa.CompanyPage{}, 0, fault.Invalid("page", "this ticketing system does not count pages: pass the next of the page before as after")
	case q.Page > 1:
		query.Cursor = strconv.Itoa(q.Page)
	}
	calling, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	page, err = vendor.Companies(calling, query)
	if err != nil {
		s.mistake(ctx, mistake{integration: i, operation: "companies", cause: err})
		if q.After != "" && psa.ClassOf(err) == psa.Permanent {
			return psa.CompanyPage{}, 0, fault.Invalid("after", "is not the next of a page of this list").Wrap(err)
		}
		return psa.CompanyPage{}, 0, refused(err, "")
	}
	if page.Next != "" && counted && q.After == "" {
		next = q.Page + 1
	}
	return page, next, nil
}

// integration is an integration in reach, and a client for it.
func (s *Service) integration(ctx context.Context, id string) (*ent.TicketingIntegration, psa.Vendor, error) {
	i, err := s.client.TicketingIntegration.Load(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	vendor, err := s.vendor(ctx, i)
	return i, vendor, err
}

// CompanyTypes lists the types of company that the vendor knows; none for one
// that knows no types.
func (s *Service) CompanyTypes(ctx context.Context, integrationID string) ([]psa.CompanyType, error) {
	i, vendor, err := s.integration(ctx, integrationID)
	if err != nil {
		return nil, err
	}
	return s.companyTypes(ctx, i, vendor)
}

func (s *Service) companyTypes(ctx context.Context, i *ent.TicketingIntegration, vendor psa.Vendor) ([]psa.CompanyType, error) {
	typed, ok := vendor.(psa.CompanyTypes)
	if !ok {
		return nil, nil
	}
	calling, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	types, err := typed.CompanyTypes(calling)
	if err != nil {
		s.mistake(ctx, mistake{integration: i, operation: "company types", cause: err})
	}
	return types, refused(err, "")
}

// checkTypes is INVALID_ARGUMENT unless the vendor has every type.
func (s *Service) checkTypes(ctx context.Context, i *ent.TicketingIntegration, vendor psa.Vendor, ids []int) error {
	const field = "input.companyTypeIds"
	if len(ids) == 0 {
		return nil
	}
	if _, typed := vendor.(psa.CompanyTypes); !typed {
		return fault.Invalid(field, "%s has no types of company", termsOf(psa.Kind(i.Kind)).product)
	}
	types, err := s.companyTypes(ctx, i, vendor)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !slices.ContainsFunc(types, func(t psa.CompanyType) bool { return t.ID == id }) {
			return fault.Invalid(field, "the ticketing system has no company type %d", id)
		}
	}
	return nil
}

// known is a company that the vendor has and that is active; another is
// INVALID_ARGUMENT on the field.
func (s *Service) known(ctx context.Context, i *ent.TicketingIntegration, vendor psa.Companies, id, field string) (psa.Company, error) {
	calling, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	company, err := vendor.Company(calling, id)
	switch psa.ClassOf(err) {
	case "":
	case psa.Gone, psa.Permanent:
		return psa.Company{}, fault.Invalid(field, "the ticketing system has no company %q", psa.FitLine(id, 64)).Wrap(err)
	default:
		s.mistake(ctx, mistake{integration: i, operation: "company", cause: err})
		return psa.Company{}, refused(err, "")
	}
	if !company.Active {
		return psa.Company{}, fault.Invalid(field, "the company %q is inactive in the ticketing system", company.Name)
	}
	return company, nil
}

// companyOf is the vendor's company that an organization's tickets are for: the
// one that it is mapped to, or else the integration's catch-all. The id is "" if
// there is neither, and its tickets wait.
func (s *Service) companyOf(ctx context.Context, i *ent.TicketingIntegration, organization string) (id, name string, err error) {
	mapped, err := s.client.TicketingCompanyMapping.Query().Where(mappingOf(i.ID, organization)...).Only(ctx)
	if ent.IsNotFound(err) {
		return i.CatchAllCompanyID, i.CatchAllCompanyName, nil
	}
	if err != nil {
		return "", "", err
	}
	return mapped.ExternalCompanyID, mapped.ExternalCompanyName, nil
}

// Unmapped selects the organizations in reach that an integration has no
// company for.
func (s *Service) Unmapped(ctx context.Context, integrationID string) (*ent.OrganizationQuery, error) {
	if _, err := s.client.TicketingIntegration.Load(ctx, integrationID); err != nil {
		return nil, err
	}
	mapped := sql.Table(ticketingcompanymapping.Table)
	ids := sql.Select(mapped.C(ticketingcompanymapping.FieldOrganizationID)).From(mapped).
		Where(sql.EQ(mapped.C(ticketingcompanymapping.FieldIntegrationID), integrationID))
	return s.client.Organization.Query().Where(func(q *sql.Selector) {
		q.Where(sql.NotIn(q.C(organization.FieldID), ids))
	}), nil
}

// Suggestion is a company that an organization may be.
type Suggestion struct {
	Company psa.Company
	Score   float64 // how alike the names are, from 0 to 1
}

const (
	maxSuggestions = 3
	leastLikeness  = 0.5
	// catalogueAge is how long the list of companies that suggestions are made
	// from is believed, and cataloguePages how many of its pages are read:
	// thousands of companies in Autotask and ConnectWise, and 1,000 in Syncro,
	// whose requests all providers share.
	catalogueAge   = 5 * time.Minute
	cataloguePages = 40
)

// Suggest finds, for each of some organizations in reach, up to three of the
// vendor's companies with a name like its own, the most alike first. The
// companies are read once for all of them.
func (s *Service) Suggest(ctx context.Context, integrationID string, organizations []string) (map[string][]Suggestion, error) {
	i, vendor, err := s.integration(ctx, integrationID)
	if err != nil {
		return nil, err
	}
	found, err := s.client.Organization.Query().Where(organization.IDIn(organizations...)).All(ctx)
	if err != nil {
		return nil, err
	}
	companies, err := s.catalogue(ctx, i, vendor)
	if err != nil {
		return nil, err
	}
	names := make([]likeness.Name, len(companies))
	for n, c := range companies {
		names[n] = likeness.Of(c.Name)
	}
	suggested := make(map[string][]Suggestion, len(found))
	for _, o := range found {
		own := likeness.Of(o.Name)
		list := []Suggestion{}
		for n, c := range companies {
			if score := own.Score(names[n]); score >= leastLikeness {
				list = append(list, Suggestion{c, score})
			}
		}
		slices.SortFunc(list, func(a, b Suggestion) int {
			return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.Company.Name, b.Company.Name), strings.Compare(a.Company.ID, b.Company.ID))
		})
		suggested[o.ID] = list[:min(len(list), maxSuggestions)]
	}
	return suggested, nil
}

// catalogue are the vendor's active companies, as far as so many pages hold
// them, in the vendor's order.
func (s *Service) catalogue(ctx context.Context, i *ent.TicketingIntegration, vendor psa.Companies) ([]psa.Company, error) {
	if have, fresh := s.catalogues.get(i.ID); fresh {
		return have, nil
	}
	calling, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	companies, seen := []psa.Company{}, map[string]bool{} // pages shift while they are read
	query := psa.CompanyQuery{TypeIDs: i.CompanyTypeIds}
	for range cataloguePages {
		page, err := vendor.Companies(calling, query)
		if err != nil {
			s.mistake(ctx, mistake{integration: i, operation: "companies", cause: err})
			return nil, refused(err, "")
		}
		for _, c := range page.Companies {
			if c.Active && !seen[c.ID] {
				seen[c.ID], companies = true, append(companies, c)
			}
		}
		if query.Cursor = page.Next; query.Cursor == "" {
			break
		}
	}
	s.catalogues.put(i.ID, companies)
	return companies, nil
}
