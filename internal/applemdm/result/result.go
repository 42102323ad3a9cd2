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
