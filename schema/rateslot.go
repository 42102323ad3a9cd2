package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// RateSlot is one of the calls that a counterpart allows at the same time, over
// all replicas.
type RateSlot struct{ ent.Schema }

// Mixin of RateSlot.
func (RateSlot) Mixin() []ent.Mixin { return []ent.Mixin{Base{prefix: "rslot"}} }

// Fields of RateSlot.
func (RateSlot) Fields() []ent.Field {
	return []ent.Field{
		field.String("key").NotEmpty().MaxLen(128).Immutable().
			Comment("What is limited."),
		field.Int("number").Positive().Immutable().
			Comment("Its number, from 1."),
		field.String("holder").Optional().MaxLen(64).
			Comment("Who holds it."),
		field.Time("held_until").Optional().Nillable().
			Comment("Until when it is held, should its holder not give it back."),
	}
}

// Indexes of RateSlot.
func (RateSlot) Indexes() []ent.Index {
	return []ent.Index{index.Fields("key", "number").Unique(), index.Fields("updated_at")}
}

// Annotations of RateSlot.
func (RateSlot) Annotations() []schema.Annotation { return []schema.Annotation{Hidden()} }
