package simulator

import (
	"context"
	"crypto/x509"
	"slices"
)

// deviceInformation answers the queries that this device knows, and leaves out
// the others, as devices do.
func (d *Device) deviceInformation(_ context.Context, c dict) response {
	known := d.information()
	queries := each[string](c, "Queries")
	if len(queries) == 0 {
		return refuse(codeMalformed, "Queries is empty.")
	}
	answers := dict{}
	for _, q := range queries {
		if value, ok := known[q]; ok {
			answers[q] = value
		}
	}
	return acknowledge(dict{"QueryResponses": answers})
}

// information is all that a device tells of itself.
func (d *Device) information() dict {
	h, s, e := d.config.Hardware, d.State(), d.current()
	mac, user := h.Kind.Mac(), e != nil && e.id != ""
	all := dict{
		"DeviceName": h.DeviceName, "OSVersion": s.OSVersion, "BuildVersion": s.BuildVersion,
		"ModelName": h.ModelName, "Model": h.Model, "ProductName": h.ProductName,
		"IsSupervised": d.config.Supervised, "IsMultiUser": false,
		"DeviceCapacity": h.DeviceCapacity, "AvailableDeviceCapacity": h.DeviceCapacity * 0.6,
		"SoftwareUpdateDeviceID": h.SoftwareUpdateDeviceID, "TimeZone": "Europe/Berlin",
		"PINRequiredForEraseDevice": h.Kind == MacIntel, "PINRequiredForDeviceLock": mac,
	}
	if user {
		return all
	}
	all = merge(all, dict{
		"UDID": h.UDID, "SerialNumber": h.SerialNumber, "WiFiMAC": h.WiFiMAC, "BluetoothMAC": h.BluetoothMAC,
		"IsActivationLockEnabled": false, "IsActivationLockSupported": true, "IsDeviceLocatorServiceEnabled": false,
		"iTunesStoreAccountIsActive": true, "BatteryLevel": 0.83, "AwaitingConfiguration": false,
		"MDMOptions": dict{"ActivationLockAllowedWhileSupervised": false, "BootstrapTokenAllowed": mac},
	})
	if h.ProvisioningUDID != "" {
		all["ProvisioningUDID"] = h.ProvisioningUDID
	}
	if mac {
		return merge(all, dict{
			"IsAppleSilicon": h.Kind == MacAppleSilicon, "EthernetMAC": h.EthernetMAC,
			"HostName": h.SerialNumber + ".local", "LocalHostName": h.SerialNumber, "SystemIntegrityProtectionEnabled": true,
			"SupportsiOSAppInstalls": h.Kind == MacAppleSilicon, "HasBattery": h.ModelName != "Mac mini" && h.ModelName != "iMac",
			"OSUpdateSettings": dict{"AutoCheckEnabled": true, "BackgroundDownloadEnabled": true, "AutomaticOSInstallationEnabled": false},
		})
	}
	all["IsCloudBackupEnabled"], all["IsMDMLostModeEnabled"], all["DiagnosticSubmissionEnabled"] = false, false, false
	if h.IMEI != "" {
		all["IMEI"], all["ModemFirmwareVersion"], all["CellularTechnology"] = h.IMEI, "3.50.04", 1
	}
	return all
}

func (d *Device) securityInfo(context.Context, dict) response {
	s, e := d.State(), d.current()
	user := e != nil && e.id != ""
	if !d.config.Hardware.Kind.Mac() {
		info := dict{"HardwareEncryptionCaps": 3, "PasscodeCompliant": s.HasPasscode}
		if !user {
			info["PasscodePresent"], info["PasscodeCompliantWithProfiles"] = s.HasPasscode, s.HasPasscode
		}
		info["ManagementStatus"] = dict{"EnrolledViaDEP": d.config.Supervised, "IsUserEnrollment": user}
		return acknowledge(dict{"SecurityInfo": info})
	}
	silicon := d.config.Hardware.Kind == MacAppleSilicon
	info := dict{
		"FDE_Enabled": true, "FDE_HasPersonalRecoveryKey": true, "FDE_HasInstitutionalRecoveryKey": false,
		"SystemIntegrityProtectionEnabled": true, "RemoteDesktopEnabled": false, "AuthenticatedRootVolumeEnabled": true,
		"FirewallSettings": dict{"FirewallEnabled": true, "BlockAllIncoming": false, "StealthMode": false, "Applications": []any{}},
		"ManagementStatus": dict{
			"EnrolledViaDEP": d.config.Supervised, "UserApprovedEnrollment": true, "IsUserEnrollment": user,
			"IsActivationLockManageable": d.config.Supervised,
		},
	}
	if silicon {
		info["IsRecoveryLockEnabled"] = false
		info["BootstrapTokenAllowedForAuthentication"], info["BootstrapTokenRequiredForSoftwareUpdate"] = "allowed", true
		info["SecureBoot"] = dict{"SecureBootLevel": "full", "ExternalBootLevel": "allowed"}
	} else {
		info["FirmwarePasswordStatus"] = dict{"PasswordExists": false, "ChangePending": false, "AllowOroms": false}
	}
	return acknowledge(dict{"SecurityInfo": info})
}

// application is one that is installed.
type application struct {
	identifier, name, version string
	size                      int
}

var macApplications = []application{
	{"com.apple.Safari", "Safari", "26.1", 13_000_000},
	{"com.microsoft.Outlook", "Microsoft Outlook", "16.103", 2_450_000_000},
	{"com.tinyspeck.slackmacgap", "Slack", "4.46.99", 480_000_000},
	{"us.zoom.xos", "zoom.us", "6.6.5", 390_000_000},
	{"com.google.Chrome", "Google Chrome", "143.0.7499.41", 1_300_000_000},
}

var mobileApplications = []application{
	{"com.microsoft.Office.Outlook", "Outlook", "5.2547.0", 410_000_000},
	{"com.tinyspeck.chatlyio", "Slack", "25.11.30", 260_000_000},
	{"us.zoom.videomeetings", "Zoom", "6.6.5", 290_000_000},
}

func (d *Device) installedApplicationList(_ context.Context, c dict) response {
	mac, e := d.config.Hardware.Kind.Mac(), d.current()
	installed := mobileApplications
	if mac {
		installed = macApplications
	}
	only := each[string](c, "Identifiers")
	list := []any{}
	if e != nil && e.id != "" || get[bool](c, "ManagedAppsOnly") {
		return acknowledge(dict{"InstalledApplicationList": list}) // none of them is managed
	}
	for _, a := range installed {
		if len(only) > 0 && !slices.Contains(only, a.identifier) {
			continue
		}
		item := dict{"Identifier": a.identifier, "Name": a.name, "Version": a.version, "ShortVersion": a.version, "BundleSize": a.size, "Installing": false}
		if !mac {
			item["DynamicSize"], item["IsValidated"], item["AppStoreVendable"] = a.size/10, true, true
		}
		list = append(list, item)
	}
	return acknowledge(dict{"InstalledApplicationList": list})
}

func (d *Device) profileList(_ context.Context, c dict) response {
	list := []any{}
	for i, p := range d.Profiles() {
		contents := []any{}
		for _, content := range p.Payloads {
			contents = append(contents, dict{
				"PayloadType": content.PayloadType, "PayloadVersion": 1, "PayloadIdentifier": content.PayloadIdentifier,
				"PayloadUUID": content.PayloadUUID, "PayloadDisplayName": content.PayloadDisplayName,
			})
		}
		item := dict{
			"PayloadUUID": p.PayloadUUID, "PayloadIdentifier": p.PayloadIdentifier, "PayloadVersion": 1,
			"PayloadDisplayName": p.PayloadDisplayName, "PayloadOrganization": p.PayloadOrganization,
			"PayloadRemovalDisallowed": p.RemovalDisallowed, "HasRemovalPasscode": false, "IsEncrypted": false,
			"PayloadContent": contents,
		}
		if !d.config.Hardware.Kind.Mac() {
			item["IsManaged"] = i > 0
			if i == 0 && get[bool](c, "ManagedOnly") {
				continue
			}
		}
		signers := []any{}
		for _, s := range p.Signers {
			signers = append(signers, s.Raw)
		}
		if len(signers) > 0 {
			item["SignerCertificates"] = signers
		}
		list = append(list, item)
	}
	return acknowledge(dict{"ProfileList": list})
}

func (d *Device) certificateList(context.Context, dict) response {
	list := []any{}
	add := func(c *x509.Certificate, identity bool) {
		list = append(list, dict{"CommonName": c.Subject.CommonName, "IsIdentity": identity, "Data": c.Raw})
	}
	if e := d.current(); e != nil {
		add(e.identity.Certificate, true)
	}
	for _, p := range d.Profiles() {
		for _, c := range p.Certificates {
			add(c, false)
		}
	}
	return acknowledge(dict{"CertificateList": list})
}
