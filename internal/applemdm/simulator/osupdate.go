package simulator

import (
	"context"
	"strings"
)

// Update is a version of the operating system that a device can install.
type Update struct {
	ProductKey     string
	Name           string // HumanReadableName
	ProductVersion string
	Build          string
	Major          bool

	action     string // InstallAction of the last ScheduleOSUpdate; empty if there was none
	downloaded bool
	installing bool
}

// nextUpdates is what Apple offers a new device: the next minor version.
func nextUpdates(h Hardware) []*Update {
	version, _, _ := strings.Cut(h.OSVersion, ".")
	u := &Update{ProductVersion: version + ".9", Build: strings.TrimRight(h.BuildVersion, "0123456789") + "990"}
	switch {
	case h.Kind.Mac():
		u.Name, u.ProductKey = "macOS "+u.ProductVersion, "MSU_UPDATE_"+u.Build+"_patch_"+u.ProductVersion+"_minor"
	case h.Kind == IPad:
		u.Name, u.ProductKey = "iPadOS "+u.ProductVersion, "iPadOSUpdate"+u.Build
	default:
		u.Name, u.ProductKey = "iOS "+u.ProductVersion, "iOSUpdate"+u.Build
	}
	return []*Update{u}
}

// Offer replaces the updates that Apple offers the device.
func (d *Device) Offer(updates ...Update) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.updates = nil
	for _, u := range updates {
		d.updates = append(d.updates, &u)
	}
}

func (d *Device) availableOSUpdates(context.Context, dict) response {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := []any{}
	for _, u := range d.updates {
		item := dict{
			"ProductKey": u.ProductKey, "HumanReadableName": u.Name, "ProductName": strings.Fields(u.Name)[0],
			"Version": u.ProductVersion, "Build": u.Build, "DownloadSize": 2_147_483_648, "InstallSize": 6_442_450_944,
			"IsCritical": false, "RestartRequired": true, "AllowsInstallLater": true, "IsSecurityResponse": false,
		}
		if d.config.Hardware.Kind.Mac() {
			item["HumanReadableNameLocale"], item["IsConfigDataUpdate"], item["IsFirmwareUpdate"], item["IsMajorOSUpdate"] = "en-US", false, false, u.Major
			item["RequiresBootstrapToken"] = d.config.Hardware.Kind == MacAppleSilicon
		}
		list = append(list, item)
	}
	return acknowledge(dict{"AvailableOSUpdates": list})
}

// scheduleOSUpdate takes an update by key or version; DownloadOnly stops after
// the download, every other action installs.
func (d *Device) scheduleOSUpdate(_ context.Context, c dict) response {
	d.mu.Lock()
	defer d.mu.Unlock()
	wanted := each[dict](c, "Updates")
	if len(wanted) == 0 {
		return refuse(codeMalformed, "Updates is empty.")
	}
	results := []any{}
	for _, w := range wanted {
		key, version, action := get[string](w, "ProductKey"), get[string](w, "ProductVersion"), get[string](w, "InstallAction")
		u := d.update(key, version)
		if u == nil || action == "" {
			results = append(results, dict{
				"ProductKey": key, "InstallAction": "Error", "Status": "Idle",
				"ErrorChain": chain([]Error{mdmError(codeMalformed, "The update is not available.")}),
			})
			continue
		}
		if action == "Default" {
			action = "InstallASAP"
		}
		u.action = action
		results = append(results, dict{"ProductKey": u.ProductKey, "InstallAction": action, "Status": u.status()})
	}
	return acknowledge(dict{"UpdateResults": results})
}

// update finds one that is offered; the lock is held.
func (d *Device) update(key, version string) *Update {
	for _, u := range d.updates {
		if (key != "" && u.ProductKey == key) || (key == "" && version != "" && u.ProductVersion == version) {
			return u
		}
	}
	return nil
}

func (u *Update) status() string {
	switch {
	case u.installing:
		return "Installing"
	case u.action != "" && !u.downloaded:
		return "Downloading"
	}
	return "Idle"
}

// osUpdateStatus reports how far each is; each question finds it a step on:
// downloading, downloaded, installing, and gone with the restart.
func (d *Device) osUpdateStatus(context.Context, dict) response {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := []any{}
	for _, u := range d.updates {
		if u.action == "" {
			continue
		}
		part := 1.0
		if !u.downloaded {
			part = 0.5
		}
		list = append(list, dict{
			"ProductKey": u.ProductKey, "IsDownloaded": u.downloaded, "DownloadPercentComplete": part, "Status": u.status(),
		})
	}
	for _, u := range d.updates {
		switch {
		case u.action == "":
		case !u.downloaded:
			u.downloaded = true
		case u.installing:
			d.restartUpdates()
		case u.action != "DownloadOnly" && u.action != "NotifyOnly":
			u.installing = true
		}
	}
	return acknowledge(dict{"OSUpdateStatus": list})
}

// restartUpdates ends the installation of what is being installed; the lock is
// held.
func (d *Device) restartUpdates() {
	var left []*Update
	for _, u := range d.updates {
		if !u.installing {
			left = append(left, u)
			continue
		}
		d.state.OSVersion, d.state.BuildVersion = u.ProductVersion, u.Build
		d.state.Restarts++
	}
	d.updates = left
}
