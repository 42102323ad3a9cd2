package schema

import (
	"entgo.io/contrib/entgql"
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/bailiwick/bailiwick/internal/guard"
)

// Device is a computer, phone, tablet or set-top box of an organization.
type Device struct{ ent.Schema }

// Mixin of Device.
func (Device) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "dev"}}
}

// Fields of Device.
func (Device) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").NotEmpty().MaxLen(255).
			Annotations(entgql.OrderField("NAME")).
			Comment("The device's name."),
		field.String("serial_number").NotEmpty().MaxLen(64).
			Annotations(entgql.OrderField("SERIAL_NUMBER")).
			Comment("The maker's serial number; unique within the organization."),
		field.String("udid").Optional().MaxLen(64).
			Comment("Apple's unique device identifier."),
		field.Enum("platform").
			NamedValues("MacOS", "MACOS", "IOS", "IOS", "IPadOS", "IPADOS", "TVOS", "TVOS",
				"WatchOS", "WATCHOS", "VisionOS", "VISIONOS", "Windows", "WINDOWS", "Linux", "LINUX", "Android", "ANDROID").
			Annotations(Values{
				"MACOS":    "Apple macOS.",
				"IOS":      "Apple iOS.",
				"IPADOS":   "Apple iPadOS.",
				"TVOS":     "Apple tvOS.",
				"WATCHOS":  "Apple watchOS.",
				"VISIONOS": "Apple visionOS.",
				"WINDOWS":  "Microsoft Windows.",
				"LINUX":    "Linux.",
				"ANDROID":  "Google Android.",
			}).
			Comment("The operating system's family."),
		field.String("model").Optional().MaxLen(255).
			Comment("The model's name."),
		field.String("os_version").Optional().MaxLen(64).
			Comment("The operating system's version."),
		field.String("asset_tag").Optional().MaxLen(255).
			Comment("The organization's own inventory number."),
		field.String("model_identifier").Optional().MaxLen(64).
			Comment("Apple's identifier of the model, such as Mac15,3."),
		field.String("build_version").Optional().MaxLen(64).
			Comment("The operating system's build."),
		field.String("wifi_mac_address").Optional().MaxLen(64).
			Comment("The hardware address of its Wi-Fi, in lower case with colons."),
		field.String("ethernet_mac_address").Optional().MaxLen(64).
			Comment("The hardware address of its Ethernet, in lower case with colons."),
		field.Bool("enrolled").Default(false).
			Comment("Whether the device is under management."),
		field.Bool("supervised").Default(false).
			Comment("Whether the organization supervises the device."),
		field.Bool("user_enrollment").Default(false).
			Comment("Whether it is a person's own device, of which only work is managed."),
		field.Bool("dep_enrollment").Default(false).
			Comment("Whether it was enrolled through Automated Device Enrollment."),
		field.Bool("user_approved_enrollment").Default(false).
			Comment("Whether its user has approved the management."),
		field.Bool("apple_silicon").Optional().Nillable().
			Comment("Whether it is a Mac with Apple silicon; null if unknown or no Mac."),
		field.Bool("activation_lock_enabled").Optional().Nillable().
			Comment("Whether its activation lock is on; null if unknown."),
		field.Bool("passcode_present").Optional().Nillable().
			Comment("Whether a passcode is set; null if unknown."),
		field.Bool("disk_encryption_enabled").Optional().Nillable().
			Comment("Whether the disk is encrypted (FileVault on a Mac); null if unknown."),
		field.Bool("bootstrap_token_escrowed").Default(false).
			Comment("Whether its bootstrap token is kept here."),
		field.Time("inventory_at").Optional().Nillable().
			Comment("When its inventory was last read."),
		field.Time("first_enrolled_at").Optional().Nillable().
			Comment("When it was first enrolled."),
		field.Time("last_enrolled_at").Optional().Nillable().
			Comment("When it was last enrolled."),
		field.Time("checkout_at").Optional().Nillable().
			Comment("When it left by itself; null if it has not since it was last enrolled."),
		field.Time("blocked_at").Optional().Nillable().
			Comment("When it was blocked; null while it may enrol."),
		field.Time("missing_since").Optional().Nillable().
			Comment("Since when it counts as missing; null while it does not."),
		field.Time("reenrollment_required_at").Optional().Nillable().
			Comment("Since when it has to be enrolled again to be reached, because it listens to a push topic that was replaced; null if it need not be."),
		field.Time("certificate_not_after").Optional().Nillable().
			Comment("When its identity certificate expires."),
		field.Time("last_seen_at").Optional().Nillable().
			Comment("When the device was last heard of: to the minute, as it can call often."),
		field.Time("last_seen_on").Optional().Nillable().
			Annotations(Hidden()).
			Comment("The day of last_seen_at, in UTC: what devices are found by, and changes rarely enough for an index."),
		field.String("user_id").Optional().Nillable().
			Annotations(Hidden()).
			Comment("Who uses the device."),
	}
}

// Edges of Device.
func (Device) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("user", User.Type).Field("user_id").Unique().
			Annotations(entsql.OnDelete(entsql.SetNull)).
			Comment("Who uses the device."),
	}
}

// Indexes of Device.
func (Device) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields(guard.OrganizationColumn, "serial_number").Unique(),
		index.Fields(guard.OrganizationColumn, "name", "id"),
		index.Fields(guard.OrganizationColumn, "platform", "name", "id"),
		// Ids are unique everywhere, and UDIDs nearly so: no index of theirs for each reach.
		index.Fields("user_id", "id").Annotations(entsql.IndexWhere("user_id IS NOT NULL")),
		index.Fields(guard.ProviderColumn, "enrolled", "name", "id"),
		// Not with last_seen_at, which is written all the time: every index of the
		// row would be, too.
		index.Fields(guard.OrganizationColumn).
			StorageKey("device_enrolled").Annotations(entsql.IndexWhere("enrolled")),
		index.Fields(guard.ProviderColumn, "udid"),
		index.Fields(guard.ProviderColumn, "name", "id"),
		index.Fields(guard.ProviderColumn, "serial_number", "id"),
		// Of those that are not, there are too many for an index to be of use.
		index.Fields(guard.ProviderColumn, "supervised").
			StorageKey("device_supervised").Annotations(entsql.IndexWhere("supervised")),
		index.Fields(guard.ProviderColumn, "dep_enrollment").
			StorageKey("device_dep_enrollment").Annotations(entsql.IndexWhere("dep_enrollment")),
		index.Fields(guard.ProviderColumn, "blocked_at").
			StorageKey("device_blocked").Annotations(entsql.IndexWhere("blocked_at IS NOT NULL")),
		index.Fields(guard.ProviderColumn, "missing_since").
			StorageKey("device_missing").Annotations(entsql.IndexWhere("missing_since IS NOT NULL")),
		index.Fields(guard.ProviderColumn, "reenrollment_required_at").
			StorageKey("device_to_reenrol").Annotations(entsql.IndexWhere("reenrollment_required_at IS NOT NULL")),
		index.Fields(guard.ProviderColumn, "os_version"),
		index.Fields(guard.ProviderColumn, "model"),
		index.Fields(guard.ProviderColumn, "asset_tag").Annotations(entsql.IndexWhere("asset_tag IS NOT NULL")),
		index.Fields(guard.ProviderColumn, "created_at"),
		index.Fields(guard.ProviderColumn, "last_seen_on"),
		index.Fields(guard.ProviderColumn, "wifi_mac_address").Annotations(entsql.IndexWhere("wifi_mac_address IS NOT NULL")),
		index.Fields(guard.ProviderColumn, "ethernet_mac_address").Annotations(entsql.IndexWhere("ethernet_mac_address IS NOT NULL")),
	}
}

// Annotations of Device.
func (Device) Annotations() []schema.Annotation {
	return listed("mdm.view_device", "A computer, phone, tablet or set-top box of an organization.")
}
