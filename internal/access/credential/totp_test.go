package credential_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/bailiwick/bailiwick/internal/access/credential"
	"github.com/bailiwick/bailiwick/internal/fault"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestEnrolTOTP(t *testing.T) {
	e, err := credential.EnrolTOTP("Bailiwick", "dana@example.com")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(e.URL)
	if err != nil {
		t.Fatal(err)
	}
	if u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Bailiwick:dana@example.com" ||
		u.Query().Get("secret") != e.Secret || u.Query().Get("issuer") != "Bailiwick" || len(e.Secret) != 32 {
		t.Errorf("url %s", u.Redacted())
	}
	if _, err := credential.EnrolTOTP("", ""); err == nil {
		t.Error("enrolled nobody")
	}
}

// The vectors of RFC 6238 appendix B, cut to six digits.
func TestVerifyTOTPVectors(t *testing.T) {
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	for at, code := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		step, err := credential.VerifyTOTP(secret, code, time.Unix(at, 0), 0)
		if err != nil || step != at/30 {
			t.Errorf("at %d: step %d, %v", at, step, err)
		}
	}
}

func TestVerifyTOTP(t *testing.T) {
	e, err := credential.EnrolTOTP("Bailiwick", "dana@example.com")
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(e.Secret, noon)
	if err != nil {
		t.Fatal(err)
	}
	step := noon.Unix() / 30
	for _, c := range []struct {
		name  string
		code  string
		drift time.Duration
		after int64
		ok    bool
	}{
		{"now", code, 0, 0, true},
		{"with a space", code[:3] + " " + code[3:], 0, 0, true},
		{"a step late", code, 30 * time.Second, 0, true},
		{"a step early", code, -30 * time.Second, 0, true},
		{"two steps late", code, 60 * time.Second, 0, false},
		{"two steps early", code, -60 * time.Second, 0, false},
		{"after the step before", code, 0, step - 1, true},
		{"used", code, 0, step, false},
		{"used, a step late", code, 30 * time.Second, step, false},
		{"older than one used", code, 0, step + 1, false},
		{"empty", "", 0, 0, false},
		{"short", code[:5], 0, 0, false},
		{"long", code + "0", 0, 0, false},
	} {
		got, err := credential.VerifyTOTP(e.Secret, c.code, noon.Add(c.drift), c.after)
		if (err == nil) != c.ok || c.ok && got != step || err != nil && fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("%s: step %d, %v", c.name, got, err)
		}
	}
	if _, err := credential.VerifyTOTP("not base32!", code, noon, 0); err == nil || fault.CodeOf(err) == fault.Unauthenticated {
		t.Errorf("a damaged secret reads as a wrong code: %v", err)
	}
}

func TestRecoveryCodes(t *testing.T) {
	codes, hashes := credential.NewRecoveryCodes()
	if len(codes) != credential.RecoveryCodes || len(hashes) != credential.RecoveryCodes {
		t.Fatalf("%d codes, %d hashes", len(codes), len(hashes))
	}
	for i, code := range codes {
		for _, typed := range []string{code, strings.ToLower(code), strings.ReplaceAll(code, "-", " ")} {
			if at, ok := credential.MatchRecoveryCode(hashes, typed); !ok || at != i {
				t.Errorf("code %d: matched %d, %v", i, at, ok)
			}
		}
	}
	others, _ := credential.NewRecoveryCodes()
	for _, wrong := range []string{"", "----", others[0], codes[0][:18]} {
		if at, ok := credential.MatchRecoveryCode(hashes, wrong); ok {
			t.Errorf("%q matched %d", wrong, at)
		}
	}
	if _, ok := credential.MatchRecoveryCode(hashes[1:], codes[0]); ok {
		t.Error("a code whose hash is gone matched")
	}
}
