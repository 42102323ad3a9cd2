// Package schema describes the entities: fields, edges, indexes and
// annotations, one file each. The mixins here give an entity its id, its
// times, its tenant and its audit trail; nothing else carries behaviour.
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
	"entgo.io/ent/schema/mixin"
	"go.jetify.com/typeid"

	"github.com/bailiwick/bailiwick/internal/guard"
)

// Global lists the tables that belong to no tenant, each with the reason. The
// application's database role cannot touch them: only system work can.
func Global() map[string]string {
	return map[string]string{
		"signing_keys":      "access tokens of every provider are signed by the deployment",
		"data_keys":         "keysets, wrapped under the master key, are opened before a tenant's data can be",
		"sign_in_throttles": "attempts are counted before the account, and so its provider, is known",
		"rate_limits":       "a vendor limits the deployment's calls over all tenants",
		"rate_shares":       "a vendor limits the deployment's calls over all tenants",
		"rate_slots":        "a vendor limits the deployment's calls over all tenants",
	}
}

// AppendOnly lists the tables of the entities that are InLog, which the
// application may add to and read, and never change.
func AppendOnly() []string { return []string{"system_log_events"} }

// TypeID is the annotation that carries an entity's id prefix.
type TypeID struct {
	Prefix string `json:"prefix"`
}

// Name implements ent's schema.Annotation.
func (TypeID) Name() string { return "TypeID" }

// Hidden keeps a field, edge or entity out of the API.
func Hidden() schema.Annotation { return entgql.Skip(entgql.SkipAll) }

// Base gives an entity its TypeID, its times and its audit trail.
type Base struct {
	mixin.Schema
	prefix string
}

// Fields of every entity.
func (b Base) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").
			DefaultFunc(NewID(b.prefix)).
			MaxLen(90).Immutable().NotEmpty().
			Comment("Globally unique id: a TypeID, whose prefix tells the type and whose suffix sorts by creation."),
		field.Time("created_at").
			Default(now).Immutable().
			Comment("When it was created."),
		field.Time("updated_at").
			Default(now).UpdateDefault(now).
			Comment("When it was last changed."),
	}
}

// Annotations carry the id prefix to the generated code.
func (b Base) Annotations() []schema.Annotation {
	return []schema.Annotation{TypeID{Prefix: b.prefix}}
}

// Hooks record each change for the system log.
func (Base) Hooks() []ent.Hook { return []ent.Hook{guard.Record} }

// NewID returns a generator of TypeIDs with a prefix. Generation can fail
// only for an invalid prefix, which a test over all entities rules out.
func NewID(prefix string) func() string {
	return func() string { return typeid.Must(typeid.WithPrefix(prefix)).String() }
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

type tenant struct {
	mixin.Schema
	class guard.Class
}

// Interceptors filter every query to the tenant.
func (t tenant) Interceptors() []ent.Interceptor {
	return []ent.Interceptor{guard.Interceptor(t.class)}
}

// Hooks stamp creations and confine changes to the tenant.
func (t tenant) Hooks() []ent.Hook { return []ent.Hook{guard.Hook(t.class)} }

func providerField() ent.Field {
	return field.String(guard.ProviderColumn).Immutable().NotEmpty().
		Annotations(Hidden()).
		Comment("The provider that it belongs to.")
}

// OfOrganization puts an entity into one organization.
type OfOrganization struct{ tenant }

// InOrganization is the mixin of entities that belong to one organization.
func InOrganization() OfOrganization { return OfOrganization{tenant{class: guard.Organization}} }

// Fields name the organization and its provider.
func (OfOrganization) Fields() []ent.Field {
	return []ent.Field{
		field.String(guard.OrganizationColumn).Immutable().NotEmpty().
			Annotations(Hidden()).
			Comment("The organization that it belongs to."),
		providerField(),
	}
}

// Edges lead to the organization.
func (OfOrganization) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("organization", Organization.Type).
			Field(guard.OrganizationColumn).Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The organization that it belongs to."),
	}
}

// Indexes serve the listing within one organization and over a provider.
func (OfOrganization) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "id").Unique(),
		index.Fields(guard.ProviderColumn, "id"),
	}
}

// OfShared puts an entity into one organization, or into the provider as a whole.
type OfShared struct{ tenant }

// InShared is the mixin of entities that belong to one organization or, with
// none named, to the whole provider.
func InShared() OfShared { return OfShared{tenant{class: guard.Shared}} }

// InLog is the mixin of entities that record what happened in an organization
// or in the provider as a whole: they are only ever added to, and what concerns
// the whole provider is read only by whoever reaches all of it.
func InLog() OfShared { return OfShared{tenant{class: guard.Log}} }

// Fields name the provider and, where there is one, the organization.
func (OfShared) Fields() []ent.Field {
	return []ent.Field{
		field.String(guard.OrganizationColumn).Immutable().Optional().Nillable().
			Annotations(Hidden()).
			Comment("The organization that it belongs to; none for the provider as a whole."),
		providerField(),
	}
}

// Edges lead to the organization.
func (OfShared) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("organization", Organization.Type).
			Field(guard.OrganizationColumn).Unique().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The organization that it belongs to; none for the provider as a whole."),
	}
}

// Indexes serve the listing within one organization and over a provider.
func (OfShared) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "id"),
		index.Fields(guard.ProviderColumn, "id").Unique(),
	}
}

// OfProvider puts an entity into one provider.
type OfProvider struct{ tenant }

// InProvider is the mixin of entities that belong to a provider.
func InProvider() OfProvider { return OfProvider{tenant{class: guard.Provider}} }

// Fields name the provider.
func (OfProvider) Fields() []ent.Field { return []ent.Field{providerField()} }

// Edges lead to the provider.
func (OfProvider) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("provider", Provider.Type).
			Field(guard.ProviderColumn).Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade), Hidden()).
			Comment("The provider that it belongs to."),
	}
}

// Indexes serve the listing within a provider.
func (OfProvider) Indexes() []ent.Index {
	return []ent.Index{index.Fields(guard.ProviderColumn, "id").Unique()}
}
