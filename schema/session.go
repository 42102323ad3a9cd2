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

// Session is one sign-in of an administrator and the refresh token that keeps
// it alive. The token changes at each use; an old one presented again ends it.
type Session struct{ ent.Schema }

// Mixin of Session.
func (Session) Mixin() []ent.Mixin {
	return []ent.Mixin{InProvider(), Base{prefix: "ses"}}
}

// Fields of Session.
func (Session) Fields() []ent.Field {
	return []ent.Field{
		field.String("administrator_id").NotEmpty().Immutable().
			Comment("Who signed in."),
		field.Bytes("refresh_hash").NotEmpty().Sensitive().
			Comment("The hash of the current refresh token."),
		field.Bytes("previous_hash").Optional().Nillable().Sensitive().
			Comment("The hash of the token before it: its return means theft."),
		field.Bool("pending").Default(false).
			Comment("Whether the second factor is still owed."),
		field.Time("expires_at").
			Comment("When the session ends unless it is refreshed."),
		field.Time("revoked_at").Optional().Nillable().
			Comment("When it was ended."),
		field.String("client_address").Optional().MaxLen(64).
			Comment("Where the sign-in came from."),
		field.String("user_agent").Optional().MaxLen(512).
			Comment("What the sign-in came from."),
	}
}

// Edges of Session.
func (Session) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("administrator", Administrator.Type).
			Field("administrator_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("Who signed in."),
	}
}

// Indexes of Session.
func (Session) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("refresh_hash").Unique(),
		index.Fields("previous_hash"),
		index.Fields(guard.ProviderColumn, "administrator_id"),
		index.Fields("expires_at"),
	}
}

// Annotations of Session.
func (Session) Annotations() []schema.Annotation { return []schema.Annotation{Hidden()} }
