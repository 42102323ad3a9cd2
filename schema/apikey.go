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

// ApiKey is an administrator's long-lived credential for x-api-key; it never
// exceeds its administrator.
type ApiKey struct{ ent.Schema }

// Mixin of ApiKey.
func (ApiKey) Mixin() []ent.Mixin {
	return []ent.Mixin{InProvider(), Base{prefix: "key"}}
}

// Fields of ApiKey.
func (ApiKey) Fields() []ent.Field {
	return []ent.Field{
		field.String("administrator_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("Whose key it is."),
		field.String("name").NotEmpty().MaxLen(255).
			Comment("What the key is for."),
		field.String("prefix").NotEmpty().MaxLen(64).Immutable().
			Comment("The first characters of the key, by which it is recognized."),
		field.Bytes("secret_hash").NotEmpty().Immutable().Sensitive().
			Annotations(Hidden()).
			Comment("The hash of the key."),
		field.Strings("organization_ids").Optional().
			Comment("The organizations that the key is narrowed to; empty for all its administrator reaches."),
		field.Strings("permissions").Optional().
			Comment("The permissions that the key is narrowed to; empty for all its administrator holds."),
		field.Time("expires_at").Optional().Nillable().
			Comment("When it stops working; null for never."),
		field.Time("last_used_at").Optional().Nillable().
			Comment("When it was last used, to within a minute."),
		field.Time("revoked_at").Optional().Nillable().
			Comment("When it was revoked."),
	}
}

// Edges of ApiKey.
func (ApiKey) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("administrator", Administrator.Type).
			Field("administrator_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("Whose key it is."),
	}
}

// Indexes of ApiKey.
func (ApiKey) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("prefix").Unique(),
		index.Fields(guard.ProviderColumn, "administrator_id"),
	}
}

// Annotations of ApiKey.
func (ApiKey) Annotations() []schema.Annotation {
	return listed("access.view_apikey", "An administrator's long-lived credential for the x-api-key header; it never exceeds its administrator.")
}
