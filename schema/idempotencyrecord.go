package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/bailiwick/bailiwick/internal/guard"
)

// IdempotencyRecord remembers a mutation that carried an Idempotency-Key, so
// that a repeat answers the first result.
type IdempotencyRecord struct{ ent.Schema }

// Mixin of IdempotencyRecord.
func (IdempotencyRecord) Mixin() []ent.Mixin {
	return []ent.Mixin{InProvider(), Base{prefix: "idem"}}
}

// Fields of IdempotencyRecord.
func (IdempotencyRecord) Fields() []ent.Field {
	return []ent.Field{
		field.String("principal").NotEmpty().MaxLen(200).Immutable().
			Comment("Who sent it: the administrator, and the key if one was used."),
		field.String("key").NotEmpty().MaxLen(255).Immutable().
			Comment("The Idempotency-Key, and the position in the document."),
		field.Bytes("request_hash").NotEmpty().Immutable().
			Comment("The hash of operation, variables and organization, so that a key is not used for two things."),
		field.Bytes("result").Optional().Nillable().Sensitive().
			Annotations(Sealed{}).
			Comment("The sealed response; null while the first request is under way."),
		field.Time("expires_at").
			Comment("When the record is forgotten."),
	}
}

// Indexes of IdempotencyRecord.
func (IdempotencyRecord) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.ProviderColumn, "principal", "key").Unique(),
		index.Fields("expires_at"),
	}
}

// Annotations of IdempotencyRecord.
func (IdempotencyRecord) Annotations() []schema.Annotation { return []schema.Annotation{Hidden()} }
