package signature

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Authority decides whether a certificate is one of a tenant's.
type Authority struct {
	Roots   *x509.CertPool // that tenant's certificate authorities and no other's
	Revoked func(context.Context, *x509.Certificate) (bool, error)
	Clock   func() time.Time
}

// Verify returns nil for a certificate that the authority issued, that is
// valid now and not revoked. Otherwise it returns an error that wraps
// [ErrUntrusted], [ErrExpired] or [ErrRevoked], or the callback's own error:
// then nothing is known, and the device is to try again.
func (a Authority) Verify(ctx context.Context, cert *x509.Certificate) error {
	now := a.Clock()
	err := a.chain(cert, now)
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		// Validity is judged before the chain: another's expired certificate is
		// still another's.
		if a.chain(cert, cert.NotAfter) == nil {
			return ErrExpired
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	revoked, err := a.Revoked(ctx, cert)
	if err != nil {
		return fmt.Errorf("look up revocation: %w", err)
	}
	if revoked {
		return ErrRevoked
	}
	return nil
}

func (a Authority) chain(cert *x509.Certificate, at time.Time) error {
	_, err := cert.Verify(x509.VerifyOptions{
		Roots:       a.Roots,
		CurrentTime: at,
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err
}
