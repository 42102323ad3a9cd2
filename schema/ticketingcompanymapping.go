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

// TicketingCompanyMapping says which of the vendor's companies an
// organization's tickets are for.
type TicketingCompanyMapping struct{ ent.Schema }

// Mixin of TicketingCompanyMapping.
func (TicketingCompanyMapping) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "map"}}
}

// Fields of TicketingCompanyMapping.
func (TicketingCompanyMapping) Fields() []ent.Field {
	return []ent.Field{
		field.String("integration_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The integration that it is for."),
		field.String("external_company_id").NotEmpty().MaxLen(64).
			Comment("The company's id at the vendor."),
		field.String("external_company_name").Optional().MaxLen(255).
			Comment("The company's name at the vendor."),
	}
}

// Edges of TicketingCompanyMapping.
func (TicketingCompanyMapping) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("integration", TicketingIntegration.Type).
			Field("integration_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The integration that it is for."),
	}
}

// Indexes of TicketingCompanyMapping.
func (TicketingCompanyMapping) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "integration_id").Unique(),
		index.Fields(guard.ProviderColumn, "integration_id"),
	}
}

// Annotations of TicketingCompanyMapping.
func (TicketingCompanyMapping) Annotations() []schema.Annotation {
	return listed("ticketing.view_companymapping", "Which of the vendor's companies an organization's tickets are for.")
}
