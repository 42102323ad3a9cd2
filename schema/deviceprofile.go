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

// DeviceProfile is a configuration profile that is installed on a device (ZE-031).
type DeviceProfile struct{ ent.Schema }

// Mixin of DeviceProfile.
func (DeviceProfile) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "dpro"}}
}

// Fields of DeviceProfile.
func (DeviceProfile) Fields() []ent.Field {
	return []ent.Field{
		field.String("device_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The device."),
		field.String("identifier").NotEmpty().MaxLen(255).
			Comment("The profile's identifier."),
		field.String("uuid").Optional().MaxLen(64).
			Comment("The profile's UUID."),
		field.String("name").Optional().MaxLen(255).
			Comment("Its name for people."),
		field.String("profile_organization").Optional().MaxLen(255).
			Comment("Who made it."),
		field.Bool("managed").Default(false).
			Comment("Whether device management has installed it."),
		field.Bool("removal_disallowed").Default(false).
			Comment("Whether its removal is forbidden."),
		field.Bool("encrypted").Default(false).
			Comment("Whether it was encrypted."),
	}
}

// Edges of DeviceProfile.
func (DeviceProfile) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("device", Device.Type).Field("device_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The device."),
	}
}

// Indexes of DeviceProfile.
func (DeviceProfile) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("device_id", "id"),
		index.Fields(guard.OrganizationColumn, "device_id"),
	}
}

// Annotations of DeviceProfile.
func (DeviceProfile) Annotations() []schema.Annotation {
	return listed("mdm.view_device", "A configuration profile that is installed on a device (ZE-031).")
}
