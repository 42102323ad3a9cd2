package token_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/bailiwick/bailiwick/internal/access/token"
)

// A stranger with nothing but the published set verifies a token.
func TestJWKS(t *testing.T) {
	f := setup(t)
	f.clock.now = f.clock.now.Add(29 * 24 * time.Hour)
	if err := f.keys.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	f.keys.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/.well-known/jwks.json", http.NoBody))
	if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != "application/jwk-set+json" ||
		answer.Header().Get("Cache-Control") != "public, max-age=300" {
		t.Fatalf("%d %v", answer.Code, answer.Header())
	}
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 2 {
		t.Fatalf("%d keys, want the active and the next", len(set.Keys))
	}
	public := map[string]ed25519.PublicKey{}
	for _, k := range set.Keys {
		if k["kty"] != "OKP" || k["crv"] != "Ed25519" || k["use"] != "sig" || k["alg"] != "EdDSA" || len(k) != 6 {
			t.Errorf("key %v", k)
		}
		x, err := base64.RawURLEncoding.DecodeString(k["x"])
		if err != nil {
			t.Fatal(err)
		}
		public[k["kid"]] = x
	}
	for _, state := range []token.State{token.Active, token.Next} {
		for _, k := range f.store.in(state) {
			if public[k.ID] == nil {
				t.Errorf("the %s key is not published", state)
			}
			if bytes.Contains(answer.Body.Bytes(), []byte(base64.RawURLEncoding.EncodeToString(k.Private.Seed()))) {
				t.Error("a private half is published")
			}
		}
	}
	_, err := jwt.Parse(f.issue(t), func(raw *jwt.Token) (any, error) {
		kid, _ := raw.Header["kid"].(string)
		return public[kid], nil
	}, jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithTimeFunc(f.clock.Now))
	if err != nil {
		t.Error(err)
	}
}

// The example of RFC 8037 appendix A.3 fixes how a kid is computed.
func TestKeyIDIsTheThumbprint(t *testing.T) {
	f := setup(t)
	seed, err := base64.RawURLEncoding.DecodeString("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
	if err != nil {
		t.Fatal(err)
	}
	const thumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
	f.store.keys[thumbprint] = token.Key{ID: thumbprint, State: token.Next, Private: ed25519.NewKeyFromSeed(seed)}
	if err := f.keys.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestJWKSErrors(t *testing.T) {
	f := setup(t)
	for method, want := range map[string]int{http.MethodHead: 200, http.MethodPost: 405, http.MethodDelete: 405} {
		answer := httptest.NewRecorder()
		f.keys.Handler().ServeHTTP(answer, httptest.NewRequest(method, "/.well-known/jwks.json", http.NoBody))
		if answer.Code != want {
			t.Errorf("%s: %d", method, answer.Code)
		}
	}
	f.store.fail(errors.New("connection refused at 10.0.0.7"))
	f.clock.now = f.clock.now.Add(time.Hour)
	answer := httptest.NewRecorder()
	f.keys.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/.well-known/jwks.json", http.NoBody))
	if answer.Code != http.StatusServiceUnavailable || bytes.Contains(answer.Body.Bytes(), []byte("10.0.0.7")) || answer.Header().Get("Cache-Control") != "" {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}
