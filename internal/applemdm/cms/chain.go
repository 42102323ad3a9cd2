package cms

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// maxChain is the most certificates between a signer and its root.
const maxChain = 5

// ErrChain is returned for a signer that no given root vouches for.
var ErrChain = errors.New("cms: the signer's certificate leads to no trusted root")

// VerifyChain checks that the signer's certificate leads to one of the roots
// over the certificates that the message carries. It accepts signatures made
// with SHA-1, which crypto/x509 refuses: the certificates that Apple's
// devices are born with have them, and the over-the-air profile service is
// signed with these.
//
// Dates are judged at the time given. A zero time leaves dates alone: Apple's
// device CA has expired, and its devices still sign.
func (s *Signed) VerifyChain(roots []*x509.Certificate, at time.Time) error {
	current := s.Signer
	if err := valid(current, at); err != nil {
		return err
	}
	for range maxChain {
		if root := issuerOf(current, roots, at); root != nil {
			return nil
		}
		next := issuerOf(current, s.Certificates, at)
		if next == nil || next.Equal(current) {
			return ErrChain
		}
		current = next
	}
	return ErrChain
}

// issuerOf returns the certificate that may issue others, is named as the
// issuer, and made the signature; nil if there is none.
func issuerOf(c *x509.Certificate, among []*x509.Certificate, at time.Time) *x509.Certificate {
	for _, issuer := range among {
		if !issuer.IsCA || !issuer.BasicConstraintsValid || !bytes.Equal(issuer.RawSubject, c.RawIssuer) || valid(issuer, at) != nil {
			continue
		}
		if issuer.KeyUsage != 0 && issuer.KeyUsage&x509.KeyUsageCertSign == 0 {
			continue
		}
		if checkKey(issuer) != nil {
			continue
		}
		if issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil {
			return issuer
		}
	}
	return nil
}

func valid(c *x509.Certificate, at time.Time) error {
	if !at.IsZero() && (at.Before(c.NotBefore) || at.After(c.NotAfter)) {
		return fmt.Errorf("%w: %q is valid from %s to %s", ErrChain, c.Subject.CommonName,
			c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339))
	}
	return nil
}
