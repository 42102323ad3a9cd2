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

// ScepChallenge is a password for one certificate: bound to an enrollment, or to
// the device whose certificate is renewed.
type ScepChallenge struct{ ent.Schema }

// Mixin of ScepChallenge.
func (ScepChallenge) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "scep"}}
}

// Fields of ScepChallenge.
func (ScepChallenge) Fields() []ent.Field {
	return []ent.Field{
		field.String("challenge_hash").NotEmpty().MaxLen(64).Immutable().
			Comment("A hash of the challenge."),
		field.String("enrollment_id").Optional().Nillable().Immutable().
			Comment("The enrollment that it was made for."),
		field.String("device_id").Optional().Nillable().Immutable().
			Comment("The device whose identity is renewed."),
		field.String("user_id").Optional().Nillable().Immutable().
			Comment("The person whose own device it is for."),
		field.Time("expires_at").Immutable().
			Comment("Until when it can be used."),
		field.Time("redeemed_at").Optional().Nillable().
			Comment("When it was used."),
		field.String("transaction").Optional().MaxLen(255).
			Comment("The transaction that used it."),
	}
}

// Edges of ScepChallenge.
func (ScepChallenge) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("enrollment", Enrollment.Type).Field("enrollment_id").Unique().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The enrollment that it was made for."),
		edge.To("device", Device.Type).Field("device_id").Unique().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The device whose identity is renewed."),
		edge.To("user", User.Type).Field("user_id").Unique().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The person whose own device it is for."),
	}
}

// Indexes of ScepChallenge.
func (ScepChallenge) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "challenge_hash").Unique(),
		index.Fields(guard.OrganizationColumn, "device_id"),
		index.Fields(guard.OrganizationColumn, "enrollment_id"),
		index.Fields(guard.OrganizationColumn, "user_id"),
		index.Fields("expires_at"),
	}
}

// Annotations of ScepChallenge.
func (ScepChallenge) Annotations() []schema.Annotation {
	return []schema.Annotation{Hidden()}
}
