package graph

import (
	"encoding/json"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/graph/model"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

func connection(in model.ConnectSyncroInput) ticket.Connection {
	return ticket.Connection{
		Kind: psa.Syncro, Name: deref(in.Name), AutomaticTicketing: in.AutomaticTicketing,
		Account: ticket.Account{Name: in.Subdomain, BaseURL: deref(in.BaseURL), Credentials: secret.NewText(in.APIToken)},
	}
}

func integrationChange(in model.UpdateTicketingIntegrationInput) ticket.Change {
	c := ticket.Change{ID: in.ID, Name: in.Name, AutomaticTicketing: in.AutomaticTicketing}
	if in.APIToken != nil {
		token := secret.NewText(*in.APIToken)
		c.Credentials = &token
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

func syncroConfiguration(in model.UpdateSyncroAlertConfigurationInput) ticket.SyncroConfiguration {
	return ticket.SyncroConfiguration{
		Integration: in.IntegrationID, AlertType: in.AlertType, ShouldCreateTickets: in.ShouldCreateTickets, DueDays: in.DueDays,
		Settings: ticket.SyncroSettings{
			ProblemType: in.ProblemType, Priority: deref(in.Priority), Status: deref(in.Status),
			UserID: int64(deref(in.UserID)), Username: deref(in.Username),
		},
	}
}

func syncroSettings(raw json.RawMessage) (*model.SyncroTicketSettings, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	s, err := ticket.ReadSyncroSettings(raw)
	if err != nil {
		return nil, err
	}
	shown := &model.SyncroTicketSettings{
		ProblemType: s.ProblemType, Priority: optional(s.Priority), Status: optional(s.Status), Username: optional(s.Username),
	}
	if s.UserID != 0 {
		id := int(s.UserID)
		shown.UserID = &id
	}
	return shown, nil
}

func companyPage(companies []psa.Company, next int) *model.TicketingCompanyPage {
	page := &model.TicketingCompanyPage{Companies: []*model.TicketingCompany{}}
	for _, c := range companies {
		page.Companies = append(page.Companies, &model.TicketingCompany{ID: c.ID, Name: c.Name})
	}
	if next > 0 {
		page.NextPage = &next
	}
	return page
}

func alertOptions(options []psa.Option) []*model.TicketingAlertOption {
	var shown []*model.TicketingAlertOption
	for _, o := range options {
		field := &model.TicketingAlertOption{Name: o.Name, Values: []*model.TicketingAlertOptionValue{}}
		for _, v := range o.Values {
			if v.Active {
				field.Values = append(field.Values, &model.TicketingAlertOptionValue{Value: v.Value, Label: v.Label})
			}
		}
		shown = append(shown, field)
	}
	return shown
}

func ticketingAlerts(configured map[string]*ent.TicketingAlertConfiguration) []*model.TicketingAlert {
	var shown []*model.TicketingAlert
	for _, t := range alert.Catalogue() {
		if t.Ticketed {
			shown = append(shown, &model.TicketingAlert{AlertType: describeType(t), Configuration: configured[t.Key]})
		}
	}
	return shown
}
