package signature

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/url"
	"strings"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// Format is how a proxy writes the certificate that a client showed it.
type Format string

// The formats.
const (
	ClientCert Format = "client-cert" // RFC 9440: base64 of the DER between colons
	EscapedPEM Format = "escaped-pem" // PEM, percent-encoded: nginx, AWS, Traefik
)

// ProxyConfig says which header a proxy puts the client's certificate into.
// The proxy must remove the header from what clients send.
type ProxyConfig struct {
	Header  string // such as Client-Cert; empty if no proxy does
	Format  Format
	Trusted func(*http.Request) bool // whether this request came through the proxy
}

// Validate reports a configuration that could not work, or would trust anyone.
func (c ProxyConfig) Validate() error {
	switch {
	case c.Header == "":
		return nil
	case c.Format != ClientCert && c.Format != EscapedPEM:
		return fault.Invalid("format", "the format is %s or %s", ClientCert, EscapedPEM)
	case c.Trusted == nil:
		return fault.Invalid("trusted", "without a rule for trusted proxies, anyone could claim a certificate")
	}
	return nil
}

// Claim returns who is behind a request, as it says itself.
//
// A header of an untrusted peer is not read. If the request carries more than
// one identity, each must be valid. A signature decides which device speaks,
// unless a proxy or the handshake shows another certificate: [ErrConflict].
// Without any it returns [ErrAbsent].
func (c ProxyConfig) Claim(r *http.Request) (claim Claim, err error) {
	if values := r.Header.Values(Header); len(values) > 0 {
		if len(values) > 1 {
			return Claim{}, malformed("two signatures")
		}
		if claim, err = open(values[0]); err != nil {
			return Claim{}, err
		}
	}
	shown, err := c.shown(r)
	switch {
	case err != nil:
		return Claim{}, err
	case claim.Certificate == nil:
		claim.Certificate = shown
	case shown != nil && !same(claim.Certificate, shown):
		return Claim{}, ErrConflict
	}
	if claim.Certificate == nil {
		return Claim{}, ErrAbsent
	}
	return claim, nil
}

// shown is the certificate that a client showed the trusted proxy before us, or
// us; nil if none. Behind a proxy, the handshake shows the proxy's own, if any.
func (c ProxyConfig) shown(r *http.Request) (*x509.Certificate, error) {
	if c.Header == "" || !c.Trusted(r) {
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			return r.TLS.PeerCertificates[0], nil
		}
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	values := r.Header.Values(c.Header)
	if len(values) > 1 {
		return nil, malformed("two certificates")
	}
	// A proxy that asks for a certificate and gets none sends an empty header.
	if len(values) == 0 || values[0] == "" {
		return nil, nil //nolint:nilnil // likewise
	}
	return c.Format.Decode(values[0])
}

// Decode reads a header that a proxy wrote. Of several certificates, the first
// is the client's.
func (f Format) Decode(header string) (*x509.Certificate, error) {
	if len(header) > maxHeader {
		return nil, ErrTooLarge
	}
	if f == ClientCert {
		value, opened := strings.CutPrefix(strings.Trim(header, " "), ":")
		value, closed := strings.CutSuffix(value, ":")
		der, err := base64.StdEncoding.DecodeString(value)
		if !opened || !closed || err != nil {
			return nil, malformed("not a byte sequence of RFC 8941")
		}
		return parse(der)
	}
	// Not QueryUnescape: some proxies leave the plus signs of base64 alone.
	text, err := url.PathUnescape(header)
	if err != nil {
		return nil, malformed("not percent-encoded")
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, malformed("not a certificate in PEM")
	}
	return parse(block.Bytes)
}
