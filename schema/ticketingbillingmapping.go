package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/bailiwick/bailiwick/internal/guard"
)

// TicketingBillingMapping says on which line of which agreement an organization's
// users are billed in the ticketing system.
type TicketingBillingMapping struct{ ent.Schema }

// Mixin of TicketingBillingMapping.
func (TicketingBillingMapping) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "tbm"}}
}

// Fields of TicketingBillingMapping.
func (TicketingBillingMapping) Fields() []ent.Field {
	return []ent.Field{
		field.String("integration_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The integration that it is for."),
		field.String("external_agreement_id").NotEmpty().MaxLen(64).
			Comment("The vendor's id of the agreement: Autotask's contract, ConnectWise's agreement, Syncro's recurring invoice."),
		field.String("external_agreement_name").Optional().MaxLen(255).
			Comment("The agreement's name at the vendor."),
		field.String("external_line_id").NotEmpty().MaxLen(64).
			Comment("The vendor's id of the line whose quantity is set: Autotask's contract service, ConnectWise's addition, Syncro's line item."),
		field.String("external_line_name").Optional().MaxLen(255).
			Comment("The line's name at the vendor."),
		field.Int("non_billable_users").Default(0).NonNegative().
			Comment("How many users are not billed."),
		field.Bool("enabled").Default(true).
			Comment("Whether the quantity is written every day."),
		field.String("external_company_id").NotEmpty().MaxLen(64).
			Comment("The vendor's company whose agreement it is. Nothing is written while the organization is mapped to another."),
		field.Int("written_quantity").Optional().Nillable().NonNegative().
			Comment("The quantity that the vendor was last known to have taken; null before the first."),
		field.String("written_month").Optional().MaxLen(7).
			Comment("The month that it was for, as YYYY-MM."),
		field.Time("written_at").Optional().Nillable().
			Comment("When the vendor was known to have it."),
		field.Time("doubtful_at").Optional().Nillable().
			Annotations(Hidden()).
			Comment("When a call was begun of which no end is known: it may still be executed."),
		field.Time("lease_until").Optional().Nillable().
			Annotations(Hidden()).
			Comment("Until when one worker alone writes."),
	}
}

// Edges of TicketingBillingMapping.
func (TicketingBillingMapping) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("integration", TicketingIntegration.Type).
			Field("integration_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The integration that it is for."),
	}
}

// Indexes of TicketingBillingMapping.
func (TicketingBillingMapping) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "integration_id").Unique(),
		index.Fields(guard.ProviderColumn, "integration_id", "id"),
		// Two organizations on one line would overwrite each other's quantity.
		index.Fields("integration_id", "external_agreement_id", "external_line_id").Unique(),
	}
}

// Annotations of TicketingBillingMapping.
func (TicketingBillingMapping) Annotations() []schema.Annotation {
	return listed("ticketing.view_billing", "On which line of which agreement an organization's users are billed in the ticketing system.")
}
