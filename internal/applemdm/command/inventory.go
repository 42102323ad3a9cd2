package command

import "github.com/bailiwick/bailiwick/internal/fault"

// DeviceInformation asks for facts about a device. [Queries] says which a
// device can answer. KA-016.
type DeviceInformation struct {
	request
	Queries []string
}

func (c DeviceInformation) check(Target) *fault.Error {
	if len(c.Queries) == 0 || len(c.Queries) > 200 {
		return fault.Invalid("input.queries", "1 to 200 queries")
	}
	for _, query := range c.Queries {
		if err := first(required("input.queries", query), text("input.queries", query, 100)); err != nil {
			return err
		}
	}
	return nil
}

// Queries lists what the inventory asks a device of this kind, in the order of
// the answer's struct in package result. Devices skip what they do not know;
// asking only what they do keeps the command small.
func Queries(t Target) []string {
	var names []string
	for _, q := range queries() {
		if q.support.check(q.name, t) == nil {
			names = append(names, q.name)
		}
	}
	return names
}

// SecurityInfo asks for the state of encryption, passcodes and management.
type SecurityInfo struct{ request }

// InstalledApplicationList asks which applications are installed. Under user
// enrollment, devices list managed ones only.
type InstalledApplicationList struct {
	request
	Identifiers     []string `plist:",omitempty"` // all if empty
	ManagedAppsOnly bool     `plist:",omitempty"`
}

func (c InstalledApplicationList) check(t Target) *fault.Error {
	if (len(c.Identifiers) > 0 || c.ManagedAppsOnly) && t.Platform == MacOS && t.before("10.15") {
		return precondition("input.identifiers", "needs macOS 10.15 or later")
	}
	for _, identifier := range c.Identifiers {
		if err := first(required("input.identifiers", identifier), text("input.identifiers", identifier, 255)); err != nil {
			return err
		}
	}
	return nil
}

// ProfileList asks which configuration profiles are installed.
type ProfileList struct {
	request
	ManagedOnly bool `plist:",omitempty"` // those that the server installed; ignored by older systems
}

// CertificateList asks which certificates are installed.
type CertificateList struct {
	request
	ManagedOnly bool `plist:",omitempty"` // those that the server installed; ignored by older systems
}
