package schema

import (
	"entgo.io/contrib/entgql"
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/bailiwick/bailiwick/internal/guard"
)

// Administrator is a technician of the provider, who acts in organizations.
type Administrator struct{ ent.Schema }

// Mixin of Administrator.
func (Administrator) Mixin() []ent.Mixin {
	return []ent.Mixin{InProvider(), Base{prefix: "adm"}}
}

// Fields of Administrator.
func (Administrator) Fields() []ent.Field {
	return []ent.Field{
		field.String("email").NotEmpty().MaxLen(255).
			Annotations(entgql.OrderField("EMAIL")).
			Comment("The address to sign in with, in lower case; unique over all providers."),
		field.String("firstname").Optional().MaxLen(255).
			Comment("First name."),
		field.String("lastname").Optional().MaxLen(255).
			Comment("Last name."),
		field.String("role_id").NotEmpty().
			Annotations(Hidden()).
			Comment("The role at provider level, and in organizations whose link names no other."),
		field.Bool("all_organizations").Default(false).
			Comment("Whether every organization of the provider is in reach, also those without a link."),
		field.Bool("suspended").Default(false).
			Comment("Whether every sign-in, token and key of the administrator is refused."),
		field.Bool("registered").Default(false).
			Comment("Whether the activation link was used."),
		field.Bool("enable_multi_factor").Default(false).
			Comment("Whether a second factor is enrolled and asked for."),
		field.Bool("api_key_allowed").Default(false).
			Comment("Whether the administrator may have API keys; off for a new administrator."),
		field.String("password_hash").Optional().Sensitive().
			Annotations(Hidden()).
			Comment("The password's argon2id hash, in PHC form."),
		field.Bytes("totp_secret").Optional().Nillable().Sensitive().
			Annotations(Hidden(), Sealed{}).
			Comment("The second factor's sealed secret."),
		field.Int64("totp_step").Default(0).
			Annotations(Hidden()).
			Comment("The last time step that a code was accepted for, so that no code works twice."),
		field.JSON("recovery_hashes", [][]byte{}).Optional().Sensitive().
			Annotations(Hidden()).
			Comment("Hashes of the unused recovery codes."),
		field.Bytes("activation_hash").Optional().Nillable().Sensitive().
			Annotations(Hidden()).
			Comment("The hash of the activation link's token."),
		field.Time("activation_expires_at").Optional().Nillable().
			Annotations(Hidden()).
			Comment("When the activation link expires."),
		field.Time("last_sign_in_at").Optional().Nillable().
			Comment("When the administrator last signed in."),
	}
}

// Edges of Administrator.
func (Administrator) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("role", Role.Type).Field("role_id").Unique().Required().
			Comment("The role at provider level, and in organizations whose link names no other."),
	}
}

// Indexes of Administrator.
func (Administrator) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("email").Unique(),
		index.Fields(guard.ProviderColumn, "email"),
		index.Fields(guard.ProviderColumn, "role_id"),
		index.Fields("activation_hash").Unique(),
	}
}

// Annotations of Administrator.
func (Administrator) Annotations() []schema.Annotation {
	return listed("access.view_administrator", "A technician of the provider, who acts in organizations.")
}
