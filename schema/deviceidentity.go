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

// DeviceIdentity is a certificate that the organization's authority gave to a
// device.
type DeviceIdentity struct{ ent.Schema }

// Mixin of DeviceIdentity.
func (DeviceIdentity) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "did"}}
}

// Fields of DeviceIdentity.
func (DeviceIdentity) Fields() []ent.Field {
	return []ent.Field{
		field.String("enrollment_id").Optional().Nillable().Immutable().
			Annotations(Hidden()).
			Comment("The enrollment that it was given for."),
		field.String("device_id").Optional().Nillable().
			Annotations(Hidden()).
			Comment("The device that uses it; null until it first checks in."),
		field.String("user_id").Optional().Nillable().
			Annotations(Hidden()).
			Comment("The person whose own device it is; null for a device of the organization."),
		field.String("fingerprint").NotEmpty().MaxLen(64).Immutable().
			Comment("The SHA-256 of the certificate, in hexadecimal."),
		field.String("serial_number").NotEmpty().MaxLen(64).Immutable().
			Comment("The certificate's serial number, in hexadecimal."),
		field.String("common_name").NotEmpty().MaxLen(255).Immutable().
			Comment("The certificate's common name."),
		field.Time("not_before").Immutable().
			Comment("From when it is valid."),
		field.Time("not_after").Immutable().
			Comment("When it expires."),
		field.Time("revoked_at").Optional().Nillable().
			Comment("When it was revoked; null while it is accepted."),
	}
}

// Edges of DeviceIdentity.
func (DeviceIdentity) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("enrollment", Enrollment.Type).Field("enrollment_id").Unique().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The enrollment that it was given for."),
		edge.To("device", Device.Type).Field("device_id").Unique().
			Annotations(entsql.OnDelete(entsql.SetNull)).
			Comment("The device that uses it."),
		edge.To("user", User.Type).Field("user_id").Unique().
			Annotations(entsql.OnDelete(entsql.SetNull)).
			Comment("The person whose own device it is; null for a device of the organization."),
	}
}

// Indexes of DeviceIdentity.
func (DeviceIdentity) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "fingerprint").Unique(),
		index.Fields("device_id", "id").Annotations(entsql.IndexWhere("device_id IS NOT NULL")),
		index.Fields("enrollment_id", "id").Annotations(entsql.IndexWhere("enrollment_id IS NOT NULL")),
		index.Fields("user_id", "id").Annotations(entsql.IndexWhere("user_id IS NOT NULL")),
	}
}

// Annotations of DeviceIdentity.
func (DeviceIdentity) Annotations() []schema.Annotation {
	return listed("mdm.view_device", "A certificate that the organization's authority gave to a device.")
}
