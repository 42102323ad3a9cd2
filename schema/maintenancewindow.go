package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/bailiwick/bailiwick/internal/guard"
)

// MaintenanceWindow is a time in which an organization's alerts become no
// tickets: what is still wrong at its end becomes one then.
type MaintenanceWindow struct{ ent.Schema }

// Mixin of MaintenanceWindow.
func (MaintenanceWindow) Mixin() []ent.Mixin {
	return []ent.Mixin{InOrganization(), Base{prefix: "mnt"}}
}

// Fields of MaintenanceWindow.
func (MaintenanceWindow) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").NotEmpty().MaxLen(255).
			Comment("What is done in it."),
		field.Time("starts_at").
			Comment("When it begins."),
		field.Time("ends_at").
			Comment("When it ends; after its begin, by at most 31 days."),
	}
}

// Indexes of MaintenanceWindow.
func (MaintenanceWindow) Indexes() []ent.Index {
	return []ent.Index{index.Fields(guard.OrganizationColumn, "ends_at"), index.Fields(guard.ProviderColumn, "ends_at", "id")}
}

// Annotations of MaintenanceWindow.
func (MaintenanceWindow) Annotations() []schema.Annotation {
	return listed("ticketing.view_maintenancewindow", "A time in which an organization's alerts become no tickets; what is still wrong at its end becomes one then.")
}
