// Package signature finds out which certificate stands behind a device's
// request, and whether an authority issued it. A request carries it in one of
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

	"github.com/smallstep/pkcs7"
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
	ErrUntrusted = errors.New("signature: certificate of another authority")
	ErrExpired   = errors.New("signature: certificate expired or not yet valid")
	ErrRevoked   = errors.New("signature: certificate revoked")
)

// Signer verifies an Mdm-Signature header over a body and returns the signer's
// certificate, which is not yet known to be trusted. The signature must have
// exactly one signer and be over signed attributes, whose digest is compared
// with the body's: content inside the signature is never looked at.
func Signer(header string, body []byte) (*x509.Certificate, error) {
	if len(header) > maxHeader {
		return nil, ErrTooLarge
	}
	der, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return nil, malformed("not base64")
	}
	return verify(der, body)
}

func verify(der, body []byte) (cert *x509.Certificate, err error) {
	defer func() { // the parser is made for messages from friends
		if recover() != nil {
			cert, err = nil, malformed("not a CMS message")
		}
	}()
	message, err := pkcs7.Parse(der)
	if err != nil {
		return nil, malformed("not a CMS message")
	}
	signer := message.GetOnlySigner()
	if signer == nil {
		return nil, malformed("not one signer with a certificate")
	}
	if key, ok := signer.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxKeyBits {
		return nil, fmt.Errorf("%w: an RSA key of more than %d bits", ErrTooLarge, maxKeyBits)
	}
	var digest []byte
	if err := message.UnmarshalSignedAttribute(pkcs7.OIDAttributeMessageDigest, &digest); err != nil {
		return nil, malformed("no message digest among the signed attributes")
	}
	var content asn1.ObjectIdentifier
	if err := message.UnmarshalSignedAttribute(pkcs7.OIDAttributeContentType, &content); err != nil || !content.Equal(pkcs7.OIDData) {
		return nil, malformed("signs something other than data")
	}
	message.Content = body
	if err := message.Verify(); err != nil {
		if _, ok := errors.AsType[*pkcs7.SigningTimeNotValidError](err); ok {
			return nil, fmt.Errorf("%w: signed outside its validity", ErrExpired)
		}
		return nil, fmt.Errorf("%w: %w", ErrMismatch, err)
	}
	return signer, nil
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
