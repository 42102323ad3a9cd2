package result

import "time"

// Device is the answer to DeviceInformation.
type Device struct {
	UDID                             string
	SerialNumber                     string
	DeviceName                       string
	ModelName                        string // such as MacBook Pro
	Model                            string // such as Z1AU0003XD
	ModelNumber                      string
	ProductName                      string // such as Mac15,7
	OSVersion                        string
	SupplementalOSVersionExtra       string // of a rapid security response, such as (a)
	BuildVersion                     string
	SupplementalBuildVersion         string
	IsAppleSilicon                   *bool
	IsSupervised                     *bool
	IsMultiUser                      *bool // Shared iPad
	AwaitingConfiguration            *bool
	DeviceCapacity                   *float64 // GiB
	AvailableDeviceCapacity          *float64 // GiB
	BatteryLevel                     *float64 // 0 to 1; -1 if the device cannot tell
	HasBattery                       *bool
	IMEI                             string
	MEID                             string
	ServiceSubscriptions             []Subscription
	PhoneNumber                      string
	ICCID                            string
	ModemFirmwareVersion             string
	CellularTechnology               *int64 // 0 none, 1 GSM, 2 CDMA, 3 both
	BluetoothMAC                     string
	WiFiMAC                          string
	EthernetMAC                      string
	LocalHostName                    string
	HostName                         string
	TimeZone                         string
	IsActivationLockEnabled          *bool
	IsActivationLockSupported        *bool
	IsDeviceLocatorServiceEnabled    *bool
	IsCloudBackupEnabled             *bool
	LastCloudBackupDate              *time.Time
	IsMDMLostModeEnabled             *bool
	SystemIntegrityProtectionEnabled *bool
	OSUpdateSettings                 *UpdateSettings
	SoftwareUpdateDeviceID           string // what Apple's list of updates calls this hardware
	PINRequiredForEraseDevice        *bool
	PINRequiredForDeviceLock         *bool
	ITunesStoreAccountIsActive       *bool    `key:"iTunesStoreAccountIsActive"`
	ActiveManagedUsers               []string // UUIDs of local accounts with a user channel
	AutoSetupAdminAccounts           []Account
	DiagnosticSubmissionEnabled      *bool
}

// Subscription is a mobile subscription of a device.
type Subscription struct {
	Slot                  string
	Label                 string
	PhoneNumber           string
	IMEI                  string
	MEID                  string
	ICCID                 string
	EID                   string
	CurrentCarrierNetwork string
	CurrentMCC            string
	CurrentMNC            string
	IsRoaming             *bool
	IsDataPreferred       *bool
	IsVoicePreferred      *bool
}

// UpdateSettings is how a Mac updates by itself.
type UpdateSettings struct {
	CatalogURL                      string `max:"2048"`
	IsDefaultCatalog                *bool
	PreviousScanDate                *time.Time
	AutoCheckEnabled                *bool
	BackgroundDownloadEnabled       *bool
	AutomaticAppInstallationEnabled *bool
	AutomaticOSInstallationEnabled  *bool
	AutomaticSecurityUpdatesEnabled *bool
}

// Account is a local account of a Mac.
type Account struct {
	GUID      string
	ShortName string `key:"shortName"`
}

// DeviceInformation reads the answer to the command of this name.
func DeviceInformation(body []byte) (Device, error) { return read[Device](body, "QueryResponses", 0) }
