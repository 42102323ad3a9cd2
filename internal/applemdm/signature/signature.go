// Package signature finds out which certificate stands behind a device's
// request. A request carries it in one of
// three ways: a detached signature of the body in the Mdm-Signature header, a
// client certificate that a trusted proxy forwards, or one shown in the TLS
// handshake.
package signature

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/smallstep/pkcs7"

	"github.com/bailiwick/bailiwick/internal/applemdm/cms"
)

// Header is the request header with the detached signature of the body. A
// device sends it if its MDM profile says SignMessage.
const Header = "Mdm-Signature"

// maxHeader bounds every header with a signature or a certificate, in bytes.
// A device's signature takes 2 kB, with a chain 6.
const maxHeader = 16 << 10

// maxKeyBits bounds the RSA key that a stranger makes the server verify with:
// a header has room for one that takes the better part of a second.
const maxKeyBits = 4096

// Why an identity is refused. An error wraps one of these.
var (
	ErrAbsent    = errors.New("signature: no certificate and no signature")
	ErrTooLarge  = errors.New("signature: too large") // a header over 16 KiB, or a key
	ErrMalformed = errors.New("signature: malformed")
	ErrMismatch  = errors.New("signature: not a signature of this body")
	ErrConflict  = errors.New("signature: two certificates in one request")
	ErrExpired   = errors.New("signature: made while its certificate was not valid")
)

// Claim is who a request says that it is from. Its certificate is not yet known
// to be trusted, and its signature not yet verified. It is read from headers
// and handshake alone, so that nobody reads the body of a stranger.
type Claim struct {
	Certificate *x509.Certificate
	signed      signed // nil if there is no signature
}

// signed is a signature that has been read. The error of verify is ErrExpired
// or ErrMismatch.
type signed interface {
	verify(body []byte) error
	// signedAt is when it was made, by the signed attributes; zero if they do not
	// tell.
	signedAt() time.Time
}

// SignedAt is when the signature says that it was made, by the device's clock:
// the signing time of RFC 5652, section 11.3, to the second. It is zero if there
// is no signature, or it does not tell.
func (c Claim) SignedAt() time.Time {
	if c.signed == nil {
		return time.Time{}
	}
	return c.signed.signedAt()
}

// Verify returns nil if the claim's signature is over the body, or if there is
// none. The signature must be over signed attributes, whose digest is compared
// with the body's: content inside the signature is never looked at.
func (c Claim) Verify(body []byte) error {
	if c.signed == nil {
		return nil
	}
	return c.signed.verify(body)
}

// message is a signature that the library has read.
type message struct{ pkcs7.PKCS7 }

// verify implements signed.
func (m *message) verify(body []byte) (err error) {
	defer surviveParser(&err)
	detached := m.PKCS7
	detached.Content = body
	if err := detached.Verify(); err != nil {
		if _, ok := errors.AsType[*pkcs7.SigningTimeNotValidError](err); ok {
			return fmt.Errorf("%w: signed outside its validity", ErrExpired)
		}
		return fmt.Errorf("%w: %w", ErrMismatch, err)
	}
	return nil
}

// signedAt implements signed.
func (m *message) signedAt() (at time.Time) {
	if err := m.UnmarshalSignedAttribute(pkcs7.OIDAttributeSigningTime, &at); err != nil {
		return time.Time{}
	}
	return at
}

// open reads an Mdm-Signature header, which must have exactly one signer.
func open(header string) (Claim, error) {
	if len(header) > maxHeader {
		return Claim{}, ErrTooLarge
	}
	ber, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return Claim{}, malformed("not base64")
	}
	if p, ok := readPlain(ber); ok {
		if err := checkKey(p.signer); err != nil {
			return Claim{}, err
		}
		return Claim{p.signer, p}, nil
	}
	return parseMessage(ber)
}

// parseMessage reads a signature of any form.
func parseMessage(ber []byte) (c Claim, err error) {
	der, err := cms.DER(ber)
	if err != nil {
		return Claim{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	defer surviveParser(&err)
	parsed, err := pkcs7.Parse(der)
	if err != nil {
		return Claim{}, malformed("not a CMS message")
	}
	signer := parsed.GetOnlySigner()
	if signer == nil {
		return Claim{}, malformed("not one signer with a certificate")
	}
	if err := checkKey(signer); err != nil {
		return Claim{}, err
	}
	var digest []byte
	if err := parsed.UnmarshalSignedAttribute(pkcs7.OIDAttributeMessageDigest, &digest); err != nil {
		return Claim{}, malformed("no message digest among the signed attributes")
	}
	var content asn1.ObjectIdentifier
	if err := parsed.UnmarshalSignedAttribute(pkcs7.OIDAttributeContentType, &content); err != nil || !content.Equal(pkcs7.OIDData) {
		return Claim{}, malformed("signs something other than data")
	}
	return Claim{signer, &message{*parsed}}, nil
}

// checkKey refuses a key that takes too long to verify with.
func checkKey(signer *x509.Certificate) error {
	if key, ok := signer.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxKeyBits {
		return fmt.Errorf("%w: an RSA key of more than %d bits", ErrTooLarge, maxKeyBits)
	}
	return nil
}

// surviveParser makes a panic of the parser an error: it is made for messages
// from friends.
func surviveParser(err *error) {
	if recover() != nil {
		*err = malformed("not a CMS message")
	}
}

func malformed(reason string) error { return fmt.Errorf("%w: %s", ErrMalformed, reason) }

func parse(der []byte) (*x509.Certificate, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, malformed("not a certificate")
	}
	return cert, nil
}

func same(a, b *x509.Certificate) bool { return bytes.Equal(a.Raw, b.Raw) }
