package graph

import (
	"github.com/bailiwick/bailiwick/graph/model"
	"github.com/bailiwick/bailiwick/internal/ticket/billing"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

func billingMappings(in []*model.TicketingBillingMappingInput) []billing.Mapping {
	out := make([]billing.Mapping, len(in))
	for i, m := range in {
		out[i] = billing.Mapping{
			Organization: m.OrganizationID, Agreement: m.AgreementID, Line: m.LineID,
			NonBillableUsers: m.NonBillableUsers, Enabled: m.Enabled,
		}
	}
	return out
}

func agreementPage(page psa.AgreementPage) *model.TicketingAgreementPage {
	shown := &model.TicketingAgreementPage{Agreements: []*model.TicketingAgreement{}, Next: optional(page.Next)}
	for _, a := range page.Agreements {
		shown.Agreements = append(shown.Agreements, &model.TicketingAgreement{ID: a.ID, Name: a.Name, CompanyID: a.CompanyID, Active: a.Active})
	}
	return shown
}

func agreementLinePage(page psa.LinePage) *model.TicketingAgreementLinePage {
	shown := &model.TicketingAgreementLinePage{Lines: []*model.TicketingAgreementLine{}, Next: optional(page.Next)}
	for _, l := range page.Lines {
		shown.Lines = append(shown.Lines, &model.TicketingAgreementLine{ID: l.ID, Name: l.Name, Quantity: l.Quantity, Active: l.Active})
	}
	return shown
}

func usagePreviewPage(page billing.PreviewPage) *model.TicketingUsagePreviewPage {
	shown := &model.TicketingUsagePreviewPage{Previews: []*model.TicketingUsagePreview{}, Next: optional(page.Next)}
	for _, p := range page.Previews {
		one := &model.TicketingUsagePreview{
			Organization: p.Organization, Users: p.Users, HighWater: p.HighWater, Quantity: p.Quantity,
			Mapping: p.Mapping, LatestRecord: p.Record,
		}
		if p.Mapping != nil {
			one.NonBillableUsers, one.WrittenQuantity = p.Mapping.NonBillableUsers, p.Mapping.WrittenQuantity
		}
		if p.Obstacle != "" {
			obstacle := model.TicketingUsageObstacle(p.Obstacle)
			one.Obstacle = &obstacle
		}
		shown.Previews = append(shown.Previews, one)
	}
	return shown
}
