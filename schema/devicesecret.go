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

// DeviceSecret is a secret that a technician may need of a device: a PIN, a
// bypass code. It is shown only by an audited mutation.
type DeviceSecret struct{ ent.Schema }

// Mixin of DeviceSecret.
func (DeviceSecret) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "dsec"}}
}

// Fields of DeviceSecret.
func (DeviceSecret) Fields() []ent.Field {
	return []ent.Field{
		field.String("device_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The device."),
		field.Enum("kind").
			NamedValues("UnlockPin", "UNLOCK_PIN", "ErasePin", "ERASE_PIN", "ActivationLockBypassCode", "ACTIVATION_LOCK_BYPASS_CODE").
			Immutable().
			Annotations(Values{
				"UNLOCK_PIN":                  "Unlocks a Mac that was locked.",
				"ERASE_PIN":                   "Unlocks a Mac that was erased.",
				"ACTIVATION_LOCK_BYPASS_CODE": "Passes the activation lock.",
			}).
			Comment("What it is for."),
		field.Bytes("value").NotEmpty().Sensitive().
			Annotations(Hidden(), Sealed{}).
			Comment("The sealed secret."),
		field.Time("revealed_at").Optional().Nillable().
			Comment("When it was last shown to somebody."),
	}
}

// Edges of DeviceSecret.
func (DeviceSecret) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("device", Device.Type).Field("device_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The device."),
	}
}

// Indexes of DeviceSecret.
func (DeviceSecret) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "device_id", "kind").Unique(),
		index.Fields("device_id", "id"),
	}
}

// Annotations of DeviceSecret.
func (DeviceSecret) Annotations() []schema.Annotation {
	return listed("mdm.view_device", "A secret that a technician may need of a device, without the secret itself.")
}
