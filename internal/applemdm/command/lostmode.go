package command

import "github.com/bailiwick/bailiwick/internal/fault"

// EnableLostMode locks a device with a message for whoever finds it. KA-030.
type EnableLostMode struct {
	request
	Message     string `plist:",omitempty"` // this or a phone number is required
	PhoneNumber string `plist:",omitempty"`
	Footnote    string `plist:",omitempty"` // in place of Slide to Unlock
}

func (c EnableLostMode) check(Target) *fault.Error {
	if c.Message == "" && c.PhoneNumber == "" {
		return fault.Invalid("input.message", "a message or a phone number is required")
	}
	return first(text("input.message", c.Message, 1000), text("input.phoneNumber", c.PhoneNumber, 100), text("input.footnote", c.Footnote, 1000))
}

// DisableLostMode ends lost mode. KA-031.
type DisableLostMode struct{ request }

// PlayLostModeSound plays a sound for at most two minutes. The device must be
// in lost mode. KA-032.
type PlayLostModeSound struct{ request }

// DeviceLocation asks where a device is. It must be in lost mode. KA-033.
type DeviceLocation struct{ request }
