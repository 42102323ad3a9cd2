package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// RateWindow counts calls over time, in slices of equal length.
type RateWindow struct {
	Slice  int64 `json:"slice"`  // the number of the newest slice, counted from 1970
	Counts []int `json:"counts"` // the calls in it and in those before, newest first
}

// RateLimit counts the calls to one limited counterpart, over all replicas.
type RateLimit struct{ ent.Schema }

// Mixin of RateLimit.
func (RateLimit) Mixin() []ent.Mixin { return []ent.Mixin{Base{prefix: "rate"}} }

// Fields of RateLimit.
func (RateLimit) Fields() []ent.Field {
	return []ent.Field{
		field.String("key").NotEmpty().MaxLen(128).Immutable().
			Comment("What is limited, such as an account at a vendor; a digest where that is a secret."),
		field.JSON("window", RateWindow{}).
			Comment("The calls of late."),
		field.Time("paused_until").Optional().Nillable().
			Comment("Until when the counterpart wants no calls."),
		field.Int("budget").Optional().Nillable().NonNegative().
			Comment("How many calls a window may have, where others' use of the account leaves fewer than usual."),
		field.Time("measured_at").Optional().Nillable().
			Comment("When others' use was last asked for."),
		field.Int("unmeasured").Default(0).NonNegative().
			Comment("Calls since then."),
	}
}

// Indexes of RateLimit.
func (RateLimit) Indexes() []ent.Index {
	return []ent.Index{index.Fields("key").Unique(), index.Fields("updated_at")}
}

// Annotations of RateLimit.
func (RateLimit) Annotations() []schema.Annotation { return []schema.Annotation{Hidden()} }
