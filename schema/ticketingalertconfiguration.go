package schema

import (
	"encoding/json"

	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/bailiwick/bailiwick/internal/guard"
)

// TicketingAlertConfiguration says whether alerts of a type become tickets of
// an integration, and what those look like (JC-006 to JC-008): the provider's
// default, or what one organization has instead of it.
type TicketingAlertConfiguration struct{ ent.Schema }

// Mixin of TicketingAlertConfiguration.
func (TicketingAlertConfiguration) Mixin() []ent.Mixin {
	return []ent.Mixin{InShared(), Base{prefix: "tac"}}
}

// Fields of TicketingAlertConfiguration.
func (TicketingAlertConfiguration) Fields() []ent.Field {
	return []ent.Field{
		field.String("integration_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The integration that it is for."),
		field.String("alert_type").NotEmpty().MaxLen(64).Immutable().
			Comment("The alert type's stable key."),
		field.Bool("should_create_tickets").Default(false).
			Comment("Whether alerts of this type become tickets."),
		field.Int("due_days").Optional().Nillable().Range(0, 365).
			Comment("The ticket is due this many days after the alert; null for no due date."),
		field.JSON("settings", json.RawMessage{}).Optional().
			Annotations(Hidden()).
			Comment("What is particular to the vendor, as its own type."),
		field.JSON("rules", TicketRules{}).Optional().
			Annotations(Hidden()).
			Comment("How its tickets live, where that differs from the integration's rules."),
	}
}

// Edges of TicketingAlertConfiguration.
func (TicketingAlertConfiguration) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("integration", TicketingIntegration.Type).
			Field("integration_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The integration that it is for."),
	}
}

// Indexes of TicketingAlertConfiguration.
func (TicketingAlertConfiguration) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.ProviderColumn, "integration_id", "alert_type").Unique().
			StorageKey("ticketing_alert_configuration_default").Annotations(entsql.IndexWhere("organization_id IS NULL")),
		index.Fields(guard.OrganizationColumn, "integration_id", "alert_type").Unique().
			StorageKey("ticketing_alert_configuration_of_organization").Annotations(entsql.IndexWhere("organization_id IS NOT NULL")),
		index.Fields("integration_id", "id"),
	}
}

// Annotations of TicketingAlertConfiguration.
func (TicketingAlertConfiguration) Annotations() []schema.Annotation {
	return listed("ticketing.view_alertconfiguration", "Whether alerts of a type become tickets of an integration, and what those look like: the provider's default, or what one organization has instead of it (JC-006 to JC-008).")
}
