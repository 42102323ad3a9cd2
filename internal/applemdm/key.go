package applemdm

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/applemdm"
	"github.com/bailiwick/bailiwick/ent/enrollment"
	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/tenancy"
)

// keys are an organization's own, opened.
type keys struct {
	authority *pki.Authority
	signer    *pki.Identity
}

// Authority returns the certificate authority of the scope's organization. It is
// NOT_FOUND without one.
func (s *Service) Authority(ctx context.Context) (*pki.Authority, error) {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return nil, err
	}
	id, _ := scope.Organization()
	m, err := s.client.AppleMdm.Query().Where(applemdm.OrganizationID(id)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, fault.Missing(id)
	}
	if err != nil {
		return nil, err
	}
	k, err := s.open(ctx, m)
	if err != nil {
		return nil, err
	}
	return k.authority, nil
}

// open opens the keys of a row. They are kept by the certificates that they
// belong to, so that other certificates never meet old keys.
func (s *Service) open(ctx context.Context, m *ent.AppleMdm) (*keys, error) {
	digest := sha256.New()
	digest.Write(m.CaCertificate)
	digest.Write(m.SigningCertificate)
	name := m.ID + "/" + hex.EncodeToString(digest.Sum(nil))
	if k, ok := s.keys.Get(name); ok {
		return k, nil
	}
	ca, err := s.openKey(ctx, m, applemdm.FieldCaKey, m.CaKey)
	if err != nil {
		return nil, err
	}
	authority, err := pki.Open(m.CaCertificate, ca, s.config.Clock)
	if err != nil {
		return nil, fmt.Errorf("%w in %s: %w", errUnready, m.ID, err)
	}
	signing, err := s.openKey(ctx, m, applemdm.FieldSigningKey, m.SigningKey)
	if err != nil {
		return nil, err
	}
	key, err := pki.ParseKey(signing)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(m.SigningCertificate)
	if err != nil {
		return nil, fmt.Errorf("signing certificate of %s: %w", m.ID, err)
	}
	k := &keys{authority: authority, signer: &pki.Identity{
		Certificate: certificate, Key: key, Issuers: []*x509.Certificate{authority.Certificate()},
	}}
	s.keys.Add(name, k)
	return k, nil
}

func (s *Service) openKey(ctx context.Context, m *ent.AppleMdm, column string, sealed []byte) ([]byte, error) {
	key, err := s.config.Vault.Open(ctx, placeOf(m.OrganizationID, m.ID, column), sealed)
	if err != nil {
		return nil, fmt.Errorf("open %s of %s: %w", column, m.ID, err)
	}
	return key, nil
}

// sealKey encodes a key and seals it for its place.
func (s *Service) sealKey(ctx context.Context, organizationID, id, column string, key *rsa.PrivateKey) ([]byte, error) {
	der, err := pki.MarshalKey(key)
	if err != nil {
		return nil, err
	}
	return s.config.Vault.Seal(ctx, placeOf(organizationID, id, column), der)
}

func placeOf(organizationID, id, column string) secret.Place {
	return secret.Place{Tenant: organizationID, Table: applemdm.Table, Column: column, Row: id}
}

func placeOfToken(organizationID, id string) secret.Place {
	return secret.Place{Tenant: organizationID, Table: enrollment.Table, Column: enrollment.FieldToken, Row: id}
}

// digest names a secret without telling it: it is random, and too long to guess.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Fingerprint is how identities are known: the SHA-256 of the certificate, in
// lower-case hexadecimal.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}
