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

// AdministratorOrganizationLink grants an administrator access to an organization.
type AdministratorOrganizationLink struct{ ent.Schema }

// Mixin of AdministratorOrganizationLink.
func (AdministratorOrganizationLink) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "link"}}
}

// Fields of AdministratorOrganizationLink.
func (AdministratorOrganizationLink) Fields() []ent.Field {
	return []ent.Field{
		field.String("administrator_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("Who has access."),
		field.String("role_id").Optional().Nillable().
			Annotations(Hidden()).
			Comment("The role in this organization; none for the administrator's own."),
	}
}

// Edges of AdministratorOrganizationLink.
func (AdministratorOrganizationLink) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("administrator", Administrator.Type).
			Field("administrator_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("Who has access."),
		edge.To("role", Role.Type).Field("role_id").Unique().
			Comment("The role in this organization; null for the administrator's own."),
	}
}

// Indexes of AdministratorOrganizationLink.
func (AdministratorOrganizationLink) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "administrator_id").Unique(),
		index.Fields(guard.ProviderColumn, "administrator_id"),
		index.Fields(guard.ProviderColumn, "role_id"),
	}
}

// Annotations of AdministratorOrganizationLink.
func (AdministratorOrganizationLink) Annotations() []schema.Annotation {
	return listed("access.view_organizationlink", "An administrator's access to an organization (JC-002 to JC-005).")
}
