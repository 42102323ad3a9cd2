package profile_test

import (
	"crypto/x509/pkix"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/applemdm/profile"
)

func TestOpensslVerifiesProfile(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl on the PATH")
	}
	a, err := pki.New(pkix.Name{CommonName: "Acme"}, time.Now)
	require.NoError(t, err)
	signer, err := a.IssueSigner(pkix.Name{CommonName: "Acme profiles"}, time.Hour)
	require.NoError(t, err)
	document, err := enrollment().Marshal()
	require.NoError(t, err)
	signed, err := profile.Sign(document, signer)
	require.NoError(t, err)

	dir := t.TempDir()
	in, out, root := filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "root")
	require.NoError(t, os.WriteFile(root, pki.PEM(a.Certificate()), 0o600))
	verify := func(message []byte) error {
		require.NoError(t, os.WriteFile(in, message, 0o600))
		said, err := exec.CommandContext(t.Context(), "openssl", "cms", "-verify", "-inform", "DER", "-binary", "-in", in, "-CAfile", root, "-out", out).CombinedOutput()
		t.Logf("%s", said)
		return err
	}
	require.NoError(t, verify(signed))
	content, err := os.ReadFile(out)
	require.NoError(t, err)
	assert.Equal(t, document, content)

	signed[len(signed)-1] ^= 1
	require.Error(t, verify(signed))
}
