package schema

import (
	"time"

	"entgo.io/contrib/entgql"
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/bailiwick/bailiwick/internal/guard"
)

// DeletionGrace is how long a deleted organization can be restored.
const DeletionGrace = 30 * 24 * time.Hour

// Organization is one of a provider's customers: a tenant.
type Organization struct{ ent.Schema }

// Mixin of Organization.
func (Organization) Mixin() []ent.Mixin {
	return []ent.Mixin{tenant{class: guard.RootOrganization}, Base{prefix: "org"}}
}

// Fields of Organization.
func (Organization) Fields() []ent.Field {
	return []ent.Field{
		providerField(),
		field.String("name").NotEmpty().MaxLen(255).
			Annotations(entgql.OrderField("NAME")).
			Comment("The customer's name; unique within the provider."),
		field.Int("max_system_users").Optional().Nillable().NonNegative().
			Comment("The most users that the organization may have; null for no limit (JC-001)."),
		field.Int("user_count").Default(0).NonNegative().
			Comment("How many users the organization has."),
		field.Enum("status").
			NamedValues("Active", "ACTIVE", "Suspended", "SUSPENDED", "Deleting", "DELETING").
			Default("ACTIVE").
			Annotations(Values{
				"ACTIVE":    "In use.",
				"SUSPENDED": "Its devices and partners are refused; administrators can still read it.",
				"DELETING":  "Deleted, and still restorable.",
			}).
			Comment("Whether it is in use, suspended, or waiting for its deletion."),
		field.Time("delete_after").Optional().Nillable().
			Comment("When a deleted organization is erased; until then it can be restored."),
	}
}

// Edges of Organization.
func (Organization) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("provider", Provider.Type).
			Field(guard.ProviderColumn).Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The provider that looks after it."),
	}
}

// Indexes of Organization.
func (Organization) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.ProviderColumn, "id").Unique(),
		index.Fields(guard.ProviderColumn, "name").Unique(),
		index.Fields(guard.ProviderColumn, "status", "id"),
	}
}

// Annotations of Organization.
func (Organization) Annotations() []schema.Annotation {
	return listed("tenancy.view_organization", "One of a provider's customers: a tenant.")
}
