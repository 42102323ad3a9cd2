package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/bailiwick/bailiwick/internal/guard"
)

// TicketingIntegration connects a provider to its ticketing system.
type TicketingIntegration struct{ ent.Schema }

// Mixin of TicketingIntegration.
func (TicketingIntegration) Mixin() []ent.Mixin {
	return []ent.Mixin{InProvider(), Base{prefix: "psa"}}
}

// Fields of TicketingIntegration.
func (TicketingIntegration) Fields() []ent.Field {
	return []ent.Field{
		field.Enum("kind").
			NamedValues("Autotask", "AUTOTASK", "ConnectWise", "CONNECTWISE", "Syncro", "SYNCRO").Immutable().
			Annotations(Values{
				"AUTOTASK":    "Datto Autotask PSA.",
				"CONNECTWISE": "ConnectWise PSA.",
				"SYNCRO":      "Syncro.",
			}).
			Comment("Which ticketing system it is."),
		field.String("name").NotEmpty().MaxLen(255).
			Comment("What the provider calls it."),
		field.String("account").NotEmpty().MaxLen(255).
			Comment("The account at the vendor: Syncro's subdomain, Autotask's user name, ConnectWise's company id."),
		field.String("base_url").Optional().MaxLen(512).
			Comment("The vendor's address for this account; empty for the address that follows from the account."),
		field.Bytes("credentials").NotEmpty().Sensitive().
			Annotations(Hidden(), Sealed{}).
			Comment("The sealed credentials."),
		field.Enum("status").
			NamedValues("Active", "ACTIVE", "Paused", "PAUSED").
			Default("ACTIVE").
			Annotations(Values{
				"ACTIVE": "Tickets are delivered.",
				"PAUSED": "The vendor refuses the credentials; deliveries wait.",
			}).
			Comment("Whether tickets are delivered; paused while the vendor refuses the credentials."),
		field.Bool("automatic_ticketing").Default(true).
			Comment("Whether alerts become tickets without anyone asking."),
		field.Time("verified_at").Optional().Nillable().
			Comment("When the vendor last accepted the credentials."),
		field.String("last_error").Optional().MaxLen(2000).
			Comment("What the vendor last refused, in its own words."),
		field.Time("last_error_at").Optional().Nillable().
			Comment("When it refused that."),
	}
}

// Indexes of TicketingIntegration.
func (TicketingIntegration) Indexes() []ent.Index {
	return []ent.Index{index.Fields(guard.ProviderColumn, "kind", "account").Unique()}
}

// Annotations of TicketingIntegration.
func (TicketingIntegration) Annotations() []schema.Annotation {
	return listed("ticketing.view_integration", "The connection of a provider to its ticketing system.")
}
