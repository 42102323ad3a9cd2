package result

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
