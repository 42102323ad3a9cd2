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

// Enrollment is a way into an organization's device management: a link with a
// quota, an end and a revocation (JC-014, ZE-026).
type Enrollment struct{ ent.Schema }

// Mixin of Enrollment.
func (Enrollment) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "enr"}}
}

// Fields of Enrollment.
func (Enrollment) Fields() []ent.Field {
	return []ent.Field{
		field.String("apple_mdm_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The device management that it leads into."),
		field.String("name").NotEmpty().MaxLen(255).
			Comment("What it is for."),
		field.Enum("kind").NamedValues("OTA", "OTA", "User", "USER").Immutable().
			Annotations(Values{
				"OTA":  "Devices of the organization, by a profile from a link.",
				"USER": "People's own devices, by their managed Apple accounts.",
			}).
			Comment("Which devices it is for."),
		field.String("token_hash").NotEmpty().MaxLen(64).
			Annotations(Hidden()).
			Comment("A hash of the link's token, by which it is found."),
		field.Bytes("token").NotEmpty().Sensitive().
			Annotations(Hidden(), Sealed{}).
			Comment("The sealed token of the link."),
		field.Int("quota").Optional().Nillable().Positive().
			Comment("How many devices may enrol with it; null for any number."),
		field.Int("used").Default(0).NonNegative().
			Comment("How many devices have enrolled with it."),
		field.Time("expires_at").Optional().Nillable().
			Comment("When it ends; null for never."),
		field.Time("revoked_at").Optional().Nillable().
			Comment("When it was revoked; null while it can be used."),
		field.Time("rotated_at").Optional().Nillable().
			Comment("When its link was last replaced."),
		field.Time("revealed_at").Optional().Nillable().
			Comment("When its link was last shown."),
	}
}

// Edges of Enrollment.
func (Enrollment) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("apple_mdm", AppleMdm.Type).Field("apple_mdm_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The device management that it leads into."),
	}
}

// Indexes of Enrollment.
func (Enrollment) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "token_hash").Unique(),
		index.Fields(guard.OrganizationColumn, "apple_mdm_id"),
	}
}

// Annotations of Enrollment.
func (Enrollment) Annotations() []schema.Annotation {
	return listed("mdm.view_enrollment", "A way into an organization's device management: a link with a quota, an end and a revocation (JC-014, ZE-026).")
}
