package token

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// jwk is a public Ed25519 key (RFC 7517, RFC 8037).
type jwk struct {
	Type      string `json:"kty"`
	Curve     string `json:"crv"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	ID        string `json:"kid"`
	X         string `json:"x"`
}

// JWKS is the JSON Web Key Set by which others verify our tokens: every key that
// signs, will sign or has signed a token that may still count.
func (s *KeySet) JWKS(ctx context.Context) ([]byte, error) {
	current, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for _, k := range current.byID {
		set.Keys = append(set.Keys, jwk{
			Type: "OKP", Curve: "Ed25519", Use: "sig", Algorithm: "EdDSA",
			ID: k.ID, X: base64.RawURLEncoding.EncodeToString(k.Public()),
		})
	}
	slices.SortFunc(set.Keys, func(a, b jwk) int { return strings.Compare(a.ID, b.ID) })
	return json.Marshal(set)
}

// Handler serves the JWK set, for /.well-known/jwks.json. Clients may keep it
// for the refresh interval, as our own replicas do.
func (s *KeySet) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		body, err := s.JWKS(r.Context())
		if err != nil {
			s.log.ErrorContext(r.Context(), "JWK set not served", "error", err)
			http.Error(w, "the keys cannot be read at the moment", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(s.schedule.Refresh.Seconds())))
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Write(body)
	})
}
