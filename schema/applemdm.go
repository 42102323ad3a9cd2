package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/bailiwick/bailiwick/internal/guard"
)

// AppleMdm is an organization's Apple device management: its push certificate and
// topic, its certificate authority, and how devices are looked after (JC-009,
// ZE-006). An organization has at most one.
type AppleMdm struct{ ent.Schema }

// Mixin of AppleMdm.
func (AppleMdm) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "amdm"}}
}

// Fields of AppleMdm.
func (AppleMdm) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").NotEmpty().MaxLen(255).
			Comment("What the organization calls it; not unique."),
		field.Bool("allow_mobile_user_enrollment").Default(false).
			Comment("Whether people may enrol their own iPhones and iPads."),
		field.Bool("sign_message").Default(true).
			Comment("Whether devices sign every message, for deployments where no proxy passes their certificates on."),
		field.Int("inventory_interval_hours").Default(24).Range(4, 168).
			Comment("How often a device is asked for its inventory, in hours; 4 to 168."),
		field.Int("missing_after_days").Default(14).Range(1, 365).
			Comment("A device that has not been seen for so many days is missing."),
		field.Int("history_days").Default(90).Range(1, 3650).
			Comment("For how many days finished commands are kept."),
		field.Int("enrollment_limit").Optional().Nillable().NonNegative().
			Comment("How many devices may be enrolled at a time; null for no limit."),
		field.Time("limit_reached_at").Optional().Nillable().
			Comment("Since when as many devices are enrolled as may be; null while there is room."),
		field.String("topic").Optional().MaxLen(255).
			Comment("The push topic, from the certificate; empty while there is none, and no device can be managed."),
		field.Time("certificate_not_before").Optional().Nillable().
			Comment("From when the push certificate is valid."),
		field.Time("certificate_not_after").Optional().Nillable().
			Comment("When the push certificate expires."),
		field.String("certificate_serial_number").Optional().MaxLen(64).
			Comment("The push certificate's serial number, in hexadecimal."),
		field.String("creator_apple_id").Optional().MaxLen(255).
			Comment("The Apple ID that the certificate was made with; renewals need the same one."),
		field.Enum("push_status").
			NamedValues("Missing", "MISSING", "Active", "ACTIVE", "Expired", "EXPIRED", "Refused", "REFUSED").
			Default("MISSING").
			Annotations(Values{
				"MISSING": "There is no push certificate yet.",
				"ACTIVE":  "Devices can be notified.",
				"EXPIRED": "The push certificate has expired: renew it, do not make another.",
				"REFUSED": "Apple refuses the push certificate.",
			}).
			Comment("Whether devices can be notified."),
		field.Int("expiry_warned_days").Default(0).
			Annotations(Hidden()).
			Comment("At which threshold before its expiry the certificate was last warned of, in days."),
		field.Bytes("push_certificate").Optional().
			Annotations(Hidden()).
			Comment("The push certificate, DER."),
		field.Bytes("push_key").Optional().Sensitive().
			Annotations(Hidden(), Sealed{}).
			Comment("The sealed key of the push certificate."),
		field.Bytes("staged_key").Optional().Sensitive().
			Annotations(Hidden(), Sealed{}).
			Comment("The sealed key of the request that Apple has not answered yet."),
		field.Bytes("staged_csr").Optional().
			Annotations(Hidden()).
			Comment("The certificate request, DER."),
		field.Bytes("ca_certificate").Optional().
			Annotations(Hidden()).
			Comment("The certificate of the organization's authority, DER."),
		field.Bytes("ca_key").Optional().Sensitive().
			Annotations(Hidden(), Sealed{}).
			Comment("The sealed key of the authority."),
		field.Bytes("signing_certificate").Optional().
			Annotations(Hidden()).
			Comment("The certificate that profiles are signed with, DER."),
		field.Bytes("signing_key").Optional().Sensitive().
			Annotations(Hidden(), Sealed{}).
			Comment("The sealed key that profiles are signed with."),
	}
}

// Indexes of AppleMdm.
func (AppleMdm) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn).Unique(),
		index.Fields(guard.ProviderColumn, "certificate_not_after", "id"),
		index.Fields("certificate_not_after"),
	}
}

// Annotations of AppleMdm.
func (AppleMdm) Annotations() []schema.Annotation {
	return listed("mdm.view_applemdm", "An organization's Apple device management: its push certificate and topic, and how devices are looked after (JC-009).")
}
