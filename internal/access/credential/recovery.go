package credential

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
)

// RecoveryCodes is how many codes an administrator gets with a second factor.
const RecoveryCodes = 10

// NewRecoveryCodes returns codes to show once and their hashes to store. A code
// has 80 random bits, which is why a plain SHA-256 is enough.
func NewRecoveryCodes() (codes []string, hashes [][]byte) {
	for range RecoveryCodes {
		code := grouped(rand.Text()[:16], 4)
		codes = append(codes, code)
		hashes = append(hashes, hashRecoveryCode(code))
	}
	return codes, hashes
}

// MatchRecoveryCode answers which of the hashes the code belongs to, or ok =
// false. Case, spaces and hyphens do not matter. The caller removes the hash,
// conditional on its still being there: a code works once.
func MatchRecoveryCode(hashes [][]byte, code string) (index int, ok bool) {
	hash := hashRecoveryCode(code)
	index = -1
	for i, h := range hashes {
		if subtle.ConstantTimeCompare(h, hash) == 1 {
			index = i
		}
	}
	return index, index >= 0
}

func hashRecoveryCode(code string) []byte {
	plain := strings.NewReplacer("-", "", " ", "").Replace(strings.ToUpper(code))
	sum := sha256.Sum256([]byte("recovery code:" + plain))
	return sum[:]
}
