package credential

import (
	"crypto/rand"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// The bounds of a password. The upper one keeps a request from buying an
// expensive normalisation; it holds before and after it.
const (
	MinPasswordCharacters = 12
	MaxPasswordBytes      = 256

	// Below this many different characters, length says nothing.
	minDistinct = 5
)

// CheckPassword judges a new password for an account, as NIST SP 800-63B asks:
// by length and by what attackers try first, not by classes of characters. The
// fault names field, the input's path.
func CheckPassword(field, password, email string) error {
	normal, ok := normalize(password)
	if !ok {
		return fault.Invalid(field, "a password has at most %d bytes of UTF-8", MaxPasswordBytes)
	}
	if utf8.RuneCountInString(normal) < MinPasswordCharacters {
		return fault.Invalid(field, "a password has at least %d characters", MinPasswordCharacters)
	}
	address, _ := normalize(strings.TrimSpace(email))
	local, _, _ := strings.Cut(address, "@")
	if address != "" && (strings.EqualFold(normal, address) || strings.EqualFold(normal, local)) {
		return fault.Invalid(field, "the password is the e-mail address")
	}
	if distinct(normal) < minDistinct || common(strings.ToLower(normal)) {
		return fault.Invalid(field, "this password is among the first that attackers try")
	}
	return nil
}

// GeneratePassword returns a password of 125 random bits that can be read out:
// five groups of upper-case letters and digits without 0, 1, 8 and 9.
func GeneratePassword() string { return grouped(rand.Text()[:25], 5) }

// normalize brings a password to the one form in which keyboards and systems
// agree. It refuses what is too long or is not UTF-8.
func normalize(password string) (normal string, ok bool) {
	if len(password) > MaxPasswordBytes || !utf8.ValidString(password) {
		return "", false
	}
	normal = norm.NFKC.String(password)
	return normal, len(normal) <= MaxPasswordBytes
}

func grouped(text string, size int) string {
	var groups []string
	for ; len(text) > size; text = text[size:] {
		groups = append(groups, text[:size])
	}
	return strings.Join(append(groups, text), "-")
}

func distinct(text string) int {
	seen := map[rune]struct{}{}
	for _, r := range text {
		seen[r] = struct{}{}
	}
	return len(seen)
}

// common lists what heads the published lists of leaked passwords, as far as it
// is long enough to get here.
func common(lower string) bool {
	switch lower {
	case "1234567890123", "123456789012", "12345678901234567890", "1234567890qwerty", "123456789abc",
		"0123456789ab", "1q2w3e4r5t6y", "1qaz2wsx3edc", "1qaz2wsx3edc4rfv", "qwertyuiop12", "qwertyuiop123",
		"qwertyuiop[]", "qwerty123456", "qwerty12345678", "qwertyuiopasdfghjkl", "asdfghjkl123", "abcdefghijkl",
		"abcdefgh1234", "abcd12345678", "abc123456789", "a1b2c3d4e5f6", "password1234", "password12345",
		"password123!", "password1234!", "password123456", "passwordpassword", "p@ssw0rd1234", "p@ssword1234",
		"passw0rd1234", "administrator", "administrator1", "administrator123", "admin1234567", "admin123456789",
		"adminadminadmin", "welcome12345", "welcome123456", "letmein12345", "letmeinletmein", "iloveyou1234",
		"iloveyou12345", "changeme1234", "changeme12345", "changemechangeme", "trustno1trustno1",
		"correcthorsebatterystaple", "correct horse battery staple":
		return true
	}
	return false
}
