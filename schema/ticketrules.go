package schema

// TicketRules says how tickets live. What is nil is inherited: an organization's
// configuration of an alert type inherits from the provider's, that one from
// the integration, and the integration from what the service does by itself.
type TicketRules struct {
	// Recovery is what becomes of a ticket whose alerts are over: CLOSE,
	// CLOSE_UNLESS_STARTED (a technician's work is left alone; a note is added)
	// or NOTE.
	Recovery *string `json:"recovery,omitempty"`
	// Grouping is what shares one ticket: an ALERT's incident, or all alerts of a
	// DEVICE, a USER or the ORGANIZATION.
	Grouping *string `json:"grouping,omitempty"`
	// ReopenDays is for how many days after its end a ticket is reopened rather
	// than another one made; 0 always makes another.
	ReopenDays *int `json:"reopenDays,omitempty"`
	// SettleMinutes is how long an alert lasts before it becomes a ticket.
	SettleMinutes *int `json:"settleMinutes,omitempty"`
	// FlapCount is how many incidents of one condition within FlapMinutes make it
	// flapping: its ticket then stays open until that long has passed in peace. 0
	// is never.
	FlapCount   *int `json:"flapCount,omitempty"`
	FlapMinutes *int `json:"flapMinutes,omitempty"`
	// PublicNotes lets the customer read what is written into the ticket.
	PublicNotes *bool `json:"publicNotes,omitempty"`
	// TitleTemplate and BodyTemplate are texts with {{placeholders}}.
	TitleTemplate *string `json:"titleTemplate,omitempty"`
	BodyTemplate  *string `json:"bodyTemplate,omitempty"`
}
