package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// SigningKey is a key pair that access tokens are signed with.
type SigningKey struct{ ent.Schema }

// Mixin of SigningKey.
func (SigningKey) Mixin() []ent.Mixin { return []ent.Mixin{Base{prefix: "sig"}} }

// Fields of SigningKey.
func (SigningKey) Fields() []ent.Field {
	return []ent.Field{
		field.String("kid").NotEmpty().MaxLen(64).Immutable().
			Comment("The key id that tokens carry."),
		field.String("state").NotEmpty().MaxLen(16).
			Comment("Where the key is in its life."),
		field.Bytes("public_key").NotEmpty().Immutable().
			Comment("The Ed25519 public key."),
		field.Bytes("private_key").NotEmpty().Sensitive().
			Annotations(Sealed{}).
			Comment("The sealed Ed25519 private key."),
		field.Time("activated_at").Optional().Nillable().
			Comment("When it began to sign."),
		field.Time("retired_at").Optional().Nillable().
			Comment("When it ceased to sign."),
	}
}

// Indexes of SigningKey.
func (SigningKey) Indexes() []ent.Index { return []ent.Index{index.Fields("kid").Unique()} }

// Annotations of SigningKey.
func (SigningKey) Annotations() []schema.Annotation { return []schema.Annotation{Hidden()} }
