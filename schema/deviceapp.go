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

// DeviceApp is an application that is installed on a device (KA-011, ZE-031).
type DeviceApp struct{ ent.Schema }

// Mixin of DeviceApp.
func (DeviceApp) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "dapp"}}
}

// Fields of DeviceApp.
func (DeviceApp) Fields() []ent.Field {
	return []ent.Field{
		field.String("device_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The device."),
		field.String("name").MaxLen(255).
			Comment("The application's name."),
		field.String("identifier").Optional().MaxLen(255).
			Comment("Its bundle identifier."),
		field.String("version").Optional().MaxLen(255).
			Comment("Its version."),
		field.String("short_version").Optional().MaxLen(255).
			Comment("Its version for people."),
		field.Float("bundle_size").Optional().Nillable().
			Comment("The size of its bundle, in bytes."),
		field.Bool("managed").Default(false).
			Comment("Whether device management has installed it."),
	}
}

// Edges of DeviceApp.
func (DeviceApp) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("device", Device.Type).Field("device_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The device."),
	}
}

// Indexes of DeviceApp.
func (DeviceApp) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("device_id", "id"),
		index.Fields(guard.OrganizationColumn, "device_id"),
		index.Fields(guard.OrganizationColumn, "identifier"),
	}
}

// Annotations of DeviceApp.
func (DeviceApp) Annotations() []schema.Annotation {
	return listed("mdm.view_device", "An application that is installed on a device (KA-011, ZE-031).")
}
