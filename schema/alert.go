package schema

import (
	"entgo.io/contrib/entgql"
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/bailiwick/bailiwick/internal/guard"
)

// Alert is one ongoing condition in an organization that somebody should look
// at. Occurrences with the same type and dedupe key fold into the open alert.
type Alert struct{ ent.Schema }

// Mixin of Alert.
func (Alert) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "alert"}}
}

// Fields of Alert.
func (Alert) Fields() []ent.Field {
	return []ent.Field{
		field.String("type").NotEmpty().MaxLen(64).Immutable().
			Comment("The alert type's stable key, such as DEVICE_MISSING; the query alertTypes describes it."),
		field.Enum("severity").NamedValues("Low", "LOW", "Medium", "MEDIUM", "High", "HIGH").
			Annotations(Values{
				"LOW":    "For information.",
				"MEDIUM": "Needs attention in working hours.",
				"HIGH":   "Needs attention now.",
			}).
			Comment("How urgent it is."),
		field.Enum("status").
			NamedValues("Open", "OPEN", "Acknowledged", "ACKNOWLEDGED", "Resolved", "RESOLVED", "AutoResolved", "AUTO_RESOLVED").
			Default("OPEN").
			Annotations(Values{
				"OPEN":          "Nobody has looked at it yet.",
				"ACKNOWLEDGED":  "Somebody is on it.",
				"RESOLVED":      "Ended by a person or a partner.",
				"AUTO_RESOLVED": "The condition ended by itself.",
			}).
			Comment("Where it is in its life: open, seen by somebody, or over."),
		field.String("title").NotEmpty().MaxLen(255).
			Comment("What is wrong, in one line."),
		field.String("description").Optional().MaxLen(8000).
			Comment("What is wrong, at length."),
		field.String("dedupe_key").NotEmpty().MaxLen(255).Immutable().
			Comment("Identifies the condition: occurrences with the same key and type fold into the open alert."),
		field.Int("incident").Default(1).Positive().Immutable().
			Comment("Counts how often this condition has come and gone; each return is an incident of its own."),
		field.String("source_type").Optional().MaxLen(32).Immutable().
			Comment("What it is about: DEVICE, USER, ORGANIZATION, INTEGRATION or CUSTOM."),
		field.String("source_name").Optional().MaxLen(255).
			Comment("The name of what it is about."),
		field.String("reference").Optional().MaxLen(255).
			Comment("The reporting system's own reference."),
		field.String("remark").Optional().MaxLen(2000).
			Comment("What the technician who acknowledged or resolved it wrote."),
		field.Int("occurrence_count").Default(1).Positive().
			Comment("How often it has occurred."),
		field.Time("first_occurred_at").Immutable().
			Comment("When it first occurred."),
		field.Time("last_occurred_at").
			Annotations(entgql.OrderField("LAST_OCCURRED_AT")).
			Comment("When it last occurred."),
		field.Time("acknowledged_at").Optional().Nillable().
			Comment("When it was acknowledged."),
		field.Time("resolved_at").Optional().Nillable().
			Comment("When it was resolved."),
		field.String("device_id").Optional().Nillable().
			Annotations(Hidden()).
			Comment("The device that it is about."),
		field.String("user_id").Optional().Nillable().
			Annotations(Hidden()).
			Comment("The user that it is about."),
	}
}

// Edges of Alert.
func (Alert) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("device", Device.Type).Field("device_id").Unique().
			Annotations(entsql.OnDelete(entsql.SetNull)).
			Comment("The device that it is about."),
		edge.To("user", User.Type).Field("user_id").Unique().
			Annotations(entsql.OnDelete(entsql.SetNull)).
			Comment("The user that it is about."),
	}
}

// Indexes of Alert.
func (Alert) Indexes() []ent.Index {
	unresolved := entsql.IndexWhere("resolved_at IS NULL")
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "type", "dedupe_key").Unique().
			StorageKey("alert_one_open_per_condition").Annotations(unresolved),
		index.Fields(guard.OrganizationColumn, "type", "dedupe_key", "incident").Unique(),
		index.Fields(guard.ProviderColumn, "last_occurred_at", "id").
			StorageKey("alert_open_of_provider").Annotations(unresolved),
		index.Fields(guard.OrganizationColumn, "last_occurred_at", "id").
			StorageKey("alert_open_of_organization").Annotations(unresolved),
		index.Fields(guard.ProviderColumn, "status", "last_occurred_at", "id"),
		index.Fields(guard.OrganizationColumn, "status", "last_occurred_at", "id"),
		index.Fields(guard.OrganizationColumn, "device_id"),
		index.Fields("device_id", "last_occurred_at", "id"),
		index.Fields(guard.ProviderColumn, "updated_at"),
		index.Fields(guard.OrganizationColumn, "user_id"),
	}
}

// Annotations of Alert.
func (Alert) Annotations() []schema.Annotation {
	return listed("alert.view_alert", "An ongoing condition in an organization that somebody should look at; occurrences fold into the open alert.")
}
