package billing

import (
	"context"
	"fmt"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/organization"
	"github.com/bailiwick/bailiwick/ent/ticketingbillingmapping"
	"github.com/bailiwick/bailiwick/ent/ticketingcompanymapping"
	"github.com/bailiwick/bailiwick/ent/ticketingusagerecord"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// maxPreview bounds a page of a preview.
const maxPreview = 200

// Preview is what an organization is billed, were it written now.
type Preview struct {
	Organization *ent.Organization
	Users        int // who count now
	HighWater    int // the most of the month so far, now included
	Quantity     int // the mark less the users who are not billed
	Mapping      *ent.TicketingBillingMapping
	Record       *ent.TicketingUsageRecord // the latest; nil before the first
	Obstacle     Obstacle                  // why nothing is written; empty if it is
}

// PreviewPage is a part of a preview, in the order of the organizations' ids.
type PreviewPage struct {
	Previews []Preview
	Next     string // the last organization, if others follow
}

// Preview says what the organizations in reach are billed in an integration.
// It asks nothing of the vendor.
func (s *Service) Preview(ctx context.Context, integration string, first int, after string) (PreviewPage, error) {
	if first < 1 || first > maxPreview {
		return PreviewPage{}, fault.Invalid("first", "must lie between 1 and %d", maxPreview)
	}
	i, err := s.client.TicketingIntegration.Load(ctx, integration)
	if err != nil {
		return PreviewPage{}, err
	}
	organizations, err := s.client.Organization.Query().Where(organization.IDGT(after), organization.StatusNEQ(organization.StatusDeleting)).
		Order(organization.ByID()).Limit(first + 1).All(ctx)
	if err != nil {
		return PreviewPage{}, fmt.Errorf("list organizations: %w", err)
	}
	var page PreviewPage
	if len(organizations) > first {
		organizations = organizations[:first]
		page.Next = organizations[first-1].ID
	}
	page.Previews, err = s.preview(ctx, i.ID, organizations)
	return page, err
}

func (s *Service) preview(ctx context.Context, integration string, organizations []*ent.Organization) ([]Preview, error) {
	ids := make([]string, len(organizations))
	for n, o := range organizations {
		ids[n] = o.ID
	}
	count, err := s.count(ctx, ids)
	if err != nil {
		return nil, err
	}
	marks, err := s.marks(ctx, dayOf(s.now()), integration, ids)
	if err != nil {
		return nil, err
	}
	mapped, err := s.client.TicketingBillingMapping.Query().
		Where(ticketingbillingmapping.IntegrationID(integration), ticketingbillingmapping.OrganizationIDIn(ids...)).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read mappings: %w", err)
	}
	companies, err := s.client.TicketingCompanyMapping.Query().
		Where(ticketingcompanymapping.IntegrationID(integration), ticketingcompanymapping.OrganizationIDIn(ids...)).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read companies: %w", err)
	}
	latest, err := s.client.TicketingUsageRecord.Query().
		Where(ticketingusagerecord.IntegrationID(integration), ticketingusagerecord.OrganizationIDIn(ids...), newest).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the latest usage: %w", err)
	}
	of := map[string]*ent.TicketingBillingMapping{}
	for _, m := range mapped {
		of[m.OrganizationID] = m
	}
	company := map[string]*ent.TicketingCompanyMapping{}
	for _, c := range companies {
		company[c.OrganizationID] = c
	}
	record := map[string]*ent.TicketingUsageRecord{}
	for _, r := range latest {
		record[r.OrganizationID] = r
	}
	out := make([]Preview, 0, len(organizations))
	for _, o := range organizations {
		p := Preview{
			Organization: o, Users: count[o.ID], Mapping: of[o.ID], Record: record[o.ID],
			HighWater: max(count[o.ID], marks[pair{o.ID, integration}]), Obstacle: obstacle(of[o.ID], company[o.ID]),
		}
		p.Quantity = p.HighWater
		if p.Mapping != nil {
			p.Quantity = max(0, p.HighWater-p.Mapping.NonBillableUsers)
		}
		out = append(out, p)
	}
	return out, nil
}

// newest keeps each organization's latest record in an integration.
func newest(sel *sql.Selector) {
	t := sql.Table(ticketingusagerecord.Table).As("later")
	sel.Where(sql.NotExists(sql.Select(t.C(ticketingusagerecord.FieldID)).From(t).Where(sql.And(
		sql.ColumnsEQ(t.C(ticketingusagerecord.FieldOrganizationID), sel.C(ticketingusagerecord.FieldOrganizationID)),
		sql.ColumnsEQ(t.C(ticketingusagerecord.FieldIntegrationID), sel.C(ticketingusagerecord.FieldIntegrationID)),
		sql.ColumnsGT(t.C(ticketingusagerecord.FieldDay), sel.C(ticketingusagerecord.FieldDay)),
	))))
}
