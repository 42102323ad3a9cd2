package inventory

import (
	"context"
	"strings"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/internal/applemdm/result"
)

// information keeps the answer to DeviceInformation. What the device did not
// say stays as it was. Its serial number and UDID identify it, and are those
// that it enrolled with.
func (s *Store) information(ctx context.Context, c *ent.DeviceCommand, r result.Device) error {
	return s.change(ctx, c.DeviceID, func(d *ent.Device, u *ent.DeviceUpdateOne) {
		u.SetInventoryAt(s.now())
		for _, f := range []struct {
			value string
			set   func(string) *ent.DeviceUpdateOne
		}{
			{fit(r.DeviceName, long), u.SetName}, {fit(r.ModelName, long), u.SetModel}, {fit(r.ProductName, short), u.SetModelIdentifier},
			{fit(version(r), short), u.SetOsVersion}, {fit(r.BuildVersion, short), u.SetBuildVersion},
			{hardware(r.WiFiMAC), u.SetWifiMACAddress}, {hardware(r.EthernetMAC), u.SetEthernetMACAddress},
		} {
			if f.value != "" {
				f.set(f.value)
			}
		}
		u.SetNillableSupervised(r.IsSupervised).SetNillableActivationLockEnabled(r.IsActivationLockEnabled)
		if p := PlatformOf(r.ProductName); p != "" {
			u.SetPlatform(p)
		}
		if d.Platform == device.PlatformMacOS {
			u.SetNillableAppleSilicon(r.IsAppleSilicon)
		}
	})
}

// version is the system's version with its rapid security response, as Apple
// writes them: 16.4.1 (a).
func version(r result.Device) string {
	if r.OSVersion == "" || r.SupplementalOSVersionExtra == "" {
		return r.OSVersion
	}
	return r.OSVersion + " " + r.SupplementalOSVersionExtra
}

// hardware is a hardware address as it is looked for: in lower case, with colons.
func hardware(address string) string {
	return fit(strings.ToLower(strings.ReplaceAll(address, "-", ":")), short)
}

// PlatformOf tells a device's platform from Apple's identifier of its model,
// such as Mac15,3 or iPad14,1; "" if that is not known.
func PlatformOf(model string) device.Platform {
	switch {
	case strings.HasPrefix(model, "iPhone"), strings.HasPrefix(model, "iPod"):
		return device.PlatformIOS
	case strings.HasPrefix(model, "iPad"):
		return device.PlatformIPadOS
	case strings.HasPrefix(model, "AppleTV"):
		return device.PlatformTVOS
	case strings.HasPrefix(model, "Watch"):
		return device.PlatformWatchOS
	case strings.HasPrefix(model, "RealityDevice"):
		return device.PlatformVisionOS
	case strings.Contains(model, "Mac"), strings.HasPrefix(model, "VirtualMac"):
		return device.PlatformMacOS
	}
	return ""
}

// security keeps the answer to SecurityInfo.
func (s *Store) security(ctx context.Context, c *ent.DeviceCommand, r result.Security) error {
	return s.change(ctx, c.DeviceID, func(d *ent.Device, u *ent.DeviceUpdateOne) {
		u.SetNillablePasscodePresent(r.PasscodePresent).SetNillableDiskEncryptionEnabled(r.FDEEnabled)
		// Phones and tablets encrypt blocks and files once they have a passcode.
		if r.FDEEnabled == nil && d.Platform != device.PlatformMacOS && r.HardwareEncryptionCaps != nil && r.PasscodePresent != nil {
			u.SetDiskEncryptionEnabled(*r.HardwareEncryptionCaps == 3 && *r.PasscodePresent)
		}
		if m := r.ManagementStatus; m != nil {
			u.SetNillableDepEnrollment(m.EnrolledViaDEP).SetNillableUserApprovedEnrollment(m.UserApprovedEnrollment)
		}
	})
}
