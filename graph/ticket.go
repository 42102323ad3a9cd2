package graph

import (
	"github.com/bailiwick/bailiwick/graph/model"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/schema"
)

func ruleChange(in model.SetTicketRulesInput) ticket.RuleChange {
	c := ticket.RuleChange{
		Integration: in.IntegrationID, AlertType: deref(in.AlertType), Organization: deref(in.OrganizationID),
		Rules: schema.TicketRules{
			Recovery: text(in.Rules.Recovery), Grouping: text(in.Rules.Grouping), ReopenDays: in.Rules.ReopenDays,
			SettleMinutes: in.Rules.SettleMinutes, FlapCount: in.Rules.FlapCount, FlapMinutes: in.Rules.FlapMinutes,
			PublicNotes: in.Rules.PublicNotes, TitleTemplate: in.Rules.TitleTemplate, BodyTemplate: in.Rules.BodyTemplate,
		},
	}
	if in.Storm != nil {
		c.Storm = &ticket.Storm{Threshold: in.Storm.Threshold, Minutes: in.Storm.Minutes}
	}
	return c
}

func shownRules(r schema.TicketRules) *model.TicketRules {
	return &model.TicketRules{
		Recovery: enumOf[model.TicketRecovery](r.Recovery), Grouping: enumOf[model.TicketGrouping](r.Grouping), ReopenDays: r.ReopenDays,
		SettleMinutes: r.SettleMinutes, FlapCount: r.FlapCount, FlapMinutes: r.FlapMinutes,
		PublicNotes: r.PublicNotes, TitleTemplate: r.TitleTemplate, BodyTemplate: r.BodyTemplate,
	}
}

// text is an enum's value as it is stored.
func text[E ~string](value *E) *string {
	if value == nil {
		return nil
	}
	return new(string(*value))
}

// enumOf is a stored value as the API's enum.
func enumOf[E ~string](value *string) *E {
	if value == nil {
		return nil
	}
	return new(E(*value))
}

func ticketSample(in model.PreviewTicketInput) ticket.Sample {
	return ticket.Sample{
		Integration: in.IntegrationID, Alert: deref(in.AlertID),
		AlertType: deref(in.AlertType), Organization: deref(in.OrganizationID),
		Title: deref(in.Title), Description: deref(in.Description), Severity: string(deref(in.Severity)),
		Device: deref(in.DeviceID), User: deref(in.UserID),
	}
}

func ticketPreview(p ticket.Preview) *model.TicketPreview {
	shown := &model.TicketPreview{
		Outcome: model.TicketOutcome(p.Outcome), Reasons: p.Reasons, Ticket: p.Ticket, Storm: p.Storm, NotBefore: p.NotBefore,
		ExternalCompanyID: optional(p.CompanyID), ExternalCompanyName: optional(p.CompanyName),
		Title: p.Text.Title, Body: p.Text.Body, DueAt: p.DueAt, Rules: shownRules(p.Rules),
	}
	if shown.Reasons == nil {
		shown.Reasons = []string{}
	}
	return shown
}
