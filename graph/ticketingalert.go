package graph

import (
	"encoding/json"
	"strings"

	"github.com/bailiwick/bailiwick/graph/model"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro"
)

func autotaskConfiguration(in model.UpdateAutotaskAlertConfigurationInput) ticket.Configuration {
	settings := autotask.Settings{
		Destination: autotask.Destination(strings.ToLower(string(in.Destination))), DueDays: in.DueDays, ShouldCreateTickets: in.ShouldCreateTickets,
		Priority: autotask.Choice(choice(in.Priority)), Status: autotask.Choice(choice(in.Status)),
		Queue: autotask.Choice(choice(in.Queue)), Source: autotask.Choice(choice(in.Source)),
	}
	if r := in.Resource; r != nil {
		settings.Resource = autotask.Assignee{ID: int64(r.ID), Name: deref(r.Name), Role: autotask.Choice(choice(r.Role))}
	}
	return ticket.Configuration{
		Integration: in.IntegrationID, Organization: deref(in.OrganizationID), AlertType: in.AlertType,
		ShouldCreateTickets: in.ShouldCreateTickets, DueDays: &in.DueDays, Settings: settings,
	}
}

func connectWiseConfiguration(in model.UpdateConnectWiseAlertConfigurationInput) ticket.Configuration {
	return ticket.Configuration{
		Integration: in.IntegrationID, Organization: deref(in.OrganizationID), AlertType: in.AlertType,
		ShouldCreateTickets: in.ShouldCreateTickets, DueDays: in.DueDays,
		Settings: connectwise.Settings{
			ShouldCreateTickets: in.ShouldCreateTickets, DueDays: deref(in.DueDays), Board: choice(in.Board), Status: choice(in.Status),
			Priority: choice(in.Priority), Source: choice(in.Source),
		},
	}
}

func syncroConfiguration(in model.UpdateSyncroAlertConfigurationInput) ticket.Configuration {
	return ticket.Configuration{
		Integration: in.IntegrationID, Organization: deref(in.OrganizationID), AlertType: in.AlertType,
		ShouldCreateTickets: in.ShouldCreateTickets, DueDays: in.DueDays,
		Settings: syncro.Settings{
			ProblemType: in.ProblemType, Priority: deref(in.Priority), Status: deref(in.Status),
			UserID: int64(deref(in.UserID)), Username: deref(in.Username),
		},
	}
}

func choice(in *model.TicketingChoiceInput) connectwise.Choice {
	if in == nil {
		return connectwise.Choice{}
	}
	return connectwise.Choice{ID: int64(in.ID), Name: deref(in.Name)}
}

// chosen is nil if nothing was.
func chosen(id int64, name string) *model.TicketingChoice {
	if id == 0 {
		return nil
	}
	return &model.TicketingChoice{ID: int(id), Name: name}
}

func autotaskSettings(raw json.RawMessage) (*model.AutotaskTicketSettings, error) {
	if ticket.SettingsKind(raw) != psa.Autotask {
		return nil, nil
	}
	s, err := autotask.ReadSettings(raw)
	if err != nil {
		return nil, err
	}
	shown := &model.AutotaskTicketSettings{
		Destination: model.AutotaskDestination(strings.ToUpper(string(s.Destination))),
		Priority:    chosen(s.Priority.ID, s.Priority.Name), Status: chosen(s.Status.ID, s.Status.Name),
		Queue: chosen(s.Queue.ID, s.Queue.Name), Source: chosen(s.Source.ID, s.Source.Name),
	}
	if s.Resource.ID != 0 && s.Resource.Role.ID != 0 {
		shown.Resource = &model.AutotaskResource{ID: int(s.Resource.ID), Name: s.Resource.Name, Role: chosen(s.Resource.Role.ID, s.Resource.Role.Name)}
	}
	return shown, nil
}

func connectWiseSettings(raw json.RawMessage) (*model.ConnectWiseTicketSettings, error) {
	if ticket.SettingsKind(raw) != psa.ConnectWise {
		return nil, nil
	}
	s, err := connectwise.ReadSettings(raw)
	if err != nil {
		return nil, err
	}
	return &model.ConnectWiseTicketSettings{
		Board: chosen(s.Board.ID, s.Board.Name), Status: chosen(s.Status.ID, s.Status.Name),
		Priority: chosen(s.Priority.ID, s.Priority.Name), Source: chosen(s.Source.ID, s.Source.Name),
	}, nil
}

func syncroSettings(raw json.RawMessage) (*model.SyncroTicketSettings, error) {
	if ticket.SettingsKind(raw) != psa.Syncro {
		return nil, nil
	}
	s, err := syncro.ReadSettings(raw)
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

func alertOptions(options []psa.Option) []*model.TicketingAlertOption {
	var shown []*model.TicketingAlertOption
	for _, o := range options {
		field := &model.TicketingAlertOption{Name: o.Name, Values: []*model.TicketingAlertOptionValue{}}
		for _, v := range o.Values {
			if v.Active {
				field.Values = append(field.Values, &model.TicketingAlertOptionValue{Value: v.Value, Label: v.Label, Parent: optional(v.Parent)})
			}
		}
		shown = append(shown, field)
	}
	return shown
}

func ticketingAlerts(configured map[string]ticket.Configured) []*model.TicketingAlert {
	var shown []*model.TicketingAlert
	for _, t := range alert.Catalogue() {
		if t.Ticketed {
			c := configured[t.Key]
			shown = append(shown, &model.TicketingAlert{AlertType: describeType(t), Configuration: c.Applies(), Default: c.Default, Override: c.Override})
		}
	}
	return shown
}
