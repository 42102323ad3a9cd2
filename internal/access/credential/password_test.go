package credential_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/access/credential"
	"github.com/bailiwick/bailiwick/internal/fault"
)

func cheap() credential.HashConfig {
	return credential.HashConfig{Memory: 64, Passes: 1, Lanes: 1, Concurrent: 4, Wait: time.Minute}
}

func hasher(t testing.TB, config credential.HashConfig) *credential.Hasher {
	t.Helper()
	h, err := credential.NewHasher(config)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHasher(t *testing.T) {
	h := hasher(t, credential.DefaultHashConfig())
	stored, err := h.Hash(t.Context(), "a sentence to sign in with")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("stored %s", stored)
	}
	if again, _ := h.Hash(t.Context(), "a sentence to sign in with"); again == stored {
		t.Error("two hashes of one password are equal: no salt")
	}
	for password, want := range map[string]bool{
		"a sentence to sign in with":  true,
		"a sentence to sign in with ": false,
		"A sentence to sign in with":  false,
		"":                            false,
		strings.Repeat("x", 1<<20):    false,
		"\xff\xfe":                    false,
	} {
		if ok, err := h.Verify(t.Context(), stored, password); ok != want || err != nil {
			t.Errorf("Verify(%.30q) = %v, %v", password, ok, err)
		}
	}
	if err := h.Dummy(t.Context(), "whatever"); err != nil {
		t.Error(err)
	}
}

func TestHasherComparesNormalForms(t *testing.T) {
	h := hasher(t, cheap())
	stored, err := h.Hash(t.Context(), "Zoe\u0308 und der Schlu\u0308ssel") // as macOS types it
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := h.Verify(t.Context(), stored, "Zo\u00eb und der Schl\u00fcssel"); !ok {
		t.Error("the composed form of the same password was refused")
	}
}

func TestNeedsRehash(t *testing.T) {
	old, now := hasher(t, cheap()), cheap()
	now.Passes = 2
	stored, err := old.Hash(t.Context(), "a sentence to sign in with")
	if err != nil {
		t.Fatal(err)
	}
	if old.NeedsRehash(stored) {
		t.Error("a hash of the current cost needs none")
	}
	renewed := hasher(t, now)
	if !renewed.NeedsRehash(stored) || !renewed.NeedsRehash("rubbish") {
		t.Error("a hash of another cost needs one")
	}
	if ok, err := renewed.Verify(t.Context(), stored, "a sentence to sign in with"); !ok || err != nil {
		t.Errorf("a hash of another cost must still verify: %v, %v", ok, err)
	}
}

func TestVerifyRefusesDamagedHashes(t *testing.T) {
	h := hasher(t, cheap())
	const salt, key = "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for _, stored := range []string{
		"", "plain", "$argon2i$v=19$m=64,t=1,p=1$" + salt + "$" + key, "$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=4294967295,t=1,p=1$" + salt + "$" + key, "$argon2id$v=19$m=64,t=4000000000,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=64,t=1,p=0$" + salt + "$" + key, "$argon2id$v=19$m=64,t=1,p=1$$" + key,
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$", "$argon2id$v=19$m=64,t=1,p=1 $" + salt + "$" + key,
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key + "$", "$argon2id$v=19$m=+64,t=1,p=1$" + salt + "$" + key,
	} {
		if ok, err := h.Verify(t.Context(), stored, "anything at all"); ok || err != credential.ErrHash { //nolint:errorlint // the contract is the value
			t.Errorf("Verify(%q) = %v, %v", stored, ok, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	h := hasher(f, cheap())
	stored, err := h.Hash(f.Context(), "seed password")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stored)
	f.Add("$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, stored string) {
		h.NeedsRehash(stored)
		if len(stored) > 200 || strings.Contains(stored, "m=") && !strings.Contains(stored, "m=64,t=1,p=1") {
			return // valid but dear
		}
		if ok, _ := h.Verify(t.Context(), stored, "not the password"); ok {
			t.Errorf("%q accepts anything", stored)
		}
	})
}

// A flood of sign-ins must wait, and in the end be told to come back.
func TestHasherBoundsConcurrency(t *testing.T) {
	config := credential.HashConfig{Memory: 8 * 1024, Passes: 3, Lanes: 1, Concurrent: 1, Wait: 20 * time.Millisecond}
	h := hasher(t, config)
	var served, turned atomic.Int32
	var wait sync.WaitGroup
	for range 64 {
		wait.Go(func() {
			switch err := h.Dummy(t.Context(), "a sentence to sign in with"); {
			case err == nil:
				served.Add(1)
			case fault.CodeOf(err) == fault.Unavailable:
				turned.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if served.Load() == 0 || turned.Load() == 0 {
		t.Errorf("served %d, turned away %d", served.Load(), turned.Load())
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := hasher(t, cheap()).Hash(gone, "a sentence to sign in with"); err != nil && fault.CodeOf(err) != fault.Unavailable {
		t.Error(err)
	}
}

func TestHashConfigValidate(t *testing.T) {
	if err := credential.DefaultHashConfig().Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*credential.HashConfig){
		"no memory":       func(c *credential.HashConfig) { c.Memory = 0 },
		"too much memory": func(c *credential.HashConfig) { c.Memory = 1 << 24 },
		"no passes":       func(c *credential.HashConfig) { c.Passes = 0 },
		"no lanes":        func(c *credential.HashConfig) { c.Lanes = 0 },
		"no turn":         func(c *credential.HashConfig) { c.Concurrent = 0 },
		"no wait":         func(c *credential.HashConfig) { c.Wait = 0 },
	} {
		config := credential.DefaultHashConfig()
		change(&config)
		if _, err := credential.NewHasher(config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCheckPassword(t *testing.T) {
	const email = "Dana.Whitfield@example.com"
	for password, ok := range map[string]bool{
		"twelve chars":                       true,
		"elevenchars":                        false,
		"żółwżółwżółw":                       false, // four different letters
		"zażółć gęślą":                       true,  // characters count, not bytes
		"dana.whitfield@EXAMPLE.com":         false,
		"dana.whitfield":                     false,
		"dana.whitfield!":                    true,
		"Password1234":                       false,
		"ｐａｓｓｗｏｒｄ１２３４":                       false, // the same in full width
		"aaaaaaaaaaaaaaaaaaaaaaaa":           false,
		strings.Repeat("abcdefgh", 32):       true,
		strings.Repeat("abcdefgh", 32) + "i": false,
		strings.Repeat("\ufdfa", 80):         false, // expands to 33 bytes each
		"bytes \xff\xff\xff no text":         false,
		"":                                   false,
	} {
		err := credential.CheckPassword("input.password", password, email)
		if (err == nil) != ok {
			t.Errorf("CheckPassword(%.40q) = %v", password, err)
		}
		if err != nil && (fault.CodeOf(err) != fault.InvalidArgument || strings.Contains(err.Error(), password) && password != "") {
			t.Errorf("CheckPassword(%.40q) = %v: wrong code, or the password is in it", password, err)
		}
	}
	if err := credential.CheckPassword("password", "twelve chars", ""); err != nil {
		t.Error(err)
	}
}

func TestGeneratePassword(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		p := credential.GeneratePassword()
		if err := credential.CheckPassword("password", p, "a@example.com"); err != nil || seen[p] || len(p) != 29 {
			t.Fatalf("%d characters, seen %v: %v", len(p), seen[p], err)
		}
		seen[p] = true
	}
}

func BenchmarkVerify(b *testing.B) {
	h := hasher(b, credential.DefaultHashConfig())
	stored, err := h.Hash(b.Context(), "a sentence to sign in with")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("right", func(b *testing.B) {
		for b.Loop() {
			if ok, _ := h.Verify(b.Context(), stored, "a sentence to sign in with"); !ok {
				b.Fatal("refused")
			}
		}
	})
	b.Run("unknown account", func(b *testing.B) {
		for b.Loop() {
			if err := h.Dummy(b.Context(), "a sentence to sign in with"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
