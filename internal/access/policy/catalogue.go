// Package policy decides which role may do what: the catalogue of permissions,
// the built-in roles, and an engine per provider that asks Casbin (RBAC with
// domains) once per role and answers from the compiled decisions.
//
// Which role an administrator has in an organization is not known here: callers
// look it up and ask about the role.
package policy

import (
	"slices"
	"strings"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// Permission names an act as context.verb_object, such as mdm.change_device.
// The names are API: never renamed, never reused.
type Permission string

// Object is what is acted on, with its context: mdm.device.
func (p Permission) Object() string {
	context, rest, _ := strings.Cut(string(p), ".")
	_, object, _ := strings.Cut(rest, "_")
	return context + "." + object
}

// Action is the verb: change.
func (p Permission) Action() string {
	_, rest, _ := strings.Cut(string(p), ".")
	verb, _, _ := strings.Cut(rest, "_")
	return verb
}

// Level says where a permission is asked for.
type Level string

// The levels.
const (
	ProviderLevel     Level = "PROVIDER"     // at the provider only: it concerns all organizations
	OrganizationLevel Level = "ORGANIZATION" // in an organization, or at the provider for all of them
)

// Entry is a permission of the catalogue.
type Entry struct {
	Permission  Permission
	Level       Level
	Description string
}

// Reserved reports whether only Administrator With Billing may hold the
// permission: those that manage administrators, organizations, integrations and
// API access are, which is all that changes something at provider level.
func (e Entry) Reserved() bool {
	return e.Level == ProviderLevel && e.Permission.Action() != "view"
}

// catalogue is constant. To add a permission, add its line; TestRoles then asks
// to confirm which roles got it.
var catalogue = [...]Entry{
	{"tenancy.view_provider", ProviderLevel, "See the provider and its settings"},
	{"tenancy.change_provider", ProviderLevel, "Change the provider's settings"},
	{"tenancy.view_organization", OrganizationLevel, "See an organization and its settings"},
	{"tenancy.add_organization", ProviderLevel, "Create organizations"},
	{"tenancy.change_organization", ProviderLevel, "Change an organization and its settings"},
	{"tenancy.suspend_organization", ProviderLevel, "Suspend and reactivate organizations"},
	{"tenancy.delete_organization", ProviderLevel, "Delete organizations with everything in them"},

	{"access.view_administrator", ProviderLevel, "See the provider's administrators"},
	{"access.add_administrator", ProviderLevel, "Create administrators"},
	{"access.change_administrator", ProviderLevel, "Change administrators, suspend them, turn their API access on or off"},
	{"access.delete_administrator", ProviderLevel, "Delete administrators"},
	{"access.view_organizationlink", ProviderLevel, "See who has access to which organization, with which role"},
	{"access.change_organizationlink", ProviderLevel, "Grant and revoke access to organizations"},
	{"access.view_role", OrganizationLevel, "See roles and their permissions"},
	{"access.add_role", OrganizationLevel, "Create roles"},
	{"access.change_role", OrganizationLevel, "Change roles"},
	{"access.delete_role", OrganizationLevel, "Delete roles"},
	{"access.view_apikey", ProviderLevel, "See other administrators' API keys, never their secrets"},
	{"access.add_apikey", ProviderLevel, "Create API keys"},
	{"access.delete_apikey", ProviderLevel, "Revoke API keys"},

	{"audit.view_systemlogevent", OrganizationLevel, "Read the system log"},

	{"job.view_job", OrganizationLevel, "See jobs, their progress and results"},
	{"job.cancel_job", OrganizationLevel, "Cancel jobs"},

	{"directory.view_user", OrganizationLevel, "See users"},
	{"directory.add_user", OrganizationLevel, "Create users"},
	{"directory.change_user", OrganizationLevel, "Change users, unlock them, reset their passwords and factors"},
	{"directory.delete_user", OrganizationLevel, "Delete users"},

	{"mdm.view_device", OrganizationLevel, "See devices and what they report"},
	{"mdm.add_device", OrganizationLevel, "Enrol devices"},
	{"mdm.change_device", OrganizationLevel, "Change devices and what is assigned to them"},
	{"mdm.delete_device", OrganizationLevel, "Delete devices"},
	{"mdm.view_devicecommand", OrganizationLevel, "See the commands sent to devices, and their results"},
	{"mdm.add_devicecommand", OrganizationLevel, "Send commands to devices"},
	{"mdm.change_devicecommand", OrganizationLevel, "Cancel commands to devices"},
	{"mdm.reveal_devicesecret", OrganizationLevel, "Have devices' PINs and codes shown; every time is logged"},
	{"mdm.view_applemdm", OrganizationLevel, "See an organization's Apple device management, never its keys"},
	{"mdm.add_applemdm", OrganizationLevel, "Set up an organization's Apple device management"},
	{"mdm.change_applemdm", OrganizationLevel, "Change an organization's Apple device management and its push certificate"},
	{"mdm.delete_applemdm", OrganizationLevel, "Delete an organization's Apple device management: every device has to be enrolled again"},
	{"mdm.view_enrollment", OrganizationLevel, "See the ways into device management"},
	{"mdm.add_enrollment", OrganizationLevel, "Make ways into device management"},
	{"mdm.change_enrollment", OrganizationLevel, "Change, rotate and revoke ways into device management"},

	{"alert.view_alert", OrganizationLevel, "See alerts"},
	{"alert.raise_alert", OrganizationLevel, "Raise alerts"},
	{"alert.change_alert", OrganizationLevel, "Acknowledge and resolve alerts"},

	{"ticketing.view_integration", ProviderLevel, "See the ticketing integrations, never their secrets"},
	{"ticketing.add_integration", ProviderLevel, "Connect ticketing systems"},
	{"ticketing.change_integration", ProviderLevel, "Change ticketing integrations and their secrets"},
	{"ticketing.delete_integration", ProviderLevel, "Disconnect ticketing systems"},
	{"ticketing.view_alertconfiguration", ProviderLevel, "See which alerts become tickets, and how"},
	{"ticketing.change_alertconfiguration", ProviderLevel, "Decide which alerts become tickets, and how"},
	{"ticketing.view_companymapping", ProviderLevel, "See which organization is which company of the ticketing system"},
	{"ticketing.change_companymapping", ProviderLevel, "Map organizations to companies of the ticketing system"},
	{"ticketing.view_ticket", OrganizationLevel, "See tickets and their delivery"},
	{"ticketing.change_ticket", OrganizationLevel, "Retry and close tickets"},
	{"ticketing.view_billing", ProviderLevel, "See how usage is billed through the ticketing system"},
	{"ticketing.change_billing", ProviderLevel, "Decide how usage is billed through the ticketing system"},
	{"ticketing.view_maintenancewindow", OrganizationLevel, "See when alerts become no tickets"},
	{"ticketing.add_maintenancewindow", OrganizationLevel, "Plan times in which alerts become no tickets"},
	{"ticketing.change_maintenancewindow", OrganizationLevel, "Change times in which alerts become no tickets"},
	{"ticketing.delete_maintenancewindow", OrganizationLevel, "End times in which alerts become no tickets"},
}

// words of the bitset of a role's permissions.
const words = (len(catalogue) + 63) / 64

// Catalogue lists every permission, grouped by context.
func Catalogue() []Entry { return slices.Clone(catalogue[:]) }

// Find returns a permission's entry; ok is false for one that does not exist.
func Find(p Permission) (entry Entry, ok bool) {
	for _, e := range &catalogue {
		if e.Permission == p {
			return e, true
		}
	}
	return Entry{}, false
}

// CheckPermissions judges the permissions of a custom role at the provider, or
// in an organization. The fault names field, the input's path.
func CheckPermissions(field string, level Level, permissions []Permission) error {
	seen := map[Permission]bool{}
	for _, p := range permissions {
		entry, ok := Find(p)
		switch {
		case !ok:
			return fault.Invalid(field, "there is no permission %q", string(p))
		case seen[p]:
			return fault.Invalid(field, "%s is listed twice", p)
		case entry.Reserved():
			return fault.Invalid(field, "%s is reserved for Administrator With Billing", p)
		case level == OrganizationLevel && entry.Level == ProviderLevel:
			return fault.Invalid(field, "%s concerns all organizations; a role in one cannot have it", p)
		}
		seen[p] = true
	}
	return nil
}
