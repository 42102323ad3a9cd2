package policy

import "path"

// Key identifies a built-in role. It is API: never renamed, never reused.
type Key string

// The built-in roles.
const (
	AdministratorWithBilling Key = "ADMINISTRATOR_WITH_BILLING"
	Administrator            Key = "ADMINISTRATOR"
	Manager                  Key = "MANAGER"
	CommandRunnerWithBilling Key = "COMMAND_RUNNER_WITH_BILLING"
	CommandRunner            Key = "COMMAND_RUNNER"
	HelpDesk                 Key = "HELP_DESK"
	ReadOnly                 Key = "READ_ONLY"
)

// BuiltIn is a role that every provider has.
type BuiltIn struct {
	Key         Key
	Name        string
	Description string

	// Grants are patterns over permissions, in which * stands for any run of
	// letters: a new permission falls to the roles whose patterns it matches.
	Grants []string
}

// BuiltIns lists the built-in roles, the most powerful first. Billing has no
// permissions in the catalogue; the roles that may see it already grant billing.*,
// so that adding one is a line of the catalogue and nothing else.
func BuiltIns() []BuiltIn {
	runner := []string{
		"tenancy.view_*", "mdm.view_*", "mdm.add_devicecommand", "alert.view_*", "job.view_*",
	}
	return []BuiltIn{
		{
			AdministratorWithBilling, "Administrator With Billing",
			"Everything. The only role that manages administrators, organizations, integrations and API access.",
			[]string{"*.*"},
		},
		{
			Administrator, "Administrator",
			"Everything inside organizations, roles included; sees provider settings without changing them.",
			[]string{"*.view_*", "access.*_role", "job.*", "directory.*", "mdm.*", "alert.*", "ticketing.*_ticket", "ticketing.*_maintenancewindow"},
		},
		{
			Manager, "Manager",
			"Manages users, devices, alerts and tickets inside organizations; not roles.",
			[]string{"*.view_*", "job.*", "directory.*", "mdm.*", "alert.*", "ticketing.*_ticket", "ticketing.*_maintenancewindow"},
		},
		{
			CommandRunnerWithBilling, "Command Runner With Billing",
			"Sends commands to devices and sees their results and alerts; sees billing.",
			append([]string{"billing.*"}, runner...),
		},
		{
			CommandRunner, "Command Runner",
			"Sends commands to devices and sees their results and alerts.",
			runner,
		},
		{
			HelpDesk, "Help Desk",
			"Sees everything; changes users and works on alerts.",
			[]string{"*.view_*", "directory.change_user", "alert.change_alert"},
		},
		{
			ReadOnly, "Read Only",
			"Sees everything, changes nothing.",
			[]string{"*.view_*"},
		},
	}
}

// Permissions lists what a built-in role grants, in the catalogue's order.
func (b BuiltIn) Permissions() []Permission {
	var granted []Permission
	for _, e := range &catalogue {
		for _, pattern := range b.Grants {
			if ok, err := path.Match(pattern, string(e.Permission)); ok && err == nil {
				granted = append(granted, e.Permission)
				break
			}
		}
	}
	return granted
}
