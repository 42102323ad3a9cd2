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

// Ticket is an alert's ticket in the provider's ticketing system, from the
// moment that it is wanted.
type Ticket struct{ ent.Schema }

// Mixin of Ticket.
func (Ticket) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "tkt"}}
}

// Fields of Ticket.
func (Ticket) Fields() []ent.Field {
	return []ent.Field{
		field.String("integration_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The ticketing system that it goes to."),
		field.String("alert_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The alert that it was first wanted for."),
		field.String("group_key").NotEmpty().MaxLen(400).Immutable().
			Annotations(Hidden()).
			Comment("What its alerts have in common; one ticket of a group lives at a time."),
		field.Int("epoch").Default(1).Positive().Immutable().
			Annotations(Hidden()).
			Comment("Counts the tickets that the group has had."),
		field.Bool("storm").Default(false).Immutable().
			Comment("Whether it stands for the many alerts of a storm."),
		field.String("marker").NotEmpty().MaxLen(64).Immutable().
			Comment("Written into the ticket at the vendor, so that it can be found again after any failure."),
		field.Enum("status").
			NamedValues("Pending", "PENDING", "Created", "CREATED", "Closed", "CLOSED",
				"Blocked", "BLOCKED", "Failed", "FAILED", "Cancelled", "CANCELLED").
			Default("PENDING").
			Annotations(Values{
				"PENDING":   "Waiting for the vendor.",
				"CREATED":   "The vendor has it.",
				"CLOSED":    "Closed at the vendor.",
				"BLOCKED":   "The configuration keeps it from being delivered.",
				"FAILED":    "Delivery was given up.",
				"CANCELLED": "Cancelled before the vendor had it.",
			}).
			Comment("Pending until the vendor has it; blocked while the configuration keeps it from being delivered."),
		field.String("external_id").Optional().MaxLen(64).
			Comment("The ticket's id at the vendor."),
		field.String("external_number").Optional().MaxLen(64).
			Comment("The ticket's number at the vendor, as technicians know it."),
		field.String("external_url").Optional().MaxLen(1024).
			Comment("Where a technician opens it."),
		field.String("external_status").Optional().MaxLen(128).
			Comment("Its status at the vendor, as last read."),
		field.String("external_assignee").Optional().MaxLen(128).
			Comment("The vendor's id of the technician who has it, as last read."),
		field.String("initial_status").Optional().MaxLen(128).
			Annotations(Hidden()).
			Comment("The status that it was made with; another one shows that somebody works on it."),
		field.String("initial_assignee").Optional().MaxLen(128).
			Annotations(Hidden()).
			Comment("Whom it was made for; somebody else shows that somebody works on it."),
		field.Bool("started").Default(false).
			Comment("Whether a technician has started work on it."),
		field.Time("mirrored_at").Optional().Nillable().
			Comment("When it was last read at the vendor."),
		field.Time("closed_at").Optional().Nillable().
			Comment("When it was known to be closed."),
		field.Bool("closed_by_technician").Default(false).
			Comment("Whether somebody closed it at the vendor, rather than the end of its alerts."),
		field.String("external_company_id").Optional().MaxLen(64).
			Comment("The company at the vendor that it was created for."),
		field.Time("due_at").Optional().Nillable().
			Comment("When it is due."),
		field.String("last_error").Optional().MaxLen(2000).
			Comment("What went wrong last, in the vendor's own words where there are any."),
		field.Int("attempts").Default(0).NonNegative().
			Comment("How many calls to the vendor failed since the last success."),
		field.Time("next_attempt_at").Optional().Nillable().
			Comment("When delivery is tried next; null when nothing is waiting."),
		field.String("lease").Optional().MaxLen(64).
			Annotations(Hidden()).
			Comment("Which worker holds the ticket."),
		field.Time("lease_until").Optional().Nillable().
			Annotations(Hidden()).
			Comment("Until when the worker holds it."),
	}
}

// Edges of Ticket.
func (Ticket) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("integration", TicketingIntegration.Type).
			Field("integration_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The ticketing system that it goes to."),
		edge.To("alert", Alert.Type).
			Field("alert_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The alert that it was first wanted for."),
	}
}

// Indexes of Ticket.
func (Ticket) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "integration_id", "marker").Unique(),
		index.Fields(guard.OrganizationColumn, "integration_id", "group_key", "epoch").Unique(),
		index.Fields(guard.OrganizationColumn, "integration_id", "group_key").Unique().
			StorageKey("ticket_one_living_of_group").Annotations(entsql.IndexWhere("status <> 'CLOSED' AND status <> 'CANCELLED'")),
		index.Fields(guard.OrganizationColumn, "integration_id", "created_at"),
		index.Fields("integration_id", "external_id"),
		index.Fields(guard.OrganizationColumn, "alert_id"),
		index.Fields("alert_id", "id"),
		index.Fields(guard.ProviderColumn, "integration_id", "id"),
		index.Fields(guard.ProviderColumn, "status", "id"),
		index.Fields("mirrored_at").
			StorageKey("ticket_living_at_vendor").Annotations(entsql.IndexWhere("external_id <> '' AND status <> 'CLOSED' AND status <> 'CANCELLED'")),
		index.Fields(guard.OrganizationColumn, "integration_id", "next_attempt_at").
			StorageKey("ticket_due").Annotations(entsql.IndexWhere("next_attempt_at IS NOT NULL")),
	}
}

// Annotations of Ticket.
func (Ticket) Annotations() []schema.Annotation {
	return listed("ticketing.view_ticket", "An alert's ticket in the provider's ticketing system, from the moment that it is wanted.")
}
