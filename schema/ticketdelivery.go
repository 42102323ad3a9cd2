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

// TicketContent is what a delivery writes at the vendor.
type TicketContent struct {
	Title string `json:"title,omitempty"`
	Body  string `json:"body,omitempty"`
}

// TicketDelivery is one thing to do at the vendor for a ticket: create it,
// add a note, close it. Deliveries of a ticket happen in order.
type TicketDelivery struct{ ent.Schema }

// Mixin of TicketDelivery.
func (TicketDelivery) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "tkd"}}
}

// Fields of TicketDelivery.
func (TicketDelivery) Fields() []ent.Field {
	return []ent.Field{
		field.String("ticket_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The ticket that it is for."),
		field.Int("sequence").Positive().Immutable().
			Comment("Its place among the ticket's deliveries, from 1."),
		field.Enum("action").NamedValues("Create", "CREATE", "Note", "NOTE", "Close", "CLOSE", "Reopen", "REOPEN").Immutable().
			Annotations(Values{
				"CREATE": "Create the ticket.",
				"NOTE":   "Add a note.",
				"CLOSE":  "Close the ticket.",
				"REOPEN": "Put the closed ticket back to work, with a note.",
			}).
			Comment("What is done at the vendor."),
		field.Enum("state").
			NamedValues("Pending", "PENDING", "Attempting", "ATTEMPTING", "Uncertain", "UNCERTAIN", "Done", "DONE",
				"Blocked", "BLOCKED", "Dead", "DEAD", "Cancelled", "CANCELLED").
			Default("PENDING").
			Annotations(Values{
				"PENDING":    "Waiting its turn.",
				"ATTEMPTING": "The call is under way, or was when the process died.",
				"UNCERTAIN":  "The vendor may or may not have done it; it is searched for first.",
				"DONE":       "The vendor has it.",
				"BLOCKED":    "Refused by the vendor or by the configuration; it waits for a change.",
				"DEAD":       "Given up after too many attempts.",
				"CANCELLED":  "No longer wanted.",
			}).
			Comment("Attempting is committed before the call; uncertain means that the vendor may or may not have done it."),
		field.JSON("content", TicketContent{}).
			Annotations(Hidden()).
			Comment("What is written."),
		field.String("marker").NotEmpty().MaxLen(64).Immutable().
			Comment("Written with it at the vendor, so that it can be found again."),
		field.Int("attempts").Default(0).NonNegative().
			Comment("How many calls were made for it."),
		field.Int("lookups").Default(0).NonNegative().
			Comment("How often the vendor was searched for it since it became uncertain."),
		field.String("last_error").Optional().MaxLen(2000).
			Comment("What went wrong last, in the vendor's own words where there are any."),
		field.Time("not_before").Optional().Nillable().
			Comment("When it is done at the earliest; null for at once."),
		field.Time("attempted_at").Optional().Nillable().
			Comment("When the last call began."),
		field.Time("delivered_at").Optional().Nillable().
			Comment("When the vendor was known to have it."),
	}
}

// Edges of TicketDelivery.
func (TicketDelivery) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("ticket", Ticket.Type).Field("ticket_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The ticket that it is for."),
	}
}

// Indexes of TicketDelivery.
func (TicketDelivery) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "ticket_id", "sequence").Unique(),
		index.Fields("ticket_id", "id"),
		index.Fields(guard.ProviderColumn, "state", "id"),
		index.Fields("attempted_at").
			StorageKey("ticket_delivery_sent_again").Annotations(entsql.IndexWhere("attempts >= 2")),
		index.Fields("attempted_at").
			StorageKey("ticket_delivery_in_doubt").Annotations(entsql.IndexWhere("action = 'CREATE' AND (state = 'DEAD' OR state = 'CANCELLED')")),
	}
}

// Annotations of TicketDelivery.
func (TicketDelivery) Annotations() []schema.Annotation {
	return listed("ticketing.view_ticket", "One thing to do at the vendor for a ticket; a ticket's deliveries happen in order.")
}
