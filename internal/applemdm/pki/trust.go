package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// ErrIdentity is returned for a certificate that is no device identity of a
// trusted authority at the time asked for.
var ErrIdentity = errors.New("pki: not an identity of this certificate authority")

// Trust verifies device identities. It needs no key, so that it can be kept in
// memory while the authorities' keys stay sealed.
type Trust struct{ roots *x509.CertPool }

// NewTrust trusts the authorities of one organization: several while one
// follows another.
func NewTrust(authorities ...*x509.Certificate) *Trust {
	roots := x509.NewCertPool()
	for _, c := range authorities {
		roots.AddCert(c)
	}
	return &Trust{roots: roots}
}

// Verify checks that a certificate is a device identity of a trusted authority,
// valid at the time given. The error is ErrIdentity with the reason.
func (t *Trust) Verify(certificate *x509.Certificate, at time.Time) error {
	_, err := certificate.Verify(x509.VerifyOptions{
		Roots: t.roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	if certificate.IsCA { // the authority itself is no device
		return ErrIdentity
	}
	return nil
}
