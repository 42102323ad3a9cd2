package credential_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/bailiwick/bailiwick/internal/access/credential"
	"github.com/bailiwick/bailiwick/internal/fault"
)

func kinds() []credential.Kind {
	return []credential.Kind{
		credential.APIKey, credential.RefreshToken, credential.SignInChallenge, credential.ActivationLink, credential.PasswordReset,
	}
}

func TestOpaqueTokens(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range kinds() {
		scanner := regexp.MustCompile(kind.Pattern())
		for range 50 {
			display, prefix, hash := kind.New()
			if seen[display] || seen[prefix] || !strings.HasPrefix(display, prefix+"_") || !strings.HasPrefix(prefix, string(kind)+"_") {
				t.Fatalf("%s: prefix %s", kind, prefix)
			}
			seen[display], seen[prefix] = true, true
			gotPrefix, gotHash, err := kind.Parse(display)
			if err != nil || gotPrefix != prefix || !credential.Matches(hash, gotHash) {
				t.Fatalf("%s: parse: %q, %v", kind, gotPrefix, err)
			}
			if scanner.FindString(`key: "`+display+`",`) != display {
				t.Errorf("%s: the scanner's pattern misses it", kind)
			}
			if bytes.Contains(hash, []byte(display)) || len(hash) != 32 {
				t.Errorf("%s: hash of %d bytes", kind, len(hash))
			}
		}
	}
}

func TestOpaqueTokensAreBoundToTheirKind(t *testing.T) {
	for _, kind := range kinds() {
		display, _, hash := kind.New()
		for _, other := range kinds() {
			if other == kind {
				continue
			}
			if _, _, err := other.Parse(display); err == nil {
				t.Errorf("a %s passes for a %s", kind, other)
			}
			_, _, otherHash := other.New()
			if credential.Matches(hash, otherHash) {
				t.Errorf("%s and %s share a hash", kind, other)
			}
		}
	}
}

// Every truncation and every changed letter is told before a look-up.
func TestDamagedTokens(t *testing.T) {
	display, _, _ := credential.APIKey.New()
	for i := range display {
		damaged := []string{display[:i], display[i+1:], display[:i] + display[i+1:]}
		letter := byte('a')
		if display[i] == letter {
			letter = 'b'
		}
		damaged = append(damaged, display[:i]+string(letter)+display[i+1:], display[:i]+"é"+display[i+1:], display[:i]+" "+display[i+1:])
		for _, d := range damaged {
			_, _, err := credential.APIKey.Parse(d)
			if fault.CodeOf(err) != fault.Unauthenticated {
				t.Errorf("position %d: %v", i, err)
			}
			if err != nil && strings.Contains(err.Error(), display[10:30]) {
				t.Error("the error shows the token")
			}
		}
	}
	if credential.Matches(nil, nil) || credential.Matches([]byte{}, []byte{}) {
		t.Error("nothing matches nothing")
	}
}

func FuzzParseAPIKey(f *testing.F) {
	display, _, _ := credential.APIKey.New()
	f.Add(display)
	f.Add("bwk_000000000000_0000000000000000000000000000000000000000000000000")
	f.Add(strings.Repeat("_", 66))
	f.Fuzz(func(t *testing.T, display string) {
		prefix, hash, err := credential.APIKey.Parse(display)
		if err != nil {
			if prefix != "" || hash != nil {
				t.Error("an answer along with an error")
			}
			return
		}
		if !strings.HasPrefix(display, prefix+"_") || len(hash) != 32 || !regexp.MustCompile(credential.APIKey.Pattern()).MatchString(display) {
			t.Errorf("accepted %q", display)
		}
	})
}

func BenchmarkParseAPIKey(b *testing.B) {
	display, _, _ := credential.APIKey.New()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := credential.APIKey.Parse(display); err != nil {
			b.Fatal(err)
		}
	}
}
