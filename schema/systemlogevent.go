package schema

import (
	"entgo.io/contrib/entgql"
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/bailiwick/bailiwick/internal/guard"
)

// LogTarget is an object that a logged operation touched.
type LogTarget struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Op   string `json:"op,omitempty"`
	// Name is what people know it by, kept here because the object may go.
	Name string `json:"name,omitempty"`
}

// SystemLogEvent records that somebody did, or tried to do, something (OK-102).
// Rows are added and never changed.
type SystemLogEvent struct{ ent.Schema }

// Mixin of SystemLogEvent.
func (SystemLogEvent) Mixin() []ent.Mixin {
	return []ent.Mixin{InLog(), Base{prefix: "evt"}}
}

// Fields of SystemLogEvent.
func (SystemLogEvent) Fields() []ent.Field {
	return []ent.Field{
		field.Time("published").Default(now).Immutable().
			Annotations(entgql.OrderField("PUBLISHED")).
			Comment("When it happened."),
		field.String("event_type").NotEmpty().MaxLen(128).Immutable().
			Comment("The operation, such as updateOrganization."),
		field.Enum("severity").NamedValues("Debug", "DEBUG", "Info", "INFO", "Warn", "WARN", "Error", "ERROR").
			Default("INFO").Immutable().
			Annotations(Values{
				"DEBUG": "Of interest to developers.",
				"INFO":  "As expected.",
				"WARN":  "Worth a look.",
				"ERROR": "Something failed.",
			}).
			Comment("How much it matters."),
		field.Enum("outcome").NamedValues("Success", "SUCCESS", "Failure", "FAILURE", "Denied", "DENIED").Immutable().
			Annotations(Values{
				"SUCCESS": "It was done.",
				"FAILURE": "It was refused or failed; nothing changed.",
				"DENIED":  "The actor lacks the permission.",
			}).
			Comment("How it ended."),
		field.String("outcome_reason").Optional().MaxLen(255).Immutable().
			Comment("The error code, when it did not succeed."),
		field.String("actor_type").NotEmpty().MaxLen(32).Immutable().
			Comment("ADMINISTRATOR, API_KEY, SERVICE or ANONYMOUS."),
		field.String("actor_id").Optional().MaxLen(90).Immutable().
			Comment("The administrator's id."),
		field.String("actor_display_name").Optional().MaxLen(255).Immutable().
			Comment("The administrator's e-mail address, or the service's name."),
		field.String("api_key_id").Optional().MaxLen(90).Immutable().
			Comment("The API key that was used, if one was."),
		field.JSON("targets", []LogTarget{}).Optional().Immutable().
			Annotations(entgql.Type("[SystemLogTarget!]")).
			Comment("What was touched."),
		field.String("client_address").Optional().MaxLen(64).Immutable().
			Comment("The caller's network address."),
		field.String("user_agent").Optional().MaxLen(512).Immutable().
			Comment("The caller's User-Agent."),
		field.String("request_id").Optional().MaxLen(64).Immutable().
			Comment("The request's id, which leads to the server's logs and traces."),
	}
}

// Indexes of SystemLogEvent.
func (SystemLogEvent) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.ProviderColumn, "published", "id"),
		index.Fields(guard.OrganizationColumn, "published", "id"),
		index.Fields(guard.ProviderColumn, "event_type", "published"),
		index.Fields(guard.ProviderColumn, "actor_id", "published"),
	}
}

// Annotations of SystemLogEvent.
func (SystemLogEvent) Annotations() []schema.Annotation {
	return listed("audit.view_systemlogevent", "The record that somebody did, or tried to do, something (OK-102); it never changes.")
}
