package pushcert_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/micromdm/plist"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/applemdm/pushcert"
)

// shell is a directory in which openssl works.
type shell struct {
	t   *testing.T
	dir string
}

func newShell(t *testing.T) shell {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl on the PATH")
	}
	return shell{t, t.TempDir()}
}

func (s shell) write(name string, data []byte) {
	s.t.Helper()
	require.NoError(s.t, os.WriteFile(filepath.Join(s.dir, name), data, 0o600))
}

func (s shell) read(name string) []byte {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	require.NoError(s.t, err)
	return data
}

func (s shell) openssl(args ...string) string {
	s.t.Helper()
	c := exec.CommandContext(s.t.Context(), "openssl", args...)
	c.Dir = s.dir
	out, err := c.CombinedOutput()
	require.NoError(s.t, err, "openssl %v: %s", args, out)
	return string(out)
}

func TestOpensslVerifiesSignedCSR(t *testing.T) {
	s := newShell(t)
	p := newPortal(t)
	vendor, _ := newVendor(t, p)
	staged, err := pushcert.Stage(pkix.Name{CommonName: "Example"})
	require.NoError(t, err)
	file, err := pushcert.SignedCSR(staged.CSR, vendor)
	require.NoError(t, err)

	s.write("request.b64", file)
	s.openssl("base64", "-d", "-A", "-in", "request.b64", "-out", "request.plist")
	var parts map[string]string
	require.NoError(t, plist.Unmarshal(s.read("request.plist"), &parts))
	for name, part := range map[string]string{"csr.der": "PushCertRequestCSR", "signature": "PushCertSignature"} {
		data, err := base64.StdEncoding.DecodeString(parts[part])
		require.NoError(t, err)
		s.write(name, data)
	}
	s.write("chain.pem", []byte(parts["PushCertCertificateChain"]))
	s.write("root.pem", pki.PEM(p.root))
	s.openssl("x509", "-in", "chain.pem", "-pubkey", "-noout", "-out", "vendor.pub")
	assert.Contains(t, s.openssl("dgst", "-sha256", "-verify", "vendor.pub", "-signature", "signature", "csr.der"), "Verified OK")
	assert.Contains(t, s.openssl("req", "-inform", "DER", "-in", "csr.der", "-verify", "-noout"), "OK")
	s.openssl("verify", "-no_check_time", "-CAfile", "root.pem", "chain.pem")
}

func TestReadsWhatOpensslEncrypts(t *testing.T) {
	s := newShell(t)
	key := newKey(t)
	c := newPortal(t).push(t, key, topic, noon)
	s.write("key.pem", pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)))
	s.write("push.pem", pki.PEM(c))
	for name, args := range map[string][]string{
		"pkcs8":    {"pkcs8", "-topk8", "-in", "key.pem", "-passout", "pass:secret"},
		"3des":     {"pkcs8", "-topk8", "-v2", "des3", "-in", "key.pem", "-passout", "pass:secret"},
		"scrypt":   {"pkcs8", "-topk8", "-scrypt", "-in", "key.pem", "-passout", "pass:secret"},
		"rsa aes":  {"rsa", "-aes256", "-traditional", "-in", "key.pem", "-passout", "pass:secret"},
		"rsa 3des": {"rsa", "-des3", "-traditional", "-in", "key.pem", "-passout", "pass:secret"},
		"p12":      {"pkcs12", "-export", "-inkey", "key.pem", "-in", "push.pem", "-passout", "pass:secret"},
	} {
		t.Run(name, func(t *testing.T) {
			s.openssl(append(args, "-out", "out")...)
			upload := pushcert.Upload{Certificate: pki.PEM(c), Key: s.read("out"), Passphrase: "secret"}
			if name == "p12" {
				upload.Certificate, upload.Key = upload.Key, nil
			}
			got, err := pushcert.Read(upload, nil, noon)
			require.NoError(t, err)
			assert.True(t, got.Key.Equal(key))
		})
	}
}
