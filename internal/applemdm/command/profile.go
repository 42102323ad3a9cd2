package command

import "github.com/bailiwick/bailiwick/internal/fault"

// InstallProfile installs a configuration profile, or replaces the one with its
// identifier. Sending the enrollment profile anew renews a device's identity.
type InstallProfile struct {
	request
	Payload SecretData // signed or plain; profiles hold passwords and challenges
}

func (c InstallProfile) check(Target) *fault.Error {
	if len(c.Payload) == 0 {
		return fault.Invalid("input.payload", "required")
	}
	return size("input.payload", c.Payload, maxProfile)
}

// RemoveProfile removes a profile that the server installed. Removing the
// enrollment profile ends management. JC-019.
type RemoveProfile struct {
	request
	Identifier string // the profile's PayloadIdentifier
}

func (c RemoveProfile) check(Target) *fault.Error {
	return first(required("input.identifier", c.Identifier), text("input.identifier", c.Identifier, 255))
}

// DeclarativeManagement tells a device to synchronize its declarations, and
// turns declarative management on the first time.
type DeclarativeManagement struct {
	request
	Data []byte `plist:",omitempty"` // JSON of the synchronization tokens; spares the device a request
}

func (c DeclarativeManagement) check(Target) *fault.Error { return size("input.data", c.Data, 64<<10) }

// DeviceConfigured lets a device go on that waits in Setup Assistant until it
// is set up, as its TokenUpdate says.
type DeviceConfigured struct{ request }
