// Package cms reads and writes the Cryptographic Message Syntax (RFC 5652) as
// Apple's devices and SCEP (RFC 8894) speak it. What it reads comes from
// anyone: size and depth are bounded before a parser sees the bytes, a parser's
// panic is an error, and a decryption tells nobody why it failed.
package cms

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/smallstep/pkcs7"
)

// Signed is a message whose one signature is valid. Who the signer is remains
// to be judged: VerifyChain, or the caller's own trust.
type Signed struct {
	Content      []byte
	Signer       *x509.Certificate   // the certificate that the signature fits, found in the message
	Certificates []*x509.Certificate // all that the message carries, Signer included
	parsed       *pkcs7.PKCS7
}

// Verify reads signed data and checks its signature, not its signer.
func Verify(message []byte) (signed *Signed, err error) {
	defer surviveParser(&err)
	parsed, err := parse(message)
	if err != nil {
		return nil, err
	}
	signer := parsed.GetOnlySigner()
	if signer == nil {
		return nil, errors.New("cms: not signed by exactly one certificate that the message carries")
	}
	if err := checkKey(signer); err != nil {
		return nil, err
	}
	if err := parsed.Verify(); err != nil {
		return nil, fmt.Errorf("cms: %w", err)
	}
	return &Signed{Content: parsed.Content, Signer: signer, Certificates: parsed.Certificates, parsed: parsed}, nil
}

// Attribute decodes one signed attribute. It fails if the attribute is absent.
func (s *Signed) Attribute(id asn1.ObjectIdentifier, into any) (err error) {
	defer surviveParser(&err)
	if err := s.parsed.UnmarshalSignedAttribute(id, into); err != nil {
		return fmt.Errorf("cms: attribute %v: %w", id, err)
	}
	return nil
}

// Attribute is a signed attribute to send. Value is what encoding/asn1 marshals.
type Attribute struct {
	ID    asn1.ObjectIdentifier
	Value any
}

// Sign signs content with SHA-256 and includes the signer's certificate,
// followed by its issuers if any are given, nearest first.
func Sign(
	content []byte, certificate *x509.Certificate, key *rsa.PrivateKey, issuers []*x509.Certificate, attributes ...Attribute,
) ([]byte, error) {
	data, err := pkcs7.NewSignedData(content)
	if err != nil {
		return nil, fmt.Errorf("cms: sign: %w", err)
	}
	data.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	var config pkcs7.SignerInfoConfig
	for _, a := range attributes {
		config.ExtraSignedAttributes = append(config.ExtraSignedAttributes, pkcs7.Attribute{Type: a.ID, Value: a.Value})
	}
	if err := data.AddSignerChain(certificate, key, issuers, config); err != nil {
		return nil, fmt.Errorf("cms: sign: %w", err)
	}
	message, err := data.Finish()
	if err != nil {
		return nil, fmt.Errorf("cms: sign: %w", err)
	}
	return message, nil
}

// Degenerate returns signed data that only carries certificates (RFC 8894,
// section 3.4).
func Degenerate(certificates ...*x509.Certificate) ([]byte, error) {
	var all []byte
	for _, c := range certificates {
		all = append(all, c.Raw...)
	}
	message, err := pkcs7.DegenerateCertificate(all)
	if err != nil {
		return nil, fmt.Errorf("cms: degenerate: %w", err)
	}
	return message, nil
}

func parse(message []byte) (*pkcs7.PKCS7, error) {
	der, err := DER(message)
	if err != nil {
		return nil, err
	}
	parsed, err := pkcs7.Parse(der)
	if err != nil {
		return nil, fmt.Errorf("cms: %w", err)
	}
	return parsed, nil
}

// DER reads one message in BER, bounded in size and depth, and returns it in
// definite lengths. Bytes after it are an error.
func DER(message []byte) ([]byte, error) {
	if len(message) > MaxSize {
		return nil, fmt.Errorf("cms: larger than %d bytes", MaxSize)
	}
	der, rest, err := transcode(message, 0)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, errors.New("cms: bytes after the message")
	}
	return der, nil
}

// checkKey refuses a key so long that verifying with it would take the better
// part of a second.
func checkKey(c *x509.Certificate) error {
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxKeyBits {
		return fmt.Errorf("cms: an RSA key of more than %d bits", maxKeyBits)
	}
	return nil
}

// surviveParser makes a parser's panic an error: the library slices and
// decrypts by lengths that the message claims.
func surviveParser(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("cms: malformed: %v", p)
	}
}
