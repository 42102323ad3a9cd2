package command

import (
	"strconv"
	"strings"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// Platform is an operating system of Apple's.
type Platform string

// The platforms.
const (
	MacOS    Platform = "MACOS"
	IOS      Platform = "IOS"
	IPadOS   Platform = "IPADOS" // obeys what iOS obeys
	TVOS     Platform = "TVOS"
	VisionOS Platform = "VISIONOS"
	WatchOS  Platform = "WATCHOS"
)

// Target is what is known of the device that a command is meant for.
type Target struct {
	Platform       Platform
	OSVersion      string // such as 26.1; unknown if empty, and then not judged
	Supervised     bool
	UserEnrollment bool // a person's own device, of which only a part is managed
	AppleSilicon   bool // false if unknown
}

func (t Target) mobile() bool { return t.Platform == IOS || t.Platform == IPadOS }

// before reports whether the target's system is known to be older than a version.
func (t Target) before(version string) bool {
	return t.OSVersion != "" && compare(t.OSVersion, version) < 0
}

// compare orders versions such as 10.14.4 by their numbers. What is not a
// number counts as 0.
func compare(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		m, _ := strconv.Atoi(x)
		n, _ := strconv.Atoi(y)
		if m != n {
			return m - n
		}
	}
	return 0
}

// availability says from when on one platform obeys, and which of its devices.
// The zero value is a platform that never does.
type availability struct {
	since           string
	removed         string // from this version on it no longer does
	supervision     bool   // only supervised devices
	notUserEnrolled bool
}

func since(version string) availability { return availability{since: version} }

func (a availability) until(version string) availability {
	a.removed = version
	return a
}

func (a availability) supervised() availability {
	a.supervision = true
	return a
}

// corporate takes out the devices under user enrollment.
func (a availability) corporate() availability {
	a.notUserEnrolled = true
	return a
}

// support says which systems obey a command or answer a query.
type support struct {
	ios, macos, tvos, visionos, watchos availability
}

func (s support) on(p Platform) availability {
	switch p {
	case MacOS:
		return s.macos
	case IOS, IPadOS:
		return s.ios
	case TVOS:
		return s.tvos
	case VisionOS:
		return s.visionos
	case WatchOS:
		return s.watchos
	}
	return availability{}
}

// device is the input field of every command that names its target.
const device = "input.deviceId"

func (s support) check(what string, t Target) *fault.Error {
	a := s.on(t.Platform)
	switch {
	case a.since == "":
		return on(device, fault.New(fault.PlatformNotSupported, "%s is not supported on %s", what, t.Platform.name()))
	case t.before(a.since):
		return precondition(device, "%s needs %s %s or later", what, t.Platform.name(), a.since)
	case a.removed != "" && t.OSVersion != "" && !t.before(a.removed):
		return precondition(device, "%s was removed in %s %s", what, t.Platform.name(), a.removed)
	case a.supervision && !t.Supervised:
		return precondition(device, "%s needs a supervised device", what)
	case a.notUserEnrolled && t.UserEnrollment:
		return precondition(device, "%s is not possible under user enrollment", what)
	}
	return nil
}

func (p Platform) name() string {
	switch p {
	case MacOS:
		return "macOS"
	case IOS:
		return "iOS"
	case IPadOS:
		return "iPadOS"
	case TVOS:
		return "tvOS"
	case VisionOS:
		return "visionOS"
	case WatchOS:
		return "watchOS"
	}
	return "this platform"
}

func precondition(field, format string, args ...any) *fault.Error {
	return on(field, fault.New(fault.PreconditionFailed, format, args...))
}

func on(field string, err *fault.Error) *fault.Error {
	err.Field = field
	return err
}
