package profile

import "github.com/bailiwick/bailiwick/internal/fault"

// AccessRights is what the server may do on a device: bits of the key
// AccessRights in Apple's MDM payload.
type AccessRights int

// The rights.
const (
	InspectProfiles     AccessRights = 1 << iota // inspect installed configuration profiles
	InstallProfiles                              // install and remove configuration profiles; needs InspectProfiles
	LockDevice                                   // lock, and remove the passcode
	EraseDevice                                  // erase
	QueryDevice                                  // capacity, serial number
	QueryNetwork                                 // phone and SIM numbers, MAC addresses
	InspectProvisioning                          // inspect installed provisioning profiles
	InstallProvisioning                          // install and remove provisioning profiles; needs InspectProvisioning
	InspectApplications                          // inspect installed applications
	QueryRestrictions                            // restrictions
	QuerySecurity                                // security
	ManipulateSettings                           // change settings
	ManageApplications                           // install and remove applications

	// AllRights is every right. A device never grants more than at enrolment.
	AllRights = 1<<iota - 1
)

// Validate checks that a device would accept the rights.
func (r AccessRights) Validate() error {
	const field = "input.accessRights"
	switch {
	case r <= 0 || r > AllRights:
		return fault.Invalid(field, "access rights are a sum of flags between 1 and %d", int(AllRights))
	case r&InstallProfiles != 0 && r&InspectProfiles == 0:
		return fault.Invalid(field, "installing profiles (2) needs inspecting them (1)")
	case r&InstallProvisioning != 0 && r&InspectProvisioning == 0:
		return fault.Invalid(field, "installing provisioning profiles (128) needs inspecting them (64)")
	}
	return nil
}
