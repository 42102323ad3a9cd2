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

// AlertOccurrence is one report of an alert's condition.
type AlertOccurrence struct{ ent.Schema }

// Mixin of AlertOccurrence.
func (AlertOccurrence) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "occ"}}
}

// Fields of AlertOccurrence.
func (AlertOccurrence) Fields() []ent.Field {
	return []ent.Field{
		field.String("alert_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The alert that it belongs to."),
		field.Time("occurred_at").Immutable().
			Comment("When it occurred."),
		field.String("details").Optional().MaxLen(8000).Immutable().
			Comment("What was reported."),
		field.String("raised_by").NotEmpty().MaxLen(255).Immutable().
			Comment("Who reported it: a part of the service, or an administrator or key."),
	}
}

// Edges of AlertOccurrence.
func (AlertOccurrence) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("alert", Alert.Type).Field("alert_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The alert that it belongs to."),
	}
}

// Indexes of AlertOccurrence.
func (AlertOccurrence) Indexes() []ent.Index {
	return []ent.Index{index.Fields(guard.OrganizationColumn, "alert_id", "id"), index.Fields("alert_id", "id")}
}

// Annotations of AlertOccurrence.
func (AlertOccurrence) Annotations() []schema.Annotation {
	return listed("alert.view_alert", "One report of an alert's condition.")
}
