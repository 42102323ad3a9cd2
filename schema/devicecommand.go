package schema

import (
	"encoding/json"

	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/bailiwick/bailiwick/internal/guard"
)

// CommandError is one link of a device's error chain.
type CommandError struct {
	Code                 int    `json:"code"`
	Domain               string `json:"domain"`
	LocalizedDescription string `json:"localizedDescription,omitempty"`
	USEnglishDescription string `json:"usEnglishDescription,omitempty"`
}

// DeviceCommand is something that a device is told to do, and what it answered
// (ZE-060).
type DeviceCommand struct{ ent.Schema }

// Mixin of DeviceCommand.
func (DeviceCommand) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "dcmd"}}
}

// Fields of DeviceCommand.
func (DeviceCommand) Fields() []ent.Field {
	return []ent.Field{
		field.String("device_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The device."),
		field.String("channel_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The channel that it is for."),
		field.String("command_uuid").NotEmpty().MaxLen(64).Immutable().
			Comment("Apple's CommandUUID, by which the device reports."),
		field.String("request_type").NotEmpty().MaxLen(64).Immutable().
			Comment("Apple's name of the command, such as DeviceLock."),
		field.JSON("arguments", json.RawMessage{}).Optional().
			Annotations(Hidden()).
			Comment("What it says, as the command's own type; empty if that is secret."),
		field.Bytes("sealed_arguments").Optional().Sensitive().
			Annotations(Hidden(), Sealed{}).
			Comment("What it says, sealed, where that holds secrets."),
		field.Enum("status").
			NamedValues("Pending", "PENDING", "Sent", "SENT", "NotNow", "NOT_NOW", "Acknowledged", "ACKNOWLEDGED",
				"Error", "ERROR", "FormatError", "COMMAND_FORMAT_ERROR", "Cancelled", "CANCELLED", "Expired", "EXPIRED").
			Default("PENDING").
			Annotations(Values{
				"PENDING":              "Waiting for the device.",
				"SENT":                 "The device has it, and has not answered.",
				"NOT_NOW":              "The device cannot do it now, and asks again by itself.",
				"ACKNOWLEDGED":         "Done.",
				"ERROR":                "The device could not do it; the error chain says why.",
				"COMMAND_FORMAT_ERROR": "The device does not understand it.",
				"CANCELLED":            "Withdrawn before the device had it.",
				"EXPIRED":              "Its time ended before the device had it.",
			}).
			Comment("Where it is in its life."),
		field.Int("priority").Default(0).
			Comment("Higher goes first; among equals the older."),
		field.Time("not_before").Optional().Nillable().
			Comment("When it may be given out; null for at once."),
		field.Time("expires_at").Optional().Nillable().
			Comment("When it is no longer given out; null for never."),
		field.Time("sent_at").Optional().Nillable().
			Comment("When it was last given out."),
		field.Time("result_at").Optional().Nillable().
			Comment("When it ended: the device answered, or it was withdrawn or expired."),
		field.Int("attempts").Default(0).NonNegative().
			Comment("How often it was given out."),
		field.JSON("error_chain", []CommandError{}).Optional().
			Annotations(Hidden()).
			Comment("What went wrong, as the device says."),
		field.Bool("alert_due").Default(false).
			Annotations(Hidden()).
			Comment("Whether it has failed, and the alert is still to be raised."),
		field.Bool("inventory").Default(false).Immutable().
			Comment("Whether it only asks for inventory, and is left out of lists unless asked for."),
		field.String("job_id").Optional().Nillable().MaxLen(90).Immutable().
			Annotations(Hidden()).
			Comment("The job that follows it, where many devices were told the same; null for a command of its own."),
	}
}

// Edges of DeviceCommand.
func (DeviceCommand) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("device", Device.Type).Field("device_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The device."),
		edge.To("channel", DeviceChannel.Type).Field("channel_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The channel that it is for."),
	}
}

// Indexes of DeviceCommand.
func (DeviceCommand) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "command_uuid").Unique(),
		index.Fields("device_id", "id"),
		index.Fields(guard.ProviderColumn, "status", "id"),
		index.Fields(guard.ProviderColumn, "request_type", "id"),
		index.Fields("channel_id", "priority", "id").
			StorageKey("device_command_waiting").Annotations(entsql.IndexWhere("status = 'PENDING' OR status = 'SENT' OR status = 'NOT_NOW'")),
		index.Fields("result_at").
			StorageKey("device_command_ended").Annotations(entsql.IndexWhere("result_at IS NOT NULL")),
		index.Fields(guard.OrganizationColumn, "id").
			StorageKey("device_command_failed").Annotations(entsql.IndexWhere("alert_due")),
		index.Fields("job_id", "id").
			StorageKey("device_command_told_together").Annotations(entsql.IndexWhere("job_id IS NOT NULL")),
		index.Fields("not_before").
			StorageKey("device_command_beginning").Annotations(entsql.IndexWhere("not_before IS NOT NULL AND (status = 'PENDING' OR status = 'SENT' OR status = 'NOT_NOW')")),
		index.Fields("expires_at").
			StorageKey("device_command_ending").Annotations(entsql.IndexWhere("expires_at IS NOT NULL AND (status = 'PENDING' OR status = 'SENT' OR status = 'NOT_NOW')")),
	}
}

// Annotations of DeviceCommand.
func (DeviceCommand) Annotations() []schema.Annotation {
	return listed("mdm.view_devicecommand", "Something that a device is told to do, and what it answered (ZE-060).")
}
