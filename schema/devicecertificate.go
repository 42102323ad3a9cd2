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

// DeviceCertificate is a certificate that is installed on a device (ZE-031).
type DeviceCertificate struct{ ent.Schema }

// Mixin of DeviceCertificate.
func (DeviceCertificate) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "dcrt"}}
}

// Fields of DeviceCertificate.
func (DeviceCertificate) Fields() []ent.Field {
	return []ent.Field{
		field.String("device_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The device."),
		field.String("common_name").MaxLen(255).
			Comment("The certificate's common name."),
		field.Bool("is_identity").Default(false).
			Comment("Whether the device has its key."),
		field.String("fingerprint").NotEmpty().MaxLen(64).
			Comment("The SHA-256 of the certificate, in hexadecimal."),
		field.Time("not_after").Optional().Nillable().
			Comment("When it expires."),
	}
}

// Edges of DeviceCertificate.
func (DeviceCertificate) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("device", Device.Type).Field("device_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The device."),
	}
}

// Indexes of DeviceCertificate.
func (DeviceCertificate) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("device_id", "id"),
		index.Fields(guard.OrganizationColumn, "device_id"),
	}
}

// Annotations of DeviceCertificate.
func (DeviceCertificate) Annotations() []schema.Annotation {
	return listed("mdm.view_device", "A certificate that is installed on a device (ZE-031).")
}
