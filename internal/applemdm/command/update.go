package command

import "github.com/bailiwick/bailiwick/internal/fault"

// ScheduleOSUpdate downloads or installs updates of the operating system, on
// systems before 27: newer ones take it from declarations. JC-027.
type ScheduleOSUpdate struct {
	request
	Updates []OSUpdate
}

// OSUpdate is one update, named by its key or its version.
type OSUpdate struct {
	ProductKey       string `plist:",omitempty"` // from AvailableOSUpdates
	ProductVersion   string `plist:",omitempty"` // such as 15.1
	InstallAction    string // see [InstallActions]
	MaxUserDeferrals *int   `plist:",omitempty"` // macOS, with InstallLater: how often a person may put it off
	Priority         string `plist:",omitempty"` // macOS: Low or High
}

// InstallActions lists what can be done with an update, on any platform.
func InstallActions() []string {
	return []string{"Default", "DownloadOnly", "InstallASAP", "NotifyOnly", "InstallLater", "InstallForceRestart"}
}

func (c ScheduleOSUpdate) check(t Target) *fault.Error {
	if len(c.Updates) == 0 || len(c.Updates) > 20 {
		return fault.Invalid("input.updates", "1 to 20 updates")
	}
	for _, u := range c.Updates {
		if err := u.check(t); err != nil {
			return err
		}
	}
	return nil
}

func (u OSUpdate) check(t Target) *fault.Error {
	mac := t.Platform == MacOS
	switch u.InstallAction {
	case "NotifyOnly", "InstallLater", "InstallForceRestart":
		if !mac {
			return fault.Invalid("input.installAction", "%s is for a Mac", u.InstallAction)
		}
	}
	switch {
	case u.ProductKey == "" && u.ProductVersion == "":
		return fault.Invalid("input.productKey", "a product key or a product version is required")
	case u.ProductVersion != "" && (mac && t.before("12.0") || t.mobile() && t.before("11.3") || t.Platform == TVOS && t.before("12.2")):
		return precondition("input.productVersion", "this system takes a product key")
	case mac && t.before("11.0") && (u.InstallAction == "DownloadOnly" || u.InstallAction == "InstallForceRestart"):
		return precondition("input.installAction", "%s needs macOS 11.0 or later", u.InstallAction)
	case u.MaxUserDeferrals != nil && u.InstallAction != "InstallLater":
		return fault.Invalid("input.maxUserDeferrals", "only with InstallLater")
	case u.MaxUserDeferrals != nil && (*u.MaxUserDeferrals < 0 || *u.MaxUserDeferrals > 365):
		return fault.Invalid("input.maxUserDeferrals", "0 to 365")
	case u.MaxUserDeferrals != nil && t.before("12.0"):
		return precondition("input.maxUserDeferrals", "needs macOS 12.0 or later")
	case u.Priority != "" && !mac:
		return fault.Invalid("input.priority", "for a Mac")
	case u.Priority != "" && t.before("12.3"):
		return precondition("input.priority", "needs macOS 12.3 or later")
	case u.Priority != "":
		if err := oneOf("input.priority", u.Priority, "Low", "High"); err != nil {
			return err
		}
	}
	return first(
		oneOf("input.installAction", u.InstallAction, InstallActions()...),
		text("input.productKey", u.ProductKey, 255), text("input.productVersion", u.ProductVersion, 64),
	)
}

// AvailableOSUpdates asks which updates a device could install.
type AvailableOSUpdates struct{ request }

// OSUpdateStatus asks how far an update is. JC-026.
type OSUpdateStatus struct{ request }
