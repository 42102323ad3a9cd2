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

// TicketingError is a refusal or failure of a ticketing system, in the vendor's
// own words (JCX-03).
type TicketingError struct{ ent.Schema }

// Mixin of TicketingError.
func (TicketingError) Mixin() []ent.Mixin {
	return []ent.Mixin{InShared(), Base{prefix: "ter"}}
}

// Fields of TicketingError.
func (TicketingError) Fields() []ent.Field {
	return []ent.Field{
		field.String("integration_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The ticketing system."),
		field.String("ticket_id").Optional().Nillable().Immutable().MaxLen(90).
			Comment("The ticket that it was about; null if about none."),
		field.String("operation").NotEmpty().MaxLen(64).Immutable().
			Comment("What was asked of the vendor: create, note, close, verify, usage."),
		field.Enum("error_type").
			NamedValues("Configuration", "CONFIGURATION", "Credentials", "CREDENTIALS", "Throttled", "THROTTLED",
				"Unreachable", "UNREACHABLE", "Gone", "GONE").
			Immutable().
			Annotations(Values{ //nolint:gosec // says what the values mean
				"CONFIGURATION": "The vendor refuses what it was sent.",
				"CREDENTIALS":   "The vendor refuses the credentials, or they lack a permission.",
				"THROTTLED":     "The account has no calls left for now.",
				"UNREACHABLE":   "No usable answer came.",
				"GONE":          "What was addressed no longer exists at the vendor.",
			}).
			Comment("What kind of failure it is."),
		field.String("message").NotEmpty().MaxLen(2000).Immutable().
			Comment("The vendor's own words, or what is known if there are none."),
		field.String("advice").Optional().MaxLen(1000).Immutable().
			Comment("What to do about it."),
		field.Int("occurrence_count").Default(1).Positive().
			Comment("How often it happened; repetitions are counted and not listed."),
		field.Time("last_occurred_at").
			Comment("When it happened last."),
	}
}

// Edges of TicketingError.
func (TicketingError) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("integration", TicketingIntegration.Type).
			Field("integration_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The ticketing system."),
	}
}

// Indexes of TicketingError.
func (TicketingError) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.ProviderColumn, "integration_id", "id"),
		index.Fields("integration_id", "ticket_id"),
		index.Fields("last_occurred_at"),
	}
}

// Annotations of TicketingError.
func (TicketingError) Annotations() []schema.Annotation {
	return listed("ticketing.view_integration", "A refusal or failure of a ticketing system, in the vendor's own words, and what to do about it.")
}
