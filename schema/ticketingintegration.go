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
		field.JSON("company_type_ids", []int{}).Optional().
			Comment("Only companies of these types are offered for mapping; all if there are none (Autotask, ConnectWise)."),
		field.String("catch_all_company_id").Optional().MaxLen(64).
			Comment("The vendor's company that tickets of unmapped organizations go to; empty to hold them until they are mapped."),
		field.String("catch_all_company_name").Optional().MaxLen(255).
			Comment("That company's name."),
		field.JSON("rules", TicketRules{}).Optional().
			Annotations(Hidden()).
			Comment("How tickets live, unless an alert type's configuration says otherwise."),
		field.Int("storm_threshold").Default(25).NonNegative().
			Comment("How many tickets an organization may open within the storm's minutes before further alerts share one ticket; 0 for no limit."),
		field.Int("storm_minutes").Default(10).Positive().
			Comment("Over how many minutes tickets are counted."),
		field.Bytes("webhook_secret").Optional().Sensitive().
			Annotations(Hidden(), Sealed{}).
			Comment("The sealed secret that the vendor signs its calls with."),
		field.String("webhook_external_id").Optional().MaxLen(64).
			Comment("The webhook's id at the vendor; empty while there is none."),
		field.Time("polled_until").Optional().Nillable().
			Comment("Up to when the vendor's changes have been read."),
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
