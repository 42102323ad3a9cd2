package pki

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"
)

// ErrIdentity is returned for a certificate that is no device identity of a
// trusted authority at the time asked for.
var ErrIdentity = errors.New("pki: not an identity of this certificate authority")

// maxKnown bounds how many identities a Trust remembers.
const maxKnown = 4096

// Trust verifies device identities. It needs no key, so that it can be kept in
// memory while the authorities' keys stay sealed. It is safe for concurrent use.
type Trust struct {
	roots *x509.CertPool
	known *expirable.LRU[[sha256.Size]byte, life] // identities that were verified before, by their DER
}

// life is when all certificates of a chain are valid.
type life struct{ from, to time.Time }

func (l life) holds(at time.Time) bool { return !at.Before(l.from) && !at.After(l.to) }

// NewTrust trusts the authorities of one organization: several while one
// follows another.
func NewTrust(authorities ...*x509.Certificate) *Trust {
	roots := x509.NewCertPool()
	for _, c := range authorities {
		roots.AddCert(c)
	}
	return &Trust{roots: roots, known: expirable.NewLRU[[sha256.Size]byte, life](maxKnown, nil, 0)}
}

// Verify checks that a certificate is a device identity of a trusted authority,
// valid at the time given. The error is ErrIdentity with the reason.
func (t *Trust) Verify(certificate *x509.Certificate, at time.Time) error {
	sum := sha256.Sum256(certificate.Raw)
	if l, ok := t.known.Get(sum); ok && l.holds(at) {
		return nil
	}
	chains, err := certificate.Verify(x509.VerifyOptions{
		Roots: t.roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	if certificate.IsCA { // the authority itself is no device
		return ErrIdentity
	}
	l := life{from: certificate.NotBefore, to: certificate.NotAfter}
	for _, c := range chains[0] {
		l.from, l.to = latest(l.from, c.NotBefore), earliest(l.to, c.NotAfter)
	}
	t.known.Add(sum, l)
	return nil
}
