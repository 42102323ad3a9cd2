package command

import "github.com/bailiwick/bailiwick/internal/fault"

// Settings changes settings of a device.
type Settings struct {
	request
	Settings []Setting
}

// Setting is one setting, named by its Item.
type Setting struct {
	Item       string // DeviceName
	DeviceName string
}

// SetDeviceName is the command that renames a device. KA-027.
func SetDeviceName(name string) Settings {
	return Settings{Settings: []Setting{{Item: "DeviceName", DeviceName: name}}}
}

func (c Settings) check(Target) *fault.Error {
	if len(c.Settings) == 0 {
		return fault.Invalid("input.settings", "no setting is given")
	}
	for _, s := range c.Settings {
		err := first(oneOf("input.settings", s.Item, "DeviceName"), required("input.name", s.DeviceName), text("input.name", s.DeviceName, 255))
		if err != nil {
			return err
		}
	}
	return nil
}

// EnableRemoteDesktop lets every local user be observed and controlled. KA-023.
type EnableRemoteDesktop struct{ request }

// DisableRemoteDesktop ends it. KA-023.
type DisableRemoteDesktop struct{ request }
