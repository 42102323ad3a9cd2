// Package result reads what devices answer to commands into plain structs. It
// takes an answer as it comes: keys that are missing, unknown, or of another
// type than Apple documents are left empty, since no release of an operating
// system should stop an inventory. It bounds what it takes: texts that describe
// are cut, data that is too large is dropped, and a list that no device could
// have is an error.
//
// An empty text and a nil pointer mean that the device did not say.
package result

import (
	"errors"
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
)

var (
	// ErrAbsent is an answer without the part that was asked for. An inventory
	// keeps what it has.
	ErrAbsent = errors.New("result: the answer lacks what was asked for")

	// ErrTooMany is a list longer than any device's.
	ErrTooMany = errors.New("result: a list is too long")
)

// The longest lists accepted.
const (
	maxApplications = 20_000
	maxProfiles     = 2_000
	maxCertificates = 5_000
	maxUpdates      = 1_000
)

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

// Security is the answer to SecurityInfo.
type Security struct {
	HardwareEncryptionCaps                           *int64 // 1 blocks, 2 files, 3 both
	PasscodePresent                                  *bool
	PasscodeCompliant                                *bool
	PasscodeCompliantWithProfiles                    *bool
	PasscodeLockGracePeriod                          *int64 // seconds
	PasscodeLockGracePeriodEnforced                  *int64 // seconds
	AutoLockTime                                     *int64 // seconds
	FDEEnabled                                       *bool  `key:"FDE_Enabled"`
	FDEHasPersonalRecoveryKey                        *bool  `key:"FDE_HasPersonalRecoveryKey"`
	FDEHasInstitutionalRecoveryKey                   *bool  `key:"FDE_HasInstitutionalRecoveryKey"`
	FDEPersonalRecoveryKeyCMS                        []byte `key:"FDE_PersonalRecoveryKeyCMS"`       // encrypted to the escrow certificate
	FDEPersonalRecoveryKeyDeviceKey                  string `key:"FDE_PersonalRecoveryKeyDeviceKey"` // what the person who recovers is shown
	SystemIntegrityProtectionEnabled                 *bool
	AuthenticatedRootVolumeEnabled                   *bool
	RemoteDesktopEnabled                             *bool
	IsRecoveryLockEnabled                            *bool
	BootstrapTokenAllowedForAuthentication           string // allowed, disallowed, not supported
	BootstrapTokenRequiredForSoftwareUpdate          *bool
	BootstrapTokenRequiredForKernelExtensionApproval *bool
	FirewallSettings                                 *Firewall
	FirmwarePasswordStatus                           *FirmwarePassword
	ManagementStatus                                 *Management
	SecureBoot                                       *SecureBoot
}

// Firewall is the state of a Mac's firewall.
type Firewall struct {
	FirewallEnabled  *bool
	BlockAllIncoming *bool
	StealthMode      *bool
	LoggingEnabled   *bool
}

// FirmwarePassword is the state of an Intel Mac's firmware password.
type FirmwarePassword struct {
	PasswordExists *bool
	ChangePending  *bool // until the next restart
	AllowOroms     *bool
}

// Management is how a device is managed.
type Management struct {
	EnrolledViaDEP             *bool
	UserApprovedEnrollment     *bool
	IsUserEnrollment           *bool
	IsActivationLockManageable *bool
}

// SecureBoot is how strict a Mac is when it starts.
type SecureBoot struct {
	SecureBootLevel   string // off, medium, full, not supported
	ExternalBootLevel string // allowed, disallowed, not supported
}

// SecurityInfo reads the answer to the command of this name.
func SecurityInfo(body []byte) (Security, error) { return read[Security](body, "SecurityInfo", 0) }

// Application is one of InstalledApplicationList.
type Application struct {
	Identifier                string // of the bundle; empty for some programs of a Mac
	Name                      string
	Version                   string
	ShortVersion              string
	BundleSize                *int64 // bytes
	DynamicSize               *int64 // bytes
	ExternalVersionIdentifier *int64
	DistributorIdentifier     string
	Source                    string
	IsValidated               *bool
	Installing                *bool
	AppStoreVendable          *bool
	DeviceBasedVPP            *bool
	BetaApp                   *bool
	AdHocCodeSigned           *bool
	HasUpdateAvailable        *bool
	IsAppClip                 *bool
}

// InstalledApplicationList reads the answer to the command of this name.
func InstalledApplicationList(body []byte) ([]Application, error) {
	return read[[]Application](body, "InstalledApplicationList", maxApplications)
}

// Profile is one of ProfileList.
type Profile struct {
	PayloadUUID              string
	PayloadIdentifier        string
	PayloadVersion           *int64
	PayloadDisplayName       string
	PayloadOrganization      string
	PayloadDescription       string `max:"1024"`
	PayloadRemovalDisallowed *bool
	HasRemovalPasscode       *bool
	IsEncrypted              *bool
	IsManaged                *bool
	Source                   string
	PayloadContent           []Payload
}

// Payload is one part of a profile.
type Payload struct {
	PayloadType         string
	PayloadVersion      *int64
	PayloadIdentifier   string
	PayloadUUID         string
	PayloadDisplayName  string
	PayloadDescription  string `max:"1024"`
	PayloadOrganization string
}

// ProfileList reads the answer to the command of this name.
func ProfileList(body []byte) ([]Profile, error) {
	return read[[]Profile](body, "ProfileList", maxProfiles)
}

// Certificate is one of CertificateList. Its data is as the device sent it,
// which need not be a certificate that Go can parse.
type Certificate struct {
	CommonName string
	IsIdentity *bool
	Data       []byte // DER
}

// CertificateList reads the answer to the command of this name.
func CertificateList(body []byte) ([]Certificate, error) {
	return read[[]Certificate](body, "CertificateList", maxCertificates)
}

// ActivationLockBypassCode reads the answer to the command of this name.
func ActivationLockBypassCode(body []byte) (command.Secret, error) {
	answer, err := read[struct{ ActivationLockBypassCode string }](body, "", 0)
	if err == nil && answer.ActivationLockBypassCode == "" {
		err = ErrAbsent
	}
	return command.Secret(answer.ActivationLockBypassCode), err
}

// RotateFileVaultKey reads the new recovery key, encrypted to the certificate
// that the command carried. It is [ErrAbsent] if the key is escrowed by profile.
func RotateFileVaultKey(body []byte) ([]byte, error) {
	answer, err := read[struct{ EncryptedNewRecoveryKey []byte }](body, "RotateResult", 0)
	if err == nil && answer.EncryptedNewRecoveryKey == nil {
		err = ErrAbsent
	}
	return answer.EncryptedNewRecoveryKey, err
}

// VerifyRecoveryLock reads whether the password is the one that is set.
func VerifyRecoveryLock(body []byte) (bool, error) {
	answer, err := read[struct{ PasswordVerified *bool }](body, "", 0)
	if err != nil {
		return false, err
	}
	if answer.PasswordVerified == nil {
		return false, ErrAbsent
	}
	return *answer.PasswordVerified, nil
}

// Location is the answer to DeviceLocation.
type Location struct {
	Latitude           float64  // degrees
	Longitude          float64  // degrees
	HorizontalAccuracy *float64 // metres; nil if the device does not know, as for all below
	VerticalAccuracy   *float64 // metres
	Altitude           *float64 // metres
	Speed              *float64 // metres a second
	Course             *float64 // degrees from north
	Timestamp          *time.Time
}

// DeviceLocation reads the answer to the command of this name. It is
// [ErrAbsent] without a position on Earth.
func DeviceLocation(body []byte) (Location, error) {
	answer, err := read[struct {
		Latitude, Longitude                                           *float64
		HorizontalAccuracy, VerticalAccuracy, Altitude, Speed, Course *float64
		Timestamp                                                     string
	}](body, "", 0)
	if err != nil {
		return Location{}, err
	}
	if answer.Latitude == nil || answer.Longitude == nil || *answer.Latitude < -90 || *answer.Latitude > 90 ||
		*answer.Longitude < -180 || *answer.Longitude > 180 {
		return Location{}, ErrAbsent
	}
	location := Location{
		Latitude: *answer.Latitude, Longitude: *answer.Longitude,
		HorizontalAccuracy: known(answer.HorizontalAccuracy), VerticalAccuracy: known(answer.VerticalAccuracy),
		Speed: known(answer.Speed), Course: known(answer.Course),
	}
	if location.VerticalAccuracy != nil { // which says that there is an altitude, be it below the sea
		location.Altitude = answer.Altitude
	}
	if at, err := time.Parse(time.RFC3339, answer.Timestamp); err == nil {
		location.Timestamp = &at
	}
	return location, nil
}

// known turns Apple's -1 for unknown into nil.
func known(v *float64) *float64 {
	if v == nil || *v < 0 {
		return nil
	}
	return v
}

func read[T any](body []byte, key string, limit int) (T, error) {
	var (
		out    T
		answer map[string]any
	)
	if err := plist.Decode(body, &answer); err != nil {
		return out, err
	}
	var part any = answer
	if key != "" {
		var given bool
		if part, given = answer[key]; !given {
			return out, ErrAbsent
		}
	}
	if err := fill(&out, part, limit); err != nil {
		return out, fmt.Errorf("read %s: %w", key, err)
	}
	return out, nil
}
