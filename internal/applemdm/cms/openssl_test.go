package cms_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/cms"
)

// openssl signs with another implementation. Its streaming output is BER with indefinite lengths.
func openssl(t *testing.T, signer *identity, content []byte, flags ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl on the PATH")
	}
	dir := t.TempDir()
	certificate, key, in := filepath.Join(dir, "c"), filepath.Join(dir, "k"), filepath.Join(dir, "in")
	require.NoError(t, os.WriteFile(certificate, pemOf("CERTIFICATE", signer.certificate.Raw), 0o600))
	require.NoError(t, os.WriteFile(key, pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(signer.key)), 0o600))
	require.NoError(t, os.WriteFile(in, content, 0o600))
	args := append([]string{"cms", "-sign", "-signer", certificate, "-inkey", key, "-in", in}, flags...)
	out, err := exec.CommandContext(t.Context(), "openssl", args...).Output()
	require.NoError(t, err)
	return out
}

func TestIndefiniteLengths(t *testing.T) {
	signer := issue(t, "signer", nil, false, year(2020), year(2040))
	content := bytes.Repeat([]byte("0123456789"), 4000)
	message := openssl(t, signer, content, "-outform", "DER", "-binary", "-nodetach", "-stream")
	require.Equal(t, []byte{0x30, 0x80}, message[:2])
	signed, err := cms.Verify(message)
	require.NoError(t, err)
	assert.Equal(t, content, signed.Content)
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
