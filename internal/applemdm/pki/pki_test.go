package pki_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func request(t *testing.T, key any) *x509.CertificateRequest {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "admin"}, DNSNames: []string{"example.com"},
	}, key)
	require.NoError(t, err)
	csr, err := x509.ParseCertificateRequest(der)
	require.NoError(t, err)
	return csr
}

func newAuthority(t *testing.T) *pki.Authority {
	t.Helper()
	a, err := pki.New(pkix.Name{CommonName: "Device identities", Organization: []string{"Example"}}, at(noon))
	require.NoError(t, err)
	return a
}

func TestAuthority(t *testing.T) {
	a := newAuthority(t)
	c := a.Certificate()
	assert.True(t, c.IsCA && c.BasicConstraintsValid && c.MaxPathLenZero)
	assert.Equal(t, noon.Add(-time.Hour), c.NotBefore)
	assert.Equal(t, c.NotBefore.Add(pki.Lifetime), c.NotAfter)
	assert.Len(t, c.SubjectKeyId, 20)
	assert.Equal(t, 128, c.SerialNumber.BitLen())
	assert.NotZero(t, c.KeyUsage&x509.KeyUsageCertSign)
	assert.NotZero(t, c.KeyUsage&x509.KeyUsageKeyEncipherment, "clients encrypt to it")
	require.NoError(t, c.CheckSignatureFrom(c))

	key, err := a.MarshalKey()
	require.NoError(t, err)
	opened, err := pki.Open(c.Raw, key, at(noon))
	require.NoError(t, err)
	assert.True(t, opened.Certificate().Equal(c))
	assert.True(t, opened.Key().Equal(a.Key()))

	_, err = pki.Open(newAuthority(t).Certificate().Raw, key, at(noon))
	require.Error(t, err, "another authority's key")
	_, err = pki.Open(c.Raw, key[:len(key)-1], at(noon))
	require.Error(t, err)

	block, rest := pem.Decode(pki.PEM(c, c))
	assert.Equal(t, c.Raw, block.Bytes)
	block, _ = pem.Decode(rest)
	assert.Equal(t, c.Raw, block.Bytes)
}

func TestDevice(t *testing.T) {
	a, b := newAuthority(t), newAuthority(t)
	key, err := pki.NewKey()
	require.NoError(t, err)
	c, err := a.IssueDevice(request(t, key), pkix.Name{CommonName: "enrolment"}, 24*time.Hour)
	require.NoError(t, err)
	assert.Equal(t, "CN=enrolment", c.Subject.String(), "the subject is the server's")
	assert.Empty(t, c.DNSNames)
	assert.False(t, c.IsCA)
	assert.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, c.ExtKeyUsage)
	assert.Equal(t, noon.Add(24*time.Hour), c.NotAfter)
	assert.Equal(t, a.Certificate().SubjectKeyId, c.AuthorityKeyId)

	require.NoError(t, a.Trust().Verify(c, noon))
	require.ErrorIs(t, a.Trust().Verify(c, noon.Add(25*time.Hour)), pki.ErrIdentity)
	require.ErrorIs(t, a.Trust().Verify(c, noon.Add(-2*time.Hour)), pki.ErrIdentity)
	require.ErrorIs(t, b.Trust().Verify(c, noon), pki.ErrIdentity, "an authority of the same name")
	require.ErrorIs(t, a.Trust().Verify(a.Certificate(), noon), pki.ErrIdentity)

	require.NoError(t, pki.NewTrust(b.Certificate(), a.Certificate()).Verify(c, noon), "while one authority follows another")
	require.ErrorIs(t, pki.NewTrust().Verify(c, noon), pki.ErrIdentity)

	again, err := a.IssueDevice(request(t, key), pkix.Name{CommonName: "enrolment"}, 20*pki.Lifetime)
	require.NoError(t, err)
	assert.NotEqual(t, c.SerialNumber, again.SerialNumber)
	assert.Equal(t, a.Certificate().NotAfter, again.NotAfter, "it does not outlive the authority")
}

func TestRequestsRefused(t *testing.T) {
	a := newAuthority(t)
	subject := pkix.Name{CommonName: "enrolment"}
	weak, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // the weak key that is refused
	require.NoError(t, err)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	good, err := pki.NewKey()
	require.NoError(t, err)

	_, err = a.IssueDevice(request(t, weak), subject, time.Hour)
	require.ErrorIs(t, err, pki.ErrKey)
	_, err = a.IssueDevice(request(t, curve), subject, time.Hour)
	require.ErrorIs(t, err, pki.ErrKey)
	unsigned := request(t, good)
	unsigned.Signature[0] ^= 1
	_, err = a.IssueDevice(unsigned, subject, time.Hour)
	require.ErrorIs(t, err, pki.ErrSignature)
	_, err = a.IssueDevice(request(t, good), subject, 0)
	require.Error(t, err)

	key, err := a.MarshalKey()
	require.NoError(t, err)
	late, err := pki.Open(a.Certificate().Raw, key, at(noon.Add(pki.Lifetime)))
	require.NoError(t, err)
	_, err = late.IssueDevice(request(t, good), subject, time.Hour)
	require.ErrorIs(t, err, pki.ErrExpired)
}

func TestSigner(t *testing.T) {
	a := newAuthority(t)
	s, err := a.IssueSigner(pkix.Name{CommonName: "Example"}, 24*time.Hour)
	require.NoError(t, err)
	require.NoError(t, s.Certificate.CheckSignatureFrom(a.Certificate()))
	assert.True(t, s.Key.PublicKey.Equal(s.Certificate.PublicKey))
	assert.Equal(t, []*x509.Certificate{a.Certificate()}, s.Issuers)
	require.ErrorIs(t, a.Trust().Verify(s.Certificate, noon), pki.ErrIdentity, "it is no device")
}
