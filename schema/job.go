package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/bailiwick/bailiwick/internal/guard"
)

// Job is long work that a user waits for.
type Job struct{ ent.Schema }

// Mixin of Job.
func (Job) Mixin() []ent.Mixin {
	return []ent.Mixin{InShared(), Base{prefix: "job"}}
}

// Fields of Job.
func (Job) Fields() []ent.Field {
	return []ent.Field{
		field.String("kind").NotEmpty().MaxLen(64).Immutable().
			Comment("What kind of work it is."),
		field.Enum("status").
			NamedValues("Queued", "QUEUED", "Running", "RUNNING", "Succeeded", "SUCCEEDED",
				"Partial", "PARTIAL", "Failed", "FAILED", "Cancelled", "CANCELLED").
			Default("QUEUED").
			Annotations(Values{
				"QUEUED":    "Waiting for a worker.",
				"RUNNING":   "Under way.",
				"SUCCEEDED": "Every step succeeded.",
				"PARTIAL":   "Some steps failed.",
				"FAILED":    "It failed.",
				"CANCELLED": "It was cancelled.",
			}).
			Comment("How far it is."),
		field.Int("total").Default(0).NonNegative().
			Comment("How many steps there are; 0 while that is unknown."),
		field.Int("done").Default(0).NonNegative().
			Comment("How many steps have ended."),
		field.Int("failed").Default(0).NonNegative().
			Comment("How many of them failed."),
		field.String("error").Optional().MaxLen(2000).
			Comment("Why it failed, for a person."),
		field.String("requested_by").Optional().MaxLen(90).Immutable().
			Comment("The administrator who asked for it."),
		field.Time("started_at").Optional().Nillable().
			Comment("When work began."),
		field.Time("finished_at").Optional().Nillable().
			Comment("When it ended."),
	}
}

// Indexes of Job.
func (Job) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.ProviderColumn, "created_at", "id"),
		index.Fields(guard.OrganizationColumn, "created_at", "id"),
	}
}

// Annotations of Job.
func (Job) Annotations() []schema.Annotation {
	return listed("job.view_job", "Long work that a user waits for.")
}
