package schema

import (
	"entgo.io/contrib/entgql"
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/bailiwick/bailiwick/internal/guard"
)

// Role is a set of permissions: one of the built-in ones, or custom, for the
// whole provider or for one organization.
type Role struct{ ent.Schema }

// Mixin of Role.
func (Role) Mixin() []ent.Mixin {
	return []ent.Mixin{InShared(), Base{prefix: "role"}}
}

// Fields of Role.
func (Role) Fields() []ent.Field {
	return []ent.Field{
		field.String("key").Optional().Nillable().Immutable().MaxLen(64).
			Comment("The stable name of a built-in role, such as HELP_DESK; null for a custom one."),
		field.String("name").NotEmpty().MaxLen(255).
			Annotations(entgql.OrderField("NAME")).
			Comment("The role's name."),
		field.String("description").Optional().MaxLen(1024).
			Comment("What the role is for."),
		field.Strings("permissions").
			Comment("The permissions that it holds; the query permissions describes them."),
	}
}

// Indexes of Role.
func (Role) Indexes() []ent.Index {
	return []ent.Index{index.Fields(guard.ProviderColumn, "name")}
}

// Annotations of Role.
func (Role) Annotations() []schema.Annotation {
	return listed("access.view_role", "A set of permissions: a built-in role, or a custom one of the provider or of one organization.")
}
