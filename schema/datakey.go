package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// DataKey is a tenant's keyset, wrapped under the master key.
type DataKey struct{ ent.Schema }

// Mixin of DataKey.
func (DataKey) Mixin() []ent.Mixin { return []ent.Mixin{Base{prefix: "dk"}} }

// Fields of DataKey.
func (DataKey) Fields() []ent.Field {
	return []ent.Field{
		field.String("tenant").NotEmpty().MaxLen(90).Immutable().
			Comment("The organization or provider whose secrets it opens."),
		field.Bytes("wrapped").NotEmpty().Sensitive().
			Comment("The keyset, wrapped under the master key."),
		field.Int64("version").Default(1).
			Comment("Counts replacements."),
	}
}

// Indexes of DataKey.
func (DataKey) Indexes() []ent.Index { return []ent.Index{index.Fields("tenant").Unique()} }

// Annotations of DataKey.
func (DataKey) Annotations() []schema.Annotation { return []schema.Annotation{Hidden()} }
