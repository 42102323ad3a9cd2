package command

type query struct {
	name    string
	support support
}

// queries are the facts that the inventory keeps, and who can answer them.
func queries() []query {
	return []query{
		{"UDID", support{ios: since("4.0").corporate(), macos: since("10.7").corporate(), tvos: since("9.0"), visionos: since("1.1").corporate(), watchos: since("10.0")}},
		{"SerialNumber", support{ios: since("4.0").corporate(), macos: since("10.7").corporate(), tvos: since("9.0"), visionos: since("1.1").corporate(), watchos: since("10.0")}},
		{"DeviceName", support{ios: since("4.0"), macos: since("10.7"), tvos: since("9.0"), visionos: since("1.1"), watchos: since("10.0")}},
		{"ModelName", support{ios: since("4.0"), macos: since("10.7"), tvos: since("9.0"), visionos: since("1.1"), watchos: since("10.0")}},
		{"Model", support{ios: since("4.0"), macos: since("10.7"), tvos: since("9.0"), watchos: since("10.0")}},
		{"ModelNumber", support{ios: since("16.4"), macos: since("13.3"), tvos: since("16.4"), visionos: since("1.1"), watchos: since("10.0")}},
		{"ProductName", support{ios: since("4.0"), macos: since("10.7"), tvos: since("9.0"), visionos: since("1.1"), watchos: since("10.0")}},
		{"OSVersion", support{ios: since("4.0"), macos: since("10.7"), tvos: since("9.0"), visionos: since("1.1"), watchos: since("10.0")}},
		{"SupplementalOSVersionExtra", support{ios: since("16.1"), macos: since("13.0"), tvos: since("16.1"), visionos: since("1.1"), watchos: since("10.0")}},
		{"BuildVersion", support{ios: since("4.0"), macos: since("10.7"), tvos: since("9.0"), visionos: since("1.1"), watchos: since("10.0")}},
		{"SupplementalBuildVersion", support{ios: since("16.1"), macos: since("13.0"), tvos: since("16.1"), visionos: since("1.1"), watchos: since("10.0")}},
		{"IsAppleSilicon", support{macos: since("12.0")}},
		{"IsSupervised", support{ios: since("6.0"), macos: since("10.15"), tvos: since("9.0"), visionos: since("1.1"), watchos: since("10.0")}},
		{"IsMultiUser", support{ios: since("9.3")}},
		{"AwaitingConfiguration", support{ios: since("9.0").corporate(), macos: since("10.11").corporate(), tvos: since("10.2"), visionos: since("2.0").corporate(), watchos: since("10.0")}},
		{"DeviceCapacity", support{ios: since("4.0"), macos: since("10.7"), visionos: since("1.1"), watchos: since("10.0")}},
		{"AvailableDeviceCapacity", support{ios: since("4.0"), macos: since("10.7"), visionos: since("1.1"), watchos: since("10.0")}},
		{"BatteryLevel", support{ios: since("5.0"), macos: since("13.3"), visionos: since("1.1"), watchos: since("10.0")}},
		{"HasBattery", support{macos: since("13.3")}},
		{"IMEI", support{ios: since("4.0").corporate()}},
		{"MEID", support{ios: since("4.0").corporate()}},
		{"ServiceSubscriptions", support{ios: since("12.0").corporate()}},
		{"PhoneNumber", support{ios: since("4.0").corporate()}},
		{"ICCID", support{ios: since("4.0").corporate()}},
		{"ModemFirmwareVersion", support{ios: since("4.0").corporate()}},
		{"CellularTechnology", support{ios: since("4.2.6")}},
		{"BluetoothMAC", support{ios: since("4.0").corporate(), macos: since("10.7").corporate(), tvos: since("9.0"), visionos: since("1.1").corporate()}},
		{"WiFiMAC", support{ios: since("4.0").corporate(), macos: since("10.7").corporate(), tvos: since("9.0"), visionos: since("1.1").corporate(), watchos: since("10.0")}},
		{"EthernetMAC", support{macos: since("10.7").corporate()}},
		{"LocalHostName", support{macos: since("10.11")}},
		{"HostName", support{macos: since("10.11")}},
		{"TimeZone", support{ios: since("14.0"), tvos: since("14.0"), visionos: since("2.0"), watchos: since("10.0")}},
		{"IsActivationLockEnabled", support{ios: since("7.0").corporate(), macos: since("10.15").corporate(), watchos: since("10.0")}},
		{"IsActivationLockSupported", support{macos: since("10.15").corporate()}},
		{"IsDeviceLocatorServiceEnabled", support{ios: since("7.0"), visionos: since("1.1"), watchos: since("10.0")}},
		{"IsCloudBackupEnabled", support{ios: since("7.1").corporate(), visionos: since("1.1").corporate()}},
		{"LastCloudBackupDate", support{ios: since("8.0").corporate(), visionos: since("1.1").corporate()}},
		{"IsMDMLostModeEnabled", support{ios: since("9.3").corporate(), watchos: since("10.0")}},
		{"SystemIntegrityProtectionEnabled", support{macos: since("10.12")}},
		{"OSUpdateSettings", support{macos: since("10.11").corporate()}},
		{"SoftwareUpdateDeviceID", support{ios: since("15.0").corporate(), macos: since("12.0").corporate(), visionos: since("1.1").corporate()}},
		{"PINRequiredForEraseDevice", support{macos: since("11.0").corporate()}},
		{"PINRequiredForDeviceLock", support{macos: since("11.0").corporate()}},
		{"iTunesStoreAccountIsActive", support{ios: since("7.0").corporate(), macos: since("10.9").corporate(), tvos: since("9.0"), watchos: since("10.0")}},
		{"ActiveManagedUsers", support{macos: since("10.11")}},
		{"AutoSetupAdminAccounts", support{macos: since("10.11").corporate()}},
		{"DiagnosticSubmissionEnabled", support{ios: since("9.3"), visionos: since("1.1"), watchos: since("10.0")}},
	}
}
