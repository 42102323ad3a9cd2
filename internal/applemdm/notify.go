package applemdm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/bailiwick/bailiwick/ent/applemdm"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// PushCertificate opens the certificate under which a site's devices are
// notified, as a connection to APNs presents it. It is PRECONDITION_FAILED
// without one. The context carries the site's scope.
func (s *Service) PushCertificate(ctx context.Context, site *Site) (tls.Certificate, error) {
	m, err := s.client.AppleMdm.Query().Where(applemdm.ID(site.ID)).Only(ctx)
	if err != nil {
		return tls.Certificate{}, err
	}
	if len(m.PushCertificate) == 0 {
		return tls.Certificate{}, fault.New(fault.PreconditionFailed, "the organization has no push certificate yet")
	}
	leaf, err := x509.ParseCertificate(m.PushCertificate)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("push certificate of %s: %w", m.ID, err)
	}
	key, err := s.privateKey(ctx, m, applemdm.FieldPushKey, m.PushKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}, nil
}
