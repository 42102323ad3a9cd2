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

// DeviceOsUpdate is an update of a device's operating system: offered, or under way (JC-026).
type DeviceOsUpdate struct{ ent.Schema }

// Mixin of DeviceOsUpdate.
func (DeviceOsUpdate) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "dosu"}}
}

// Fields of DeviceOsUpdate.
func (DeviceOsUpdate) Fields() []ent.Field {
	return []ent.Field{
		field.String("device_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The device."),
		field.String("product_key").NotEmpty().MaxLen(255).
			Comment("Apple's key of the update."),
		field.String("name").Optional().MaxLen(255).
			Comment("The update's name for people."),
		field.String("version").Optional().MaxLen(64).
			Comment("The version that it leads to."),
		field.String("build").Optional().MaxLen(64).
			Comment("The build that it leads to."),
		field.Bool("is_critical").Default(false).
			Comment("Whether Apple calls it critical."),
		field.Bool("restart_required").Default(false).
			Comment("Whether it takes a restart."),
		field.String("status").Optional().MaxLen(64).
			Comment("How far it is, in Apple's words, such as Downloading; empty if it is only offered."),
		field.Float("percent_downloaded").Optional().Nillable().
			Comment("How much is downloaded, from 0 to 1."),
		field.Bool("is_downloaded").Default(false).
			Comment("Whether all of it is downloaded."),
	}
}

// Edges of DeviceOsUpdate.
func (DeviceOsUpdate) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("device", Device.Type).Field("device_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The device."),
	}
}

// Indexes of DeviceOsUpdate.
func (DeviceOsUpdate) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "device_id", "product_key").Unique(),
		index.Fields("device_id", "id"),
	}
}

// Annotations of DeviceOsUpdate.
func (DeviceOsUpdate) Annotations() []schema.Annotation {
	return listed("mdm.view_device", "An update of a device's operating system: offered, or under way (JC-026).")
}
