package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"

	"github.com/bailiwick/bailiwick/internal/guard"
)

// Provider is a managed service provider: it looks after organizations.
type Provider struct{ ent.Schema }

// Mixin of Provider.
func (Provider) Mixin() []ent.Mixin {
	return []ent.Mixin{tenant{class: guard.RootProvider}, Base{prefix: "prov"}}
}

// Fields of Provider.
func (Provider) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").NotEmpty().MaxLen(255).
			Comment("The provider's name."),
		field.String("contact_name").Optional().MaxLen(30).
			Comment("Whom to contact."),
		field.String("contact_email").Optional().MaxLen(255).
			Comment("Where to reach the contact."),
		field.Bool("require_admin_mfa").Default(false).
			Comment("Whether administrators must have a second factor before they can act."),
	}
}

// Annotations of Provider.
func (Provider) Annotations() []schema.Annotation {
	return []schema.Annotation{Doc{View: "tenancy.view_provider", Text: "A managed service provider: it looks after organizations."}}
}
