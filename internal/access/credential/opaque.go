package credential

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"hash/crc32"
	"strings"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// Kind is a sort of opaque token: its value is the tag that every token of the
// kind starts with. A token of one kind is never accepted as another.
//
// A token reads tag_handle_secretchecksum. The handle (12 characters) finds the
// row; the secret (43 characters, 256 bits) proves possession and is stored only
// as a hash; the checksum (6 characters, CRC-32 of all before it) tells a
// truncated or mistyped token from an unknown one before any look-up, and lets
// secret scanners report without false alarms.
type Kind string

// The kinds of opaque token. The tags are published: never renamed or reused.
const (
	APIKey          Kind = "bwk" // an administrator's API key
	RefreshToken    Kind = "bwr" // renews a session, once
	SignInChallenge Kind = "bwc" // between the password and the second factor
	ActivationLink  Kind = "bwa" // lets a new administrator set a password, once
	PasswordReset   Kind = "bwp" // lets an administrator replace a lost password, once
)

const (
	alphabet      = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	handleLength  = 12
	secretLength  = 43
	checkedLength = 6
)

// New makes a token. Display is shown once and never stored. Prefix (tag and
// handle) is stored in clear, is unique, and lets people recognise the token.
// Hash is stored; see [Matches].
func (k Kind) New() (display, prefix string, hash []byte) {
	prefix = string(k) + "_" + random62(handleLength)
	body := prefix + "_" + random62(secretLength)
	display = body + checksum(body)
	return display, prefix, digest(display)
}

// Parse takes a presented token apart without looking anything up: the row with
// this prefix must hold this hash. Anything that is not a whole token of this
// kind is UNAUTHENTICATED.
func (k Kind) Parse(display string) (prefix string, hash []byte, err error) {
	const secretAndCheck = secretLength + checkedLength
	tag := string(k) + "_"
	if len(display) != len(tag)+handleLength+1+secretAndCheck || !strings.HasPrefix(display, tag) {
		return "", nil, malformed()
	}
	prefix, secret := display[:len(tag)+handleLength], display[len(tag)+handleLength+1:]
	body := display[:len(display)-checkedLength]
	if display[len(prefix)] != '_' || !in62(prefix[len(tag):]) || !in62(secret) || !strings.HasSuffix(display, checksum(body)) {
		return "", nil, malformed()
	}
	return prefix, digest(display), nil
}

// Pattern is the regular expression by which secret scanners find the kind.
func (k Kind) Pattern() string { return `\b` + string(k) + `_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}\b` }

// Matches compares a stored with a presented hash in constant time.
func Matches(stored, presented []byte) bool {
	return len(stored) == sha256.Size && subtle.ConstantTimeCompare(stored, presented) == 1
}

func malformed() error {
	return fault.New(fault.Unauthenticated, "the token is truncated, mistyped or of another kind")
}

// digest covers the tag too, so that a hash binds the kind. The secret has 256
// random bits: a slow hash would add cost for us and none for an attacker.
func digest(display string) []byte {
	sum := sha256.Sum256([]byte(display))
	return sum[:]
}

func checksum(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	var out [checkedLength]byte
	for i := checkedLength - 1; i >= 0; i-- {
		out[i] = alphabet[sum%62]
		sum /= 62
	}
	return string(out[:])
}

func in62(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune(alphabet, r) }) < 0
}

// random62 draws letters without bias: bytes past the last multiple of 62 are
// thrown away.
func random62(length int) string {
	out := make([]byte, 0, length)
	buffer := make([]byte, length+length/2)
	for {
		rand.Read(buffer)
		for _, b := range buffer {
			if b >= 248 {
				continue
			}
			if out = append(out, alphabet[b%62]); len(out) == length {
				return string(out)
			}
		}
	}
}
