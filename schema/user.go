package schema

import (
	"entgo.io/contrib/entgql"
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/bailiwick/bailiwick/internal/guard"
)

// User is a person of an organization.
type User struct{ ent.Schema }

// Mixin of User.
func (User) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "usr"}}
}

// Fields of User.
func (User) Fields() []ent.Field {
	return []ent.Field{
		field.String("login").NotEmpty().MaxLen(255).
			Annotations(entgql.OrderField("LOGIN")).
			Comment("The name to sign in with; unique within the organization."),
		field.String("email").NotEmpty().MaxLen(255).
			Comment("The primary e-mail address."),
		field.String("first_name").Optional().MaxLen(255).
			Comment("First name."),
		field.String("last_name").Optional().MaxLen(255).
			Comment("Last name."),
		field.Enum("status").
			NamedValues("Staged", "STAGED", "Provisioned", "PROVISIONED", "Active", "ACTIVE", "Recovery", "RECOVERY",
				"PasswordExpired", "PASSWORD_EXPIRED", "LockedOut", "LOCKED_OUT",
				"Suspended", "SUSPENDED", "Deprovisioned", "DEPROVISIONED").
			Default("STAGED").
			Annotations(Values{
				"STAGED":           "Created, not yet activated.",
				"PROVISIONED":      "Activated; the user must still finish.",
				"ACTIVE":           "In use.",
				"RECOVERY":         "The password is being recovered.",
				"PASSWORD_EXPIRED": "The password must be changed.",
				"LOCKED_OUT":       "Locked after failed sign-ins.",
				"SUSPENDED":        "Suspended by an administrator.",
				"DEPROVISIONED":    "Deactivated.",
			}).
			Comment("Where the user is in the life cycle."),
	}
}

// Indexes of User.
func (User) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "login").Unique(),
		index.Fields(guard.OrganizationColumn, "email"),
		index.Fields(guard.ProviderColumn, "login", "id"),
		index.Fields(guard.ProviderColumn, "email"),
		index.Fields("email"), // a device asks for its organization by its user's address
	}
}

// Annotations of User.
func (User) Annotations() []schema.Annotation {
	return listed("directory.view_user", "A person of an organization.")
}
