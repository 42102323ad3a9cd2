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

// TicketingWebhookReceipt remembers a vendor's call, so that one that is
// replayed changes nothing.
type TicketingWebhookReceipt struct{ ent.Schema }

// Mixin of TicketingWebhookReceipt.
func (TicketingWebhookReceipt) Mixin() []ent.Mixin {
	return []ent.Mixin{InProvider(), Base{prefix: "twr"}}
}

// Fields of TicketingWebhookReceipt.
func (TicketingWebhookReceipt) Fields() []ent.Field {
	return []ent.Field{
		field.String("integration_id").NotEmpty().Immutable().
			Comment("The integration that was called."),
		field.String("event").NotEmpty().MaxLen(128).Immutable().
			Comment("The vendor's id of the event, or a digest of the call."),
	}
}

// Edges of TicketingWebhookReceipt.
func (TicketingWebhookReceipt) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("integration", TicketingIntegration.Type).
			Field("integration_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The integration that was called."),
	}
}

// Indexes of TicketingWebhookReceipt.
func (TicketingWebhookReceipt) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.ProviderColumn, "integration_id", "event").Unique(),
		index.Fields("created_at"),
	}
}

// Annotations of TicketingWebhookReceipt.
func (TicketingWebhookReceipt) Annotations() []schema.Annotation {
	return []schema.Annotation{Hidden()}
}
