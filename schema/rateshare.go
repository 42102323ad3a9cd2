package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// RateShare counts one tenant's calls within a rate limit, so that one cannot use
// up what all share.
type RateShare struct{ ent.Schema }

// Mixin of RateShare.
func (RateShare) Mixin() []ent.Mixin { return []ent.Mixin{Base{prefix: "rshare"}} }

// Fields of RateShare.
func (RateShare) Fields() []ent.Field {
	return []ent.Field{
		field.String("key").NotEmpty().MaxLen(128).Immutable().
			Comment("The rate limit's key."),
		field.String("tenant").NotEmpty().MaxLen(90).Immutable().
			Comment("Who shares it."),
		field.JSON("window", RateWindow{}).
			Comment("The tenant's calls of late."),
		field.Int64("slice").
			Comment("The slice of its last call."),
	}
}

// Indexes of RateShare.
func (RateShare) Indexes() []ent.Index {
	return []ent.Index{index.Fields("key", "tenant").Unique(), index.Fields("key", "slice"), index.Fields("updated_at")}
}

// Annotations of RateShare.
func (RateShare) Annotations() []schema.Annotation { return []schema.Annotation{Hidden()} }
