package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// RateLimit counts the calls to one limited counterpart, over all replicas.
type RateLimit struct{ ent.Schema }

// Mixin of RateLimit.
func (RateLimit) Mixin() []ent.Mixin { return []ent.Mixin{Base{prefix: "rate"}} }

// Fields of RateLimit.
func (RateLimit) Fields() []ent.Field {
	return []ent.Field{
		field.String("key").NotEmpty().MaxLen(128).Immutable().
			Comment("What is limited, such as an account at a vendor; a digest where that is a secret."),
		field.Time("window_started_at").
			Comment("When counting began."),
		field.Int("used").Default(0).NonNegative().
			Comment("Calls in the window."),
		field.Time("paused_until").Optional().Nillable().
			Comment("Until when the counterpart wants no calls."),
	}
}

// Indexes of RateLimit.
func (RateLimit) Indexes() []ent.Index {
	return []ent.Index{index.Fields("key").Unique(), index.Fields("updated_at")}
}

// Annotations of RateLimit.
func (RateLimit) Annotations() []schema.Annotation { return []schema.Annotation{Hidden()} }
