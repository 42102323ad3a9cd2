package credential

import (
	"crypto/subtle"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/bailiwick/bailiwick/internal/fault"
)

const (
	totpPeriod = 30 // seconds; RFC 6238's default, the only one all authenticators know
	totpSkew   = 1  // steps accepted on either side of the clock
)

// TOTPEnrolment is a new second factor, shown once to the administrator. Secret
// is to be stored encrypted.
type TOTPEnrolment struct {
	Secret string // base32, for typing in
	URL    string // otpauth://…, for a QR code; contains the secret
}

// EnrolTOTP makes a second factor (RFC 6238: SHA-1, six digits, 30 seconds, 160
// bits) that an authenticator lists under issuer and account.
func EnrolTOTP(issuer, account string) (TOTPEnrolment, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: account, Period: totpPeriod, SecretSize: 20})
	if err != nil {
		return TOTPEnrolment{}, fmt.Errorf("enrol TOTP: %w", err)
	}
	return TOTPEnrolment{Secret: key.Secret(), URL: key.URL()}, nil
}

// VerifyTOTP answers the time step that the code belongs to. Only steps later
// than after count, so that a code works once: the caller stores the answer as
// the next after, in an update conditional on the old value, for two requests
// may carry the same code at the same time. A code that is wrong, stale or used
// is UNAUTHENTICATED; any other error means that the stored secret is damaged.
func VerifyTOTP(secret, code string, now time.Time, after int64) (step int64, err error) {
	code = strings.ReplaceAll(code, " ", "")
	current := now.Unix() / totpPeriod
	for candidate := current - totpSkew; candidate <= current+totpSkew; candidate++ {
		want, err := hotp.GenerateCodeCustom(secret, uint64(max(candidate, 0)), hotp.ValidateOpts{
			Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
		})
		if err != nil {
			return 0, fmt.Errorf("verify TOTP: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && candidate > after {
			step = candidate
		}
	}
	if step == 0 {
		return 0, fault.New(fault.Unauthenticated, "the code is wrong, or was used already")
	}
	return step, nil
}
