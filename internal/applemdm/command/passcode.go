package command

import "github.com/bailiwick/bailiwick/internal/fault"

// ClearPasscode removes a device's passcode. KA-020.
type ClearPasscode struct {
	request
	UnlockToken SecretData // from the device's TokenUpdate
}

func (c ClearPasscode) check(Target) *fault.Error {
	if len(c.UnlockToken) == 0 {
		return precondition(device, "the device has given no unlock token")
	}
	return nil
}

// UnlockUserAccount lets a person try again, who has typed a wrong password
// too often. KA-029.
type UnlockUserAccount struct {
	request
	UserName string // short name of a local account
}

func (c UnlockUserAccount) check(Target) *fault.Error {
	return first(required("input.userName", c.UserName), text("input.userName", c.UserName, 255))
}

// SetRecoveryLock sets, changes or clears the password that a Mac with Apple
// silicon asks for before recovery.
type SetRecoveryLock struct {
	request
	CurrentPassword Secret `plist:",omitempty"` // required if one is set
	NewPassword     Secret // empty to clear
}

func (c SetRecoveryLock) check(t Target) *fault.Error {
	return first(silicon(t), text("input.currentPassword", string(c.CurrentPassword), 255), text("input.newPassword", string(c.NewPassword), 255))
}

// VerifyRecoveryLock asks whether a password is the one that is set.
type VerifyRecoveryLock struct {
	request
	Password Secret
}

func (c VerifyRecoveryLock) check(t Target) *fault.Error {
	return first(silicon(t), required("input.password", string(c.Password)), text("input.password", string(c.Password), 255))
}

func silicon(t Target) *fault.Error {
	if !t.AppleSilicon {
		return on(device, fault.New(fault.PlatformNotSupported, "recovery lock needs Apple silicon"))
	}
	return nil
}

// RotateFileVaultKey replaces a Mac's personal recovery key.
type RotateFileVaultKey struct {
	request
	KeyType                    string // personal
	FileVaultUnlock            FileVaultUnlock
	ReplyEncryptionCertificate []byte `plist:",omitempty"` // DER; the new key comes back encrypted to it
}

// FileVaultUnlock is what opens the disk now.
type FileVaultUnlock struct {
	Password Secret // of a FileVault user, or the present recovery key
}

func (c RotateFileVaultKey) check(Target) *fault.Error {
	return first(
		oneOf("input.keyType", c.KeyType, "personal"),
		required("input.password", string(c.FileVaultUnlock.Password)),
		text("input.password", string(c.FileVaultUnlock.Password), 255),
		size("input.replyEncryptionCertificate", c.ReplyEncryptionCertificate, 16<<10),
	)
}

// ActivationLockBypassCode asks for the code that opens a device locked by a
// person's Apple Account. The device gives it within 15 days of supervision,
// and until it is cleared. JC-021, KA-017.
type ActivationLockBypassCode struct{ request }

// ClearActivationLockBypassCode forgets the code on the device. The lock itself
// is cleared by a call to Apple. JC-020.
type ClearActivationLockBypassCode struct{ request }
