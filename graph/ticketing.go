package graph

import (
	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/graph/model"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

func connection(kind psa.Kind, name *string, automatic bool, credentials map[string]*string) ticket.Connection {
	return ticket.Connection{Kind: kind, Name: deref(name), AutomaticTicketing: automatic, Credentials: secrets(credentials)}
}

// secrets leaves out what is not given.
func secrets(given map[string]*string) ticket.Credentials {
	c := ticket.Credentials{}
	for name, value := range given {
		if value != nil {
			c[name] = secret.NewText(*value)
		}
	}
	return c
}

func integrationChange(in model.UpdateTicketingIntegrationInput) ticket.Change {
	c := ticket.Change{ID: in.ID, Name: in.Name, AutomaticTicketing: in.AutomaticTicketing, Credentials: map[psa.Kind]ticket.Credentials{}}
	if in.CompanyTypeIds != nil {
		c.CompanyTypeIDs = &in.CompanyTypeIds
	}
	if company, ok := in.CatchAllCompanyID.ValueOK(); ok {
		id := deref(company)
		c.CatchAllCompany = &id
	}
	if a := in.Autotask; a != nil {
		c.Credentials[psa.Autotask] = secrets(map[string]*string{"username": a.Username, "secret": a.Secret})
	}
	if w := in.ConnectWise; w != nil {
		c.Credentials[psa.ConnectWise] = secrets(map[string]*string{
			"url": w.URL, "companyId": w.CompanyID, "publicKey": w.PublicKey, "privateKey": w.PrivateKey,
		})
	}
	if in.Syncro != nil || in.APIToken != nil {
		token := in.APIToken
		if in.Syncro != nil {
			token = in.Syncro.APIToken
		}
		c.Credentials[psa.Syncro] = secrets(map[string]*string{"apiToken": token})
	}
	return c
}

func mappings(in []*model.TicketingCompanyMappingInput) []ticket.Mapping {
	out := make([]ticket.Mapping, len(in))
	for i, m := range in {
		out[i] = ticket.Mapping{Organization: m.OrganizationID, Company: m.ExternalCompanyID}
	}
	return out
}

func companyPage(page psa.CompanyPage, next int) *model.TicketingCompanyPage {
	shown := &model.TicketingCompanyPage{Companies: []*model.TicketingCompany{}, Next: optional(page.Next)}
	for _, c := range page.Companies {
		shown.Companies = append(shown.Companies, company(c))
	}
	if next > 0 {
		shown.NextPage = &next
	}
	return shown
}

func company(c psa.Company) *model.TicketingCompany {
	return &model.TicketingCompany{ID: c.ID, Name: c.Name}
}

func companyTypes(types []psa.CompanyType) []*model.TicketingCompanyType {
	shown := make([]*model.TicketingCompanyType, len(types))
	for i, t := range types {
		shown[i] = &model.TicketingCompanyType{ID: t.ID, Name: t.Name}
	}
	return shown
}

// unmapped is a page of organizations whose entries know which integration was
// asked about.
func unmapped(page *ent.OrganizationConnection, integration string) *model.UnmappedOrganizationConnection {
	shown := &model.UnmappedOrganizationConnection{Edges: []*model.UnmappedOrganizationEdge{}, PageInfo: &page.PageInfo, TotalCount: page.TotalCount}
	for _, e := range page.Edges {
		shown.Edges = append(shown.Edges, &model.UnmappedOrganizationEdge{Node: e.Node, Cursor: e.Cursor, Integration: integration})
	}
	return shown
}

func suggestions(found map[string][]ticket.Suggestion) map[string][]*model.TicketingCompanySuggestion {
	shown := make(map[string][]*model.TicketingCompanySuggestion, len(found))
	for organization, list := range found {
		shown[organization] = []*model.TicketingCompanySuggestion{}
		for _, s := range list {
			shown[organization] = append(shown[organization], &model.TicketingCompanySuggestion{Company: company(s.Company), Score: s.Score})
		}
	}
	return shown
}

func trial(in model.CreateTestTicketInput) ticket.Trial {
	return ticket.Trial{Integration: in.IntegrationID, Organization: in.OrganizationID, AlertType: deref(in.AlertType), KeepOpen: in.KeepOpen}
}

func tried(t ticket.Tried) *model.CreateTestTicketPayload {
	return &model.CreateTestTicketPayload{
		ExternalID: t.Remote.ID, Number: t.Remote.Number, URL: optional(t.Remote.URL),
		Status: t.Status, Closed: t.Remote.Closed, Problem: optional(t.Problem),
	}
}
