package cms_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/cms"
)

type identity struct {
	certificate *x509.Certificate
	key         *rsa.PrivateKey
}

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// issue makes a certificate; issuer is nil for a root.
func issue(t testing.TB, name string, issuer *identity, ca bool, from, to time.Time) *identity {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: from, NotAfter: to, IsCA: ca, BasicConstraintsValid: true,
		SignatureAlgorithm: x509.SHA1WithRSA, // as Apple's device CA signs
	}
	if ca {
		template.KeyUsage = x509.KeyUsageCertSign
	}
	parent, parentKey := template, key
	if issuer != nil {
		parent, parentKey = issuer.certificate, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	require.NoError(t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &identity{c, key}
}

func year(n int) time.Time { return time.Date(n, 1, 1, 0, 0, 0, 0, time.UTC) }

func TestSignAndVerify(t *testing.T) {
	signer := issue(t, "signer", nil, false, year(2020), year(2040))
	message, err := cms.Sign([]byte("content"), signer.certificate, signer.key, nil)
	require.NoError(t, err)
	signed, err := cms.Verify(message)
	require.NoError(t, err)
	assert.Equal(t, "content", string(signed.Content))
	assert.True(t, signed.Signer.Equal(signer.certificate))

	for _, size := range []int{0, 1, len(message) / 2, len(message) - 1} {
		_, err := cms.Verify(message[:size])
		require.Error(t, err, "%d bytes", size)
	}
	tampered := bytes.Replace(message, []byte("content"), []byte("Content"), 1)
	_, err = cms.Verify(tampered)
	require.Error(t, err)
	_, err = cms.Verify(make([]byte, cms.MaxSize+1))
	require.Error(t, err)
	_, err = cms.Verify(bytes.Repeat([]byte{0x30, 0x80}, cms.MaxSize/2))
	require.ErrorContains(t, err, "deep")
}

// TestLongKey: verifying with a key of 60,000 bits would keep a core busy, for
// a message that anyone can send.
func TestLongKey(t *testing.T) {
	root := issue(t, "root", nil, true, year(2020), year(2040))
	long := new(big.Int).SetBit(big.NewInt(1), 60_000, 1)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: year(2020), NotAfter: year(2040),
	}, root.certificate, &rsa.PublicKey{N: long, E: 65537}, root.key)
	require.NoError(t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	message, err := cms.Sign([]byte("x"), c, root.key, nil)
	require.NoError(t, err)
	_, err = cms.Verify(message)
	require.ErrorContains(t, err, "8192 bits")
}

func TestEnvelope(t *testing.T) {
	to, other := issue(t, "to", nil, false, year(2020), year(2040)), issue(t, "to", nil, false, year(2020), year(2040))
	for _, with := range []cms.Cipher{cms.AES256, cms.AES128, cms.DES3} {
		for _, size := range []int{0, 1, 15, 16, 17, 5000} {
			content := bytes.Repeat([]byte{7}, size)
			message, err := cms.Encrypt(content, to.certificate, with)
			require.NoError(t, err)
			opened, used, err := cms.Decrypt(message, to.certificate, to.key)
			require.NoError(t, err)
			assert.Equal(t, with, used)
			assert.True(t, bytes.Equal(content, opened))

			_, _, err = cms.Decrypt(message, other.certificate, other.key)
			require.ErrorIs(t, err, cms.ErrDecrypt)
		}
	}
}

// TestNoReason holds every way in which an envelope can be wrong to one answer:
// a key with a wrong padding, one of a wrong length, and a wrong content.
func TestNoReason(t *testing.T) {
	to := issue(t, "to", nil, false, year(2020), year(2040))
	message, err := cms.Encrypt([]byte("content"), to.certificate, cms.AES256)
	require.NoError(t, err)
	wrong, err := rsa.EncryptPKCS1v15(rand.Reader, &to.key.PublicKey, []byte("short")) //nolint:staticcheck // as a client would
	require.NoError(t, err)
	unpadded := make([]byte, 256)
	unpadded[255] = 2
	at := bytes.Index(message, []byte{0x04, 0x82, 0x01, 0x00}) + 4
	require.Greater(t, at, 4)
	for name, key := range map[string][]byte{"wrong length": wrong, "no padding": unpadded} {
		forged := bytes.Clone(message)
		copy(forged[at:], key)
		_, _, err := cms.Decrypt(forged, to.certificate, to.key)
		assert.Equal(t, cms.ErrDecrypt, err, name)
	}
	forged := bytes.Clone(message)
	forged[len(forged)-1] ^= 1
	_, _, err = cms.Decrypt(forged, to.certificate, to.key)
	if err != nil { // one in 256 random blocks ends like a padding
		assert.Equal(t, cms.ErrDecrypt, err)
	}
}

func TestVerifyChain(t *testing.T) {
	root := issue(t, "root", nil, true, year(2000), year(2035))
	stranger := issue(t, "root", nil, true, year(2000), year(2035))
	middle := issue(t, "middle", root, true, year(2007), year(2014))
	device := issue(t, "device", middle, false, year(2020), year(2035))
	plain := issue(t, "plain", root, false, year(2020), year(2035))
	below := issue(t, "below", plain, false, year(2020), year(2035))

	roots := func(of ...*identity) (out []*x509.Certificate) {
		for _, i := range of {
			out = append(out, i.certificate)
		}
		return out
	}
	verify := func(by *identity, issuers []*x509.Certificate, trusted []*x509.Certificate, at time.Time) error {
		message, err := cms.Sign([]byte("x"), by.certificate, by.key, nil)
		require.NoError(t, err)
		signed, err := cms.Verify(message)
		require.NoError(t, err)
		signed.Certificates = append(signed.Certificates, issuers...) // Sign includes no chain that is made with SHA-1
		return signed.VerifyChain(trusted, at)
	}
	never := time.Time{}
	require.Error(t, plain.certificate.CheckSignatureFrom(root.certificate), "what crypto/x509 refuses")
	require.NoError(t, verify(device, roots(middle), roots(root), never), "an expired issuer, dates left alone")
	require.ErrorIs(t, verify(device, roots(middle), roots(root), noon), cms.ErrChain, "dates judged")
	require.NoError(t, verify(plain, nil, roots(stranger, root), noon))
	require.ErrorIs(t, verify(plain, nil, roots(root), year(2036)), cms.ErrChain)
	require.ErrorIs(t, verify(device, roots(middle), roots(stranger), never), cms.ErrChain, "a root of the same name")
	require.ErrorIs(t, verify(device, nil, roots(root), never), cms.ErrChain, "no way to the root")
	require.ErrorIs(t, verify(below, nil, roots(root, plain), noon), cms.ErrChain, "an issuer that is no authority")
	require.ErrorIs(t, verify(root, nil, nil, noon), cms.ErrChain, "self-signed ends nowhere")
}

func FuzzVerify(f *testing.F) {
	signer := issue(f, "signer", nil, false, year(2020), year(2040))
	message, err := cms.Sign([]byte("content"), signer.certificate, signer.key, nil)
	require.NoError(f, err)
	envelope, err := cms.Encrypt([]byte("content"), signer.certificate, cms.AES128)
	require.NoError(f, err)
	f.Add(message)
	f.Add(envelope)
	f.Add([]byte{0x30, 0x80, 0x24, 0x80, 0x04, 0x01, 0x61, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		cms.Verify(data)
		cms.Decrypt(data, signer.certificate, signer.key)
	})
}
