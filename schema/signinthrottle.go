package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// SignInThrottle counts failed sign-ins of an account or an address.
type SignInThrottle struct{ ent.Schema }

// Mixin of SignInThrottle.
func (SignInThrottle) Mixin() []ent.Mixin { return []ent.Mixin{Base{prefix: "thr"}} }

// Fields of SignInThrottle.
func (SignInThrottle) Fields() []ent.Field {
	return []ent.Field{
		field.String("subject").NotEmpty().MaxLen(128).Immutable().
			Comment("A hash of the account or the address."),
		field.Int("failures").Default(0).
			Comment("Failures since the last success or the window's begin."),
		field.Time("window_started_at").
			Comment("When counting began."),
		field.Time("blocked_until").Optional().Nillable().
			Comment("Until when attempts are refused."),
	}
}

// Indexes of SignInThrottle.
func (SignInThrottle) Indexes() []ent.Index {
	return []ent.Index{index.Fields("subject").Unique(), index.Fields("updated_at")}
}

// Annotations of SignInThrottle.
func (SignInThrottle) Annotations() []schema.Annotation { return []schema.Annotation{Hidden()} }
