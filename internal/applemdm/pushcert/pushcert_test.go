package pushcert_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/micromdm/plist"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/applemdm/pushcert"
	"github.com/bailiwick/bailiwick/internal/fault"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

const topic = "com.apple.mgmt.External.8f6c1d1e-6c0a-4c9e-9b57-0d1f2c3b4a59"

// portal is a stand-in for Apple's: it certifies any key under any topic.
type portal struct {
	key  *rsa.PrivateKey
	root *x509.Certificate
}

func newPortal(t testing.TB) *portal {
	t.Helper()
	p := &portal{key: newKey(t)}
	p.root = p.certify(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "Portal"}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(9, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, &p.key.PublicKey)
	return p
}

func (p *portal) certify(t testing.TB, template *x509.Certificate, key *rsa.PublicKey) *x509.Certificate {
	t.Helper()
	template.SerialNumber = big.NewInt(0x0a1b2c)
	parent := p.root
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, p.key)
	require.NoError(t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return c
}

// push certifies a key for a year from a time, under a topic.
func (p *portal) push(t testing.TB, key *rsa.PrivateKey, topic string, from time.Time) *x509.Certificate {
	t.Helper()
	return p.certify(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "APSP:8f6c1d1e", ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, Value: topic},
		}},
		NotBefore: from, NotAfter: from.AddDate(1, 0, 0),
	}, &key.PublicKey)
}

func newKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := pki.NewKey()
	require.NoError(t, err)
	return key
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func newVendor(t testing.TB, p *portal) (vendor *pushcert.Vendor, certificate *x509.Certificate) {
	t.Helper()
	key := newKey(t)
	certificate = p.certify(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "MDM Vendor: Example"}, NotBefore: noon, NotAfter: noon.AddDate(1, 0, 0),
	}, &key.PublicKey)
	vendor, err := pushcert.ParseVendor(pki.PEM(certificate, p.root), pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), "", noon)
	require.NoError(t, err)
	return vendor, certificate
}

func TestSignedCSR(t *testing.T) {
	p := newPortal(t)
	vendor, certificate := newVendor(t, p)
	staged, err := pushcert.Stage(pkix.Name{CommonName: "Example", Country: []string{"US"}})
	require.NoError(t, err)
	csr, err := x509.ParseCertificateRequest(staged.CSR)
	require.NoError(t, err)
	require.NoError(t, csr.CheckSignature())
	assert.True(t, staged.Key.PublicKey.Equal(csr.PublicKey))

	file, err := pushcert.SignedCSR(staged.CSR, vendor)
	require.NoError(t, err)
	document, err := base64.StdEncoding.DecodeString(string(file))
	require.NoError(t, err)
	var parts map[string]string
	require.NoError(t, plist.Unmarshal(document, &parts))
	require.Len(t, parts, 3)
	assert.Equal(t, base64.StdEncoding.EncodeToString(staged.CSR), parts["PushCertRequestCSR"])
	assert.Equal(t, string(pki.PEM(certificate, p.root)), parts["PushCertCertificateChain"])
	signature, err := base64.StdEncoding.DecodeString(parts["PushCertSignature"])
	require.NoError(t, err)
	digest := sha256.Sum256(staged.CSR)
	require.NoError(t, rsa.VerifyPKCS1v15(certificate.PublicKey.(*rsa.PublicKey), crypto.SHA256, digest[:], signature))

	plain, err := pushcert.SignedCSR(staged.CSR, nil)
	require.NoError(t, err)
	assert.Equal(t, pemOf("CERTIFICATE REQUEST", staged.CSR), plain)
}

func TestVendorMisconfigured(t *testing.T) {
	p := newPortal(t)
	key := newKey(t)
	own := pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	leaf := p.certify(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "vendor"}, NotBefore: noon, NotAfter: noon.AddDate(1, 0, 0),
	}, &key.PublicKey)
	other := newPortal(t)
	for name, c := range map[string]struct {
		chain, key []byte
		at         time.Time
		says       string
	}{
		"no chain":     {pki.PEM(leaf), own, noon, "WWDR"},
		"wrong order":  {pki.PEM(p.root, leaf), own, noon, "not issued by"},
		"other issuer": {pki.PEM(leaf, other.root), own, noon, "not issued by"},
		"expired":      {pki.PEM(leaf, p.root), own, noon.AddDate(2, 0, 0), "expired"},
		"another key":  {pki.PEM(leaf, p.root), pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(other.key)), noon, "does not belong"},
		"no key":       {pki.PEM(leaf, p.root), nil, noon, "vendor key"},
		"garbage":      {pemOf("CERTIFICATE", []byte("x")), own, noon, "certificate 1"},
	} {
		_, err := pushcert.ParseVendor(c.chain, c.key, "", c.at)
		assert.ErrorContains(t, err, c.says, name)
	}
}

func TestRead(t *testing.T) {
	p := newPortal(t)
	key := newKey(t)
	c := p.push(t, key, topic, noon)
	got, err := pushcert.Read(pushcert.Upload{Certificate: pki.PEM(c)}, key, noon)
	require.NoError(t, err)
	assert.Equal(t, &pushcert.Certificate{
		Leaf: c, Key: key, Topic: topic, Serial: "0a1b2c", Issuer: "CN=Portal",
		NotBefore: noon, NotAfter: noon.AddDate(1, 0, 0),
	}, got)
	assert.Equal(t, [][]byte{c.Raw}, got.TLS().Certificate)

	pkcs8DER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	encrypted, err := pkcs8.MarshalPrivateKey(key, []byte("secret"), nil)
	require.NoError(t, err)
	spaced := encrypted // DER whose last byte looks like a space
	for !strings.ContainsRune(" \t\n\v\f\r", rune(spaced[len(spaced)-1])) {
		spaced, err = pkcs8.MarshalPrivateKey(key, []byte("secret"), nil)
		require.NoError(t, err)
	}
	scrypt, err := pkcs8.MarshalPrivateKey(key, []byte("secret"), &pkcs8.Opts{
		Cipher: pkcs8.AES256CBC, KDFOpts: pkcs8.ScryptOpts{SaltSize: 16, CostParameter: 1 << 14, BlockSize: 8, ParallelizationParameter: 1},
	})
	require.NoError(t, err)
	legacy, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), []byte("secret"), x509.PEMCipherAES256) //nolint:staticcheck // as old tools did
	require.NoError(t, err)
	p12, err := pkcs12.Modern.Encode(key, c, []*x509.Certificate{p.root}, "secret")
	require.NoError(t, err)
	old, err := pkcs12.LegacyDES.Encode(key, c, nil, "secret")
	require.NoError(t, err)

	for name, upload := range map[string]pushcert.Upload{
		"DER":               {Certificate: c.Raw, Key: pkcs8DER},
		"PEM with a chain":  {Certificate: pki.PEM(p.root, c), Key: pemOf("PRIVATE KEY", pkcs8DER)},
		"PKCS#1":            {Certificate: pki.PEM(c), Key: pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))},
		"PKCS#8 encrypted":  {Certificate: pki.PEM(c), Key: pemOf("ENCRYPTED PRIVATE KEY", encrypted), Passphrase: "secret"},
		"encrypted DER":     {Certificate: c.Raw, Key: encrypted, Passphrase: "secret"},
		"DER ends in space": {Certificate: c.Raw, Key: spaced, Passphrase: "secret"},
		"DER and a newline": {Certificate: append(bytes.Clone(c.Raw), '\n'), Key: append(bytes.Clone(pkcs8DER), '\r', '\n')},
		"scrypt":            {Certificate: c.Raw, Key: scrypt, Passphrase: "secret"},
		"legacy PEM":        {Certificate: c.Raw, Key: pem.EncodeToMemory(legacy), Passphrase: "secret"},
		"PKCS#12":           {Certificate: p12, Passphrase: "secret"},
		"old PKCS#12":       {Certificate: old, Passphrase: "secret"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := pushcert.Read(upload, nil, noon)
			require.NoError(t, err)
			assert.True(t, got.Key.Equal(key))
			assert.Equal(t, topic, got.Topic)

			if upload.Passphrase == "" {
				return
			}
			for _, wrong := range []string{"", "Secret"} {
				upload.Passphrase = wrong
				_, err = pushcert.Read(upload, nil, noon)
				assertFault(t, err, "input.passphrase", "passphrase")
			}
		})
	}
}

func assertFault(t testing.TB, err error, field, says string) {
	t.Helper()
	var f *fault.Error
	require.ErrorAs(t, err, &f)
	assert.Equal(t, fault.InvalidArgument, f.Code)
	assert.Equal(t, field, f.Field)
	assert.Contains(t, f.Message, says)
}

func TestReadRefuses(t *testing.T) {
	p := newPortal(t)
	key, other := newKey(t), newKey(t)
	weak, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // the weak key that is refused
	require.NoError(t, err)
	good := pki.PEM(p.push(t, key, topic, noon))
	of := func(topic string) []byte { return pki.PEM(p.push(t, key, topic, noon)) }
	web := pki.PEM(p.certify(t, &x509.Certificate{Subject: pkix.Name{CommonName: "web"}, NotBefore: noon, NotAfter: noon.AddDate(1, 0, 0)}, &key.PublicKey))
	mismatched, err := pkcs12.Modern.Encode(key, p.push(t, other, topic, noon), nil, "")
	require.NoError(t, err)
	costly, err := pkcs8.MarshalPrivateKey(key, []byte("x"), &pkcs8.Opts{
		Cipher: pkcs8.AES256CBC, KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 8, IterationCount: 2_000_001, HMACHash: crypto.SHA256},
	})
	require.NoError(t, err)
	// scrypt with N=2^30 is a terabyte: the parameters are written over cheap ones.
	greedy, err := pkcs8.MarshalPrivateKey(key, []byte("x"), &pkcs8.Opts{
		Cipher: pkcs8.AES256CBC, KDFOpts: pkcs8.ScryptOpts{SaltSize: 16, CostParameter: 0x4000, BlockSize: 8, ParallelizationParameter: 1},
	})
	require.NoError(t, err)
	at := bytes.Index(greedy, []byte{2, 2, 0x40, 0, 2, 1, 8, 2, 1, 1})
	require.Positive(t, at)
	greedy[at+6] = 0x7f // r

	for name, c := range map[string]struct {
		upload pushcert.Upload
		staged *rsa.PrivateKey
		at     time.Time
		field  string
		says   string
	}{
		"nothing":          {pushcert.Upload{}, key, noon, "input.certificate", "upload the certificate"},
		"text":             {pushcert.Upload{Certificate: []byte("hello")}, key, noon, "input.certificate", "no certificate"},
		"broken PEM":       {pushcert.Upload{Certificate: pemOf("CERTIFICATE", []byte("x"))}, key, noon, "input.certificate", "no certificate"},
		"too large":        {pushcert.Upload{Certificate: make([]byte, 64<<10+1)}, key, noon, "input.certificate", "larger"},
		"no key at all":    {pushcert.Upload{Certificate: good}, nil, noon, "input.privateKey", "there is no key"},
		"another key":      {pushcert.Upload{Certificate: good}, other, noon, "input.certificate", "not made for this key"},
		"another file key": {pushcert.Upload{Certificate: good, Key: x509.MarshalPKCS1PrivateKey(other)}, key, noon, "input.certificate", "not made for this key"},
		"no key file":      {pushcert.Upload{Certificate: good, Key: []byte("hello")}, key, noon, "input.privateKey", "no RSA private key"},
		"weak key":         {pushcert.Upload{Certificate: good, Key: x509.MarshalPKCS1PrivateKey(weak)}, key, noon, "input.privateKey", "2048"},
		"web certificate":  {pushcert.Upload{Certificate: web}, key, noon, "input.certificate", "no MDM push certificate"},
		"app topic":        {pushcert.Upload{Certificate: of("com.example.app")}, key, noon, "input.certificate", "no MDM push certificate"},
		"bare prefix":      {pushcert.Upload{Certificate: of("com.apple.mgmt.")}, key, noon, "input.certificate", "no MDM push certificate"},
		"expired":          {pushcert.Upload{Certificate: good}, key, noon.AddDate(1, 0, 1), "input.certificate", "same Apple ID"},
		"early":            {pushcert.Upload{Certificate: good}, key, noon.AddDate(0, 0, -1), "input.certificate", "clock"},
		"P12 of two":       {pushcert.Upload{Certificate: mismatched}, key, noon, "input.certificate", "no certificate for it"},
		"cut P12":          {pushcert.Upload{Certificate: mismatched[:len(mismatched)-9]}, key, noon, "input.certificate", "no certificate"},
		"many rounds":      {pushcert.Upload{Certificate: good, Key: costly, Passphrase: "x"}, nil, noon, "input.privateKey", "not read"},
		"much memory":      {pushcert.Upload{Certificate: good, Key: greedy, Passphrase: "x"}, nil, noon, "input.privateKey", "not read"},
		"long passphrase":  {pushcert.Upload{Certificate: good, Passphrase: strings.Repeat("x", 1025)}, key, noon, "input.passphrase", "longer"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pushcert.Read(c.upload, c.staged, c.at)
			assertFault(t, err, c.field, c.says)
		})
	}
}

func TestCompare(t *testing.T) {
	p := newPortal(t)
	key := newKey(t)
	current := p.push(t, key, topic, noon)
	assert.Equal(t, pushcert.Same, pushcert.Compare(current, current))
	assert.Equal(t, pushcert.Renewed, pushcert.Compare(current, p.push(t, newKey(t), topic, noon.AddDate(0, 11, 0))))
	assert.Equal(t, pushcert.Older, pushcert.Compare(current, p.push(t, key, topic, noon.AddDate(0, -1, 0))))
	assert.Equal(t, pushcert.OtherTopic, pushcert.Compare(current, p.push(t, key, topic+"x", noon.AddDate(1, 0, 0))))
	assert.Equal(t, pushcert.OtherTopic, pushcert.Compare(current, p.root))
}

func FuzzRead(f *testing.F) {
	p := newPortal(f)
	key := newKey(f)
	c := p.push(f, key, topic, noon)
	cheap := pkcs12.Modern.WithIterations(1)
	p12, err := cheap.Encode(key, c, nil, "secret")
	require.NoError(f, err)
	encrypted, err := pkcs8.MarshalPrivateKey(key, []byte("secret"), &pkcs8.Opts{
		Cipher: pkcs8.AES256CBC, KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 8, IterationCount: 1, HMACHash: crypto.SHA256},
	})
	require.NoError(f, err)
	f.Add(pki.PEM(c), []byte{})
	f.Add(p12, []byte{})
	f.Add(c.Raw, encrypted)
	f.Fuzz(func(t *testing.T, certificate, private []byte) {
		got, err := pushcert.Read(pushcert.Upload{Certificate: certificate, Key: private, Passphrase: "secret"}, key, noon)
		if err == nil && !got.Key.PublicKey.Equal(got.Leaf.PublicKey) {
			t.Fatal("key and certificate do not belong together")
		}
		if err != nil && fault.CodeOf(err) != fault.InvalidArgument {
			t.Fatal(err)
		}
	})
}
