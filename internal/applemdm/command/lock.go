package command

import (
	"regexp"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// DeviceLock locks a device at once. A Mac restarts into a screen that only
// the PIN leaves; other devices show their lock screen. JC-023, KA-022, ZE-059.
type DeviceLock struct {
	request
	Message     string `plist:",omitempty"` // shown on the lock screen
	PhoneNumber string `plist:",omitempty"`
	PIN         Secret `plist:",omitempty"` // six digits; for a Mac, and required there
}

func (c DeviceLock) check(t Target) *fault.Error {
	switch {
	case t.Platform == MacOS && c.PIN == "":
		return fault.Invalid("input.pin", "locking a Mac needs a PIN, without which nobody could unlock it")
	case t.Platform == VisionOS && (c.Message != "" || c.PhoneNumber != ""):
		return fault.Invalid("input.message", "visionOS shows neither a message nor a phone number")
	case t.Platform == MacOS && c.Message != "" && t.before("10.14"):
		return precondition("input.message", "a message needs macOS 10.14 or later")
	case t.Platform == MacOS && c.PhoneNumber != "" && t.before("11.5"):
		return precondition("input.phoneNumber", "a phone number needs macOS 11.5 or later")
	}
	return first(pin(c.PIN, t), text("input.message", c.Message, 1000), text("input.phoneNumber", c.PhoneNumber, 100))
}

// EraseDevice erases all content and settings. JC-022, KA-021, ZE-058.
type EraseDevice struct {
	request
	PIN                    Secret           `plist:",omitempty"` // six digits; for a Mac, and required there without Apple silicon
	ObliterationBehavior   string           `plist:",omitempty"` // a Mac's fallback: Default, DoNotObliterate, ObliterateWithWarning or Always
	PreserveDataPlan       *bool            `plist:",omitempty"` // iOS, iPadOS: required there
	DisallowProximitySetup *bool            `plist:",omitempty"` // iOS, iPadOS: required there
	ReturnToService        *ReturnToService `plist:",omitempty"`
}

// ReturnToService sets an erased device up again without a person.
type ReturnToService struct {
	Enabled         bool
	WiFiProfileData SecretData `plist:",omitempty"` // a profile; needed without Ethernet
	MDMProfileData  SecretData `plist:",omitempty"` // an enrollment profile, for a device that is not assigned by Apple
}

func (c EraseDevice) check(t Target) *fault.Error {
	switch {
	case t.Platform == MacOS && !t.AppleSilicon && c.PIN == "":
		return fault.Invalid("input.pin", "erasing a Mac without Apple silicon needs a PIN")
	case t.mobile() && c.PreserveDataPlan == nil:
		return fault.Invalid("input.preserveDataPlan", "required for %s", t.Platform.name())
	case t.mobile() && c.DisallowProximitySetup == nil:
		return fault.Invalid("input.disallowProximitySetup", "required for %s", t.Platform.name())
	case !t.mobile() && t.Platform != WatchOS && c.PreserveDataPlan != nil:
		return fault.Invalid("input.preserveDataPlan", "not known on %s", t.Platform.name())
	case !t.mobile() && c.DisallowProximitySetup != nil:
		return fault.Invalid("input.disallowProximitySetup", "not known on %s", t.Platform.name())
	}
	if c.ObliterationBehavior != "" {
		if t.Platform != MacOS {
			return fault.Invalid("input.obliterationBehavior", "only a Mac has it")
		}
		if t.before("12.0") {
			return precondition("input.obliterationBehavior", "needs macOS 12.0 or later")
		}
		if err := oneOf("input.obliterationBehavior", c.ObliterationBehavior, "Default", "DoNotObliterate", "ObliterateWithWarning", "Always"); err != nil {
			return err
		}
	}
	if c.ReturnToService != nil {
		if err := c.ReturnToService.check(t); err != nil {
			return err
		}
	}
	return pin(c.PIN, t)
}

func (r ReturnToService) check(t Target) *fault.Error {
	const field = "input.returnToService"
	switch {
	case !t.mobile() && t.Platform != TVOS:
		return fault.Invalid(field, "not known on %s", t.Platform.name())
	case t.mobile() && t.before("17.0"), t.Platform == TVOS && t.before("18.0"):
		return precondition(field, "needs iOS 17, iPadOS 17 or tvOS 18")
	}
	return first(size(field+".wifiProfile", r.WiFiProfileData, maxProfile), size(field+".mdmProfile", r.MDMProfileData, maxProfile))
}

// RestartDevice restarts a device. JC-024, KA-025.
type RestartDevice struct {
	request
	NotifyUser         bool     `plist:",omitempty"` // a Mac asks the person first, and may never restart
	RebuildKernelCache bool     `plist:",omitempty"` // on a Mac
	KextPaths          []string `plist:",omitempty"` // of kernel extensions, for the kernel cache
}

func (c RestartDevice) check(t Target) *fault.Error {
	kernel := c.RebuildKernelCache || len(c.KextPaths) > 0
	switch {
	case t.Platform != MacOS && kernel:
		return fault.Invalid("input.kextPaths", "only a Mac has kernel extensions")
	case t.Platform != MacOS && c.NotifyUser:
		return fault.Invalid("input.notifyUser", "only a Mac asks the person")
	case kernel && t.before("11.0"):
		return precondition("input.kextPaths", "needs macOS 11.0 or later")
	case c.NotifyUser && t.before("11.4"):
		return precondition("input.notifyUser", "needs macOS 11.4 or later")
	case len(c.KextPaths) > 0 && !c.RebuildKernelCache:
		return fault.Invalid("input.kextPaths", "paths are read only when the kernel cache is rebuilt")
	case len(c.KextPaths) > 100:
		return fault.Invalid("input.kextPaths", "at most 100 paths")
	}
	for _, path := range c.KextPaths {
		if err := first(required("input.kextPaths", path), text("input.kextPaths", path, 1024)); err != nil {
			return err
		}
	}
	return nil
}

// ShutDownDevice shuts a device down. Nothing but a person turns it on again.
// JC-025, KA-028.
type ShutDownDevice struct{ request }

// PIN is the PIN that a command holds; empty for none.
func PIN(c Command) Secret {
	switch c := c.(type) {
	case DeviceLock:
		return c.PIN
	case EraseDevice:
		return c.PIN
	}
	return ""
}

func pin(pin Secret, t Target) *fault.Error {
	switch {
	case pin == "":
		return nil
	case t.Platform != MacOS:
		return fault.Invalid("input.pin", "only a Mac takes a PIN")
	case !regexp.MustCompile(`^[0-9]{6}$`).MatchString(string(pin)):
		return fault.Invalid("input.pin", "a PIN is six digits")
	}
	return nil
}
