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

// DeviceChannel is a managed channel: a device's own, or that of a person who is
// signed in on it. It holds what notifying and recognizing it takes.
type DeviceChannel struct{ ent.Schema }

// Mixin of DeviceChannel.
func (DeviceChannel) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "dch"}}
}

// Fields of DeviceChannel.
func (DeviceChannel) Fields() []ent.Field {
	return []ent.Field{
		field.String("device_id").NotEmpty().Immutable().
			Annotations(Hidden()).
			Comment("The device."),
		field.String("key").NotEmpty().MaxLen(128).Immutable().
			Comment("What its messages carry: the UDID or enrollment id, and for a person the user id after a colon."),
		field.Enum("kind").NamedValues("Device", "DEVICE", "User", "USER").Default("DEVICE").Immutable().
			Annotations(Values{"DEVICE": "The device's own.", "USER": "A person's on it."}).
			Comment("Whose channel it is."),
		field.Enum("status").
			NamedValues("Authenticated", "AUTHENTICATED", "Enrolled", "ENROLLED", "CheckedOut", "CHECKED_OUT", "Removed", "REMOVED").
			Default("AUTHENTICATED").
			Annotations(Values{
				"AUTHENTICATED": "It has asked to be managed, and cannot be notified yet.",
				"ENROLLED":      "It is managed.",
				"CHECKED_OUT":   "It has left by itself.",
				"REMOVED":       "It was released.",
			}).
			Comment("Where it is in its life."),
		field.String("user_name").Optional().MaxLen(255).
			Comment("The person's short name."),
		field.String("fingerprint").Optional().MaxLen(64).
			Annotations(Hidden()).
			Comment("The fingerprint of the identity that it uses."),
		field.String("topic").Optional().MaxLen(255).
			Comment("The push topic that it listens on."),
		field.Bytes("push_token").Optional().
			Annotations(Hidden()).
			Comment("Apple's token for it."),
		field.String("push_magic").Optional().MaxLen(255).
			Annotations(Hidden()).
			Comment("What a notification must say."),
		field.Bool("push_dead").Default(false).
			Comment("Whether Apple says that the token is no longer valid."),
		field.Time("push_wanted_at").Optional().Nillable().
			Annotations(Hidden()).
			Comment("Since when it is to be notified; null if it is not."),
		field.Time("pushed_at").Optional().Nillable().
			Comment("When it was last notified."),
		field.Time("last_seen_at").Optional().Nillable().
			Comment("When it last spoke."),
		field.Int64("signed_second").Default(0).
			Annotations(Hidden()).
			Comment("When what it last spoke was signed, in seconds since 1970 by its own clock; zero if that is not known."),
		field.Time("next_inventory_at").Optional().Nillable().
			Annotations(Hidden()).
			Comment("When its inventory is asked for next."),
		field.Time("arrived_at").Optional().Nillable().
			Annotations(Hidden()).
			Comment("When its device completed an enrolment that is still to be seen to; null if none is."),
		field.Bool("awaiting_configuration").Default(false).
			Comment("Whether it waits in Setup Assistant to be released."),
		field.Bytes("unlock_token").Optional().Sensitive().
			Annotations(Hidden(), Sealed{}).
			Comment("The sealed token that clears its passcode."),
		field.Bytes("bootstrap_token").Optional().Sensitive().
			Annotations(Hidden(), Sealed{}).
			Comment("The sealed bootstrap token."),
	}
}

// Edges of DeviceChannel.
func (DeviceChannel) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("device", Device.Type).Field("device_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Cascade)).
			Comment("The device."),
	}
}

// Indexes of DeviceChannel.
func (DeviceChannel) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "key").Unique(),
		index.Fields("device_id", "id"),
		index.Fields("push_wanted_at").
			StorageKey("device_channel_to_be_notified").Annotations(entsql.IndexWhere("push_wanted_at IS NOT NULL")),
		index.Fields(guard.OrganizationColumn, "arrived_at").
			StorageKey("device_channel_arrived").Annotations(entsql.IndexWhere("arrived_at IS NOT NULL")),
		index.Fields("next_inventory_at").
			StorageKey("device_channel_to_be_inventoried").Annotations(entsql.IndexWhere("next_inventory_at IS NOT NULL")),
	}
}

// Annotations of DeviceChannel.
func (DeviceChannel) Annotations() []schema.Annotation {
	return listed("mdm.view_device", "A managed channel: a device's own, or that of a person who is signed in on it.")
}
