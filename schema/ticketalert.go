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

// TicketAlert says that a ticket is about an alert. A ticket of a group is about
// several.
type TicketAlert struct{ ent.Schema }

// Mixin of TicketAlert.
func (TicketAlert) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "tka"}}
}

// Fields of TicketAlert.
func (TicketAlert) Fields() []ent.Field {
	return []ent.Field{
		field.String("ticket_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The ticket."),
		field.String("alert_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The alert."),
		field.Time("noted_at").Optional().Nillable().
			Comment("When the ticket's text or a note was to name the alert; null while that waits for the next batch of notes."),
		field.Time("ended_at").Optional().Nillable().
			Comment("When the alert was over; null while it keeps the ticket open."),
	}
}

// Edges of TicketAlert.
func (TicketAlert) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("ticket", Ticket.Type).Field("ticket_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The ticket."),
		edge.To("alert", Alert.Type).Field("alert_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The alert."),
	}
}

// Indexes of TicketAlert.
func (TicketAlert) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "ticket_id", "alert_id").Unique(),
		index.Fields("ticket_id", "id"),
		index.Fields("alert_id", "id"),
		index.Fields("ticket_id").
			StorageKey("ticket_alert_to_be_noted").Annotations(entsql.IndexWhere("noted_at IS NULL")),
		index.Fields("ticket_id", "alert_id").
			StorageKey("ticket_alert_open").Annotations(entsql.IndexWhere("ended_at IS NULL")),
	}
}

// Annotations of TicketAlert.
func (TicketAlert) Annotations() []schema.Annotation {
	return listed("ticketing.view_ticket", "An alert that a ticket is about; a ticket of a group is about several.")
}
