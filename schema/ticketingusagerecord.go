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

// TicketingUsageRecord is an organization's usage on one day, and what became of
// it at the vendor. A day has one record, however often it is written.
type TicketingUsageRecord struct{ ent.Schema }

// Mixin of TicketingUsageRecord.
func (TicketingUsageRecord) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "tur"}}
}

// Fields of TicketingUsageRecord.
func (TicketingUsageRecord) Fields() []ent.Field {
	return []ent.Field{
		field.String("integration_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The integration that it is for."),
		field.String("day").NotEmpty().MaxLen(10).Immutable().
			Comment("The day in UTC, as YYYY-MM-DD."),
		field.Int("users").NonNegative().
			Comment("The most users that the organization was seen to have on the day."),
		field.Int("high_water").NonNegative().
			Comment("The most users of any day of the month so far."),
		field.Int("quantity").NonNegative().
			Comment("What is billed: the high-water mark less the users who are not billed."),
		field.Enum("status").
			NamedValues("Pending", "PENDING", "Written", "WRITTEN", "Failed", "FAILED", "Unmapped", "UNMAPPED").
			Default("PENDING").
			Annotations(Values{
				"PENDING":  "To be written when the day is over; or it was tried, and is tried again.",
				"WRITTEN":  "The vendor has it.",
				"FAILED":   "The vendor refuses it; the month's mark is tried again with the next day.",
				"UNMAPPED": "No line of an agreement of the organization's company is mapped, or writing is off.",
			}).
			Comment("Whether the vendor has it."),
		field.Int("attempts").Default(0).NonNegative().
			Comment("How often it was attempted at the vendor."),
		field.String("last_error").Optional().MaxLen(2000).
			Comment("What went wrong last, in the vendor's own words where there are any."),
		field.Time("written_at").Optional().Nillable().
			Comment("When the vendor was known to have it."),
		field.Time("next_attempt_at").Optional().Nillable().
			Comment("When it is to be written; null when nothing is left to do."),
	}
}

// Edges of TicketingUsageRecord.
func (TicketingUsageRecord) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("integration", TicketingIntegration.Type).
			Field("integration_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The integration that it is for."),
	}
}

// Indexes of TicketingUsageRecord.
func (TicketingUsageRecord) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "integration_id", "day").Unique(),
		index.Fields(guard.ProviderColumn, "integration_id", "id"),
		index.Fields(guard.ProviderColumn, "status", "id"),
		index.Fields(guard.ProviderColumn, "day", "id"),
		index.Fields("next_attempt_at"),
	}
}

// Annotations of TicketingUsageRecord.
func (TicketingUsageRecord) Annotations() []schema.Annotation {
	return listed("ticketing.view_billing", "An organization's usage on one day, and what became of it at the vendor.")
}
