package signature_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/smallstep/pkcs7"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/cms"
	"github.com/bailiwick/bailiwick/internal/applemdm/signature"
)

var (
	now  = time.Now()
	body = []byte("<plist><dict/></plist>")
)

// identity is a certificate and its key.
type identity struct {
	cert *x509.Certificate
	key  crypto.Signer
}

type tenant struct {
	identity
	roots *x509.CertPool
}

func newTenant(t testing.TB, name string) tenant {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	ca := tenant{identity{sign(t, template, template, key.Public(), key), key}, x509.NewCertPool()}
	ca.roots.AddCert(ca.cert)
	return ca
}

func (ca tenant) issue(t testing.TB, from, until time.Duration, usage x509.ExtKeyUsage) identity {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "device"}, NotBefore: now.Add(from), NotAfter: now.Add(until),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	return identity{sign(t, template, ca.cert, key.Public(), ca.key), key}
}

func (ca tenant) device(t testing.TB) identity {
	t.Helper()
	return ca.issue(t, -time.Hour, time.Hour, x509.ExtKeyUsageClientAuth)
}

func sign(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

// cms signs as devices do.
func (i identity) cms(t testing.TB, content []byte, change ...func(*pkcs7.SignedData)) []byte {
	t.Helper()
	signed, err := pkcs7.NewSignedData(content)
	require.NoError(t, err)
	signed.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	require.NoError(t, signed.AddSigner(i.cert, i.key, pkcs7.SignerInfoConfig{}))
	signed.Detach()
	for _, f := range change {
		f(signed)
	}
	der, err := signed.Finish()
	require.NoError(t, err)
	return der
}

func header(der []byte) string { return base64.StdEncoding.EncodeToString(der) }

// behind is the certificate behind a request and its body.
func behind(c signature.ProxyConfig, r *http.Request, body []byte) (*x509.Certificate, error) {
	claim, err := c.Claim(r)
	if err != nil {
		return nil, err
	}
	return claim.Certificate, claim.Verify(body)
}

func signedBy(header string) *http.Request {
	return &http.Request{Header: http.Header{"Mdm-Signature": {header}}}
}

// signer is the certificate behind a signed body.
func signer(header string, body []byte) (*x509.Certificate, error) {
	return behind(signature.ProxyConfig{}, signedBy(header), body)
}

func TestSigner(t *testing.T) {
	ca := newTenant(t, "one")
	device := ca.device(t)
	cert, err := signer(header(device.cms(t, body)), body)
	require.NoError(t, err)
	require.True(t, cert.Equal(device.cert))

	whole := device.cms(t, body)
	attached := func(content []byte) []byte {
		signed, err := pkcs7.NewSignedData(content)
		require.NoError(t, err)
		require.NoError(t, signed.AddSigner(device.cert, device.key, pkcs7.SignerInfoConfig{}))
		der, err := signed.Finish()
		require.NoError(t, err)
		return der
	}
	plain, err := pkcs7.NewSignedData(body)
	require.NoError(t, err)
	require.NoError(t, plain.SignWithoutAttr(device.cert, device.key, pkcs7.SignerInfoConfig{}))
	plain.Detach()
	bare, err := plain.Finish()
	require.NoError(t, err)
	other := ca.device(t)
	encrypted, err := pkcs7.Encrypt(body, []*x509.Certificate{device.cert})
	require.NoError(t, err)
	forged := []byte(strings.ReplaceAll(string(whole), string(device.cert.RawSubjectPublicKeyInfo), string(other.cert.RawSubjectPublicKeyInfo)))
	expired := ca.issue(t, -3*time.Hour, -2*time.Hour, x509.ExtKeyUsageClientAuth)
	late, err := pkcs7.NewSignedData(body)
	require.NoError(t, err)
	lateErr := late.AddSigner(expired.cert, expired.key, pkcs7.SignerInfoConfig{})
	require.NoError(t, lateErr)
	late.Detach()
	lateDER, err := late.Finish()
	require.NoError(t, err)

	huge := identity{key: device.key}
	huge.cert = sign(t, &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}, ca.cert,
		&rsa.PublicKey{N: new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 60_000), big.NewInt(1)), E: 1<<31 - 1}, ca.key)

	for name, c := range map[string]struct {
		header string
		body   []byte
		want   error
	}{
		"another body":                 {header(whole), []byte("<plist><array/></plist>"), signature.ErrMismatch},
		"no body":                      {header(whole), nil, signature.ErrMismatch},
		"content of its own":           {header(attached([]byte("something else"))), body, signature.ErrMismatch},
		"another's key in the cert":    {header(forged), body, signature.ErrMismatch},
		"an altered signature":         {header(flip(whole, len(whole)-5)), body, signature.ErrMismatch},
		"signed when it was not valid": {header(lateDER), body, signature.ErrExpired},
		"no signed attributes":         {header(bare), body, signature.ErrMalformed},
		"two signers": {header(device.cms(t, body, func(s *pkcs7.SignedData) {
			require.NoError(t, s.AddSigner(other.cert, other.key, pkcs7.SignerInfoConfig{}))
		})), body, signature.ErrMalformed},
		"encrypted":                       {header(encrypted), body, signature.ErrMalformed},
		"a certificate alone":             {header(device.cert.Raw), body, signature.ErrMalformed},
		"empty":                           {"", body, signature.ErrMalformed},
		"not base64":                      {"<plist/>", body, signature.ErrMalformed},
		"not CMS":                         {header([]byte("hello")), body, signature.ErrMalformed},
		"a key of 60,000 bits":            {header(huge.cms(t, body)), body, signature.ErrTooLarge},
		"bytes after the message":         {header(append(bytes.Clone(whole), 0)), body, signature.ErrMalformed},
		"nested without end":              {header([]byte(strings.Repeat("\x30\x80", 6000))), body, signature.ErrMalformed},
		"a header of 16 KiB and a byte":   {strings.Repeat("A", 16<<10+1), body, signature.ErrTooLarge},
		"a length of many gigabytes":      {header([]byte("\x30\x84\xff\xff\xff\xff")), body, signature.ErrMalformed},
		"a signed message within another": {header(device.cms(t, body, func(s *pkcs7.SignedData) { s.GetSignedData().ContentInfo.ContentType = pkcs7.OIDSignedData })), body, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := signer(c.header, c.body)
			if c.want == nil { // the content type outside the signed attributes decides nothing
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, c.want)
		})
	}
	for cut := range len(whole) {
		_, err := signer(header(whole[:cut]), body)
		require.Error(t, err, "cut at %d", cut)
	}
}

// Signatures that openssl cms -sign made, with lengths and without, are read.
func TestSignerOpenSSL(t *testing.T) {
	signed, err := os.ReadFile("testdata/body.plist")
	require.NoError(t, err)
	for name, subject := range map[string]string{"rsa": "device", "rsa-indefinite": "device", "rsa-sha1": "device", "ecdsa": "ecdevice"} {
		t.Run(name, func(t *testing.T) {
			header, err := os.ReadFile("testdata/" + name + ".header")
			require.NoError(t, err)
			cert, err := signer(string(header), signed)
			require.NoError(t, err)
			require.Equal(t, subject, cert.Subject.CommonName)
			claim, err := signature.ProxyConfig{}.Claim(signedBy(string(header)))
			require.NoError(t, err)
			require.Equal(t, "2026-11-22T09:53:01Z", claim.SignedAt().UTC().Format(time.RFC3339))
			_, err = signer(string(header), append(signed, '\n'))
			require.ErrorIs(t, err, signature.ErrMismatch)
		})
	}
}

func flip(der []byte, at int) []byte {
	changed := append([]byte(nil), der...)
	changed[at] ^= 1
	return changed
}

func escaped(cert *x509.Certificate) string {
	return url.QueryEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})))
}

func TestFormats(t *testing.T) {
	ca := newTenant(t, "one")
	cert := ca.device(t).cert
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
	nginx := strings.ReplaceAll(url.PathEscape(text), "+", "%2B")
	for name, c := range map[string]struct {
		format signature.Format
		header string
	}{
		"RFC 9440":             {signature.ClientCert, ":" + header(cert.Raw) + ":"},
		"RFC 9440 with spaces": {signature.ClientCert, " :" + header(cert.Raw) + ": "},
		"nginx":                {signature.EscapedPEM, nginx},
		"AWS, plus signs left": {signature.EscapedPEM, strings.NewReplacer("\n", "%0A", " ", "%20").Replace(text)},
		"with its chain":       {signature.EscapedPEM, nginx + escaped(ca.cert)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.format.Decode(c.header)
			require.NoError(t, err)
			require.True(t, got.Equal(cert))
		})
	}
	key := url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: cert.Raw})))
	for name, c := range map[string]struct {
		format signature.Format
		header string
		want   error
	}{
		"RFC 9440, not closed":   {signature.ClientCert, ":" + header(cert.Raw), signature.ErrMalformed},
		"RFC 9440, bare":         {signature.ClientCert, header(cert.Raw), signature.ErrMalformed},
		"RFC 9440, one colon":    {signature.ClientCert, ":", signature.ErrMalformed},
		"RFC 9440, empty":        {signature.ClientCert, "::", signature.ErrMalformed},
		"RFC 9440, parameters":   {signature.ClientCert, ":" + header(cert.Raw) + ":;a=1", signature.ErrMalformed},
		"RFC 9440, two":          {signature.ClientCert, ":" + header(cert.Raw) + ":, :" + header(cert.Raw) + ":", signature.ErrMalformed},
		"RFC 9440, truncated":    {signature.ClientCert, ":" + header(cert.Raw[:100]) + ":", signature.ErrMalformed},
		"RFC 9440, and more":     {signature.ClientCert, ":" + header(append(cert.Raw, 0)) + ":", signature.ErrMalformed},
		"RFC 9440, large":        {signature.ClientCert, ":" + strings.Repeat("A", 16<<10) + ":", signature.ErrTooLarge},
		"PEM, a key":             {signature.EscapedPEM, key, signature.ErrMalformed},
		"PEM, cut":               {signature.EscapedPEM, nginx[:300], signature.ErrMalformed},
		"PEM, badly escaped":     {signature.EscapedPEM, "%zz", signature.ErrMalformed},
		"PEM, large":             {signature.EscapedPEM, strings.Repeat("A", 16<<10+1), signature.ErrTooLarge},
		"PEM, not a certificate": {signature.EscapedPEM, "-----BEGIN%20CERTIFICATE-----%0AAAAA%0A-----END%20CERTIFICATE-----%0A", signature.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.format.Decode(c.header)
			require.ErrorIs(t, err, c.want)
		})
	}
}

func TestCertificate(t *testing.T) {
	ca := newTenant(t, "one")
	device, other := ca.device(t), ca.device(t)
	proxy := signature.ProxyConfig{Header: "Client-Cert", Format: signature.ClientCert, Trusted: func(r *http.Request) bool {
		return strings.HasPrefix(r.RemoteAddr, "10.")
	}}
	require.NoError(t, proxy.Validate())
	request := func(change func(*http.Request)) *http.Request {
		r := httptest.NewRequest(http.MethodPut, "/mdm/one", nil)
		r.RemoteAddr = "10.0.0.1:1"
		change(r)
		return r
	}
	forwarded := func(i identity) string { return ":" + header(i.cert.Raw) + ":" }
	shown := func(i identity) *tls.ConnectionState {
		return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{i.cert, ca.cert}}
	}
	signed := header(device.cms(t, body))
	for name, c := range map[string]struct {
		request *http.Request
		want    error
	}{
		"signed":    {request(func(r *http.Request) { r.Header.Set("Mdm-Signature", signed) }), nil},
		"forwarded": {request(func(r *http.Request) { r.Header.Set("Client-Cert", forwarded(device)) }), nil},
		"shown":     {request(func(r *http.Request) { r.RemoteAddr = "192.0.2.1:1"; r.TLS = shown(device) }), nil},
		"signed, forwarded": {request(func(r *http.Request) {
			r.Header.Set("Mdm-Signature", signed)
			r.Header.Set("Client-Cert", forwarded(device))
		}), nil},
		"forwarded by a proxy with a certificate of its own": {request(func(r *http.Request) { r.Header.Set("Client-Cert", forwarded(device)); r.TLS = shown(other) }), nil},
		"signed, header of an untrusted peer": {request(func(r *http.Request) {
			r.RemoteAddr = "192.0.2.1:1"
			r.Header.Set("Mdm-Signature", signed)
			r.Header.Set("Client-Cert", forwarded(other))
		}), nil},
		"nothing":                          {request(func(*http.Request) {}), signature.ErrAbsent},
		"an empty header from the proxy":   {request(func(r *http.Request) { r.Header.Set("Client-Cert", "") }), signature.ErrAbsent},
		"claimed by an untrusted peer":     {request(func(r *http.Request) { r.RemoteAddr = "192.0.2.1:1"; r.Header.Set("Client-Cert", forwarded(device)) }), signature.ErrAbsent},
		"only the proxy's own certificate": {request(func(r *http.Request) { r.TLS = shown(other) }), signature.ErrAbsent},
		"signed by one, forwarded another": {request(func(r *http.Request) {
			r.Header.Set("Mdm-Signature", signed)
			r.Header.Set("Client-Cert", forwarded(other))
		}), signature.ErrConflict},
		"signed by one, shown another": {request(func(r *http.Request) {
			r.RemoteAddr = "192.0.2.1:1"
			r.Header.Set("Mdm-Signature", signed)
			r.TLS = shown(other)
		}), signature.ErrConflict},
		"a bad signature, a good forwarded": {request(func(r *http.Request) {
			r.Header.Set("Mdm-Signature", header(device.cms(t, []byte("x"))))
			r.Header.Set("Client-Cert", forwarded(device))
		}), signature.ErrMismatch},
		"an empty signature": {request(func(r *http.Request) {
			r.Header.Set("Mdm-Signature", "")
			r.Header.Set("Client-Cert", forwarded(device))
		}), signature.ErrMalformed},
		"two signatures": {request(func(r *http.Request) { r.Header["Mdm-Signature"] = []string{signed, signed} }), signature.ErrMalformed},
		"two forwarded":  {request(func(r *http.Request) { r.Header["Client-Cert"] = []string{forwarded(device), forwarded(device)} }), signature.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			cert, err := behind(proxy, c.request, body)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
				return
			}
			require.NoError(t, err)
			require.True(t, cert.Equal(device.cert))
		})
	}
	cert, err := behind(signature.ProxyConfig{}, request(func(r *http.Request) { r.Header.Set("Client-Cert", forwarded(other)); r.TLS = shown(device) }), body)
	require.NoError(t, err)
	require.True(t, cert.Equal(device.cert))

	require.NoError(t, signature.ProxyConfig{}.Validate())
	require.Error(t, signature.ProxyConfig{Header: "X", Format: signature.EscapedPEM}.Validate())
	require.Error(t, signature.ProxyConfig{Header: "X", Format: "xfcc", Trusted: proxy.Trusted}.Validate())
}

// judged is the certificate behind a signature as the library judges it.
func judged(der, body []byte) (cert *x509.Certificate, err error) {
	defer func() {
		if recover() != nil {
			cert, err = nil, signature.ErrMalformed
		}
	}()
	if der, err = cms.DER(der); err != nil {
		return nil, err
	}
	message, err := pkcs7.Parse(der)
	if err != nil {
		return nil, err
	}
	message.Content = body
	return message.GetOnlySigner(), message.Verify()
}

// TestSignerAgreesWithTheLibrary: a signature that was altered anywhere is only
// accepted if the library accepts it, and then as the same device's.
func TestSignerAgreesWithTheLibrary(t *testing.T) {
	device := newTenant(t, "one").device(t)
	whole := device.cms(t, body)
	accepted := 0
	for at := range whole {
		for _, change := range []byte{0x01, 0x20, 0x80} {
			altered := bytes.Clone(whole)
			altered[at] ^= change
			cert, err := signer(header(altered), body)
			if err != nil || !cert.Equal(device.cert) { // nobody trusts an altered certificate
				continue
			}
			accepted++
			want, err := judged(altered, body)
			require.NoError(t, err, "byte %d", at)
			require.True(t, cert.Equal(want), "byte %d", at)
		}
	}
	require.Less(t, accepted, len(whole), "all but what nobody signs")
}

// No header ends the process; the body decides whether a signature holds, and
// what is read without the library is judged as the library judges it.
func FuzzSigner(f *testing.F) {
	device := newTenant(f, "one").device(f)
	f.Add(device.cms(f, body))
	f.Add(device.cert.Raw)
	f.Add([]byte("\x30\x80\x06\x09*\x86H\x86\xf7\r\x01\a\x02\xa0\x80\x30\x80"))
	f.Fuzz(func(t *testing.T, der []byte) {
		cert, err := signer(header(der), body)
		if err == nil {
			require.NotNil(t, cert)
			if cert.Equal(device.cert) { // nobody trusts another
				same, err := judged(der, body)
				require.NoError(t, err)
				require.True(t, cert.Equal(same))
			}
			_, err = signer(header(der), append([]byte("x"), body...))
			require.Error(t, err)
		}
		_, _ = signature.ClientCert.Decode(":" + header(der) + ":")
		_, _ = signature.ClientCert.Decode(string(der))
		_, _ = signature.EscapedPEM.Decode(string(der))
	})
}

func BenchmarkSigner(b *testing.B) {
	h := header(newTenant(b, "one").device(b).cms(b, body))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := signer(h, body); err != nil {
			b.Fatal(err)
		}
	}
}
