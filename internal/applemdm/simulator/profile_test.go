package simulator_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smallstep/pkcs7"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/simulator"
)

// TestSignedProfile: a signature has to fit.
func TestSignedProfile(t *testing.T) {
	s := startServer(t)
	d := newDevice(t, s, simulator.Config{})
	signed, err := pkcs7.NewSignedData(s.profile(t, nil))
	require.NoError(t, err)
	require.NoError(t, signed.AddSigner(s.ca, s.key, pkcs7.SignerInfoConfig{}))
	profile, err := signed.Finish()
	require.NoError(t, err)
	require.NoError(t, d.Enroll(t.Context(), profile))
	require.Len(t, d.Profiles()[0].Signers, 1)
	assert.Equal(t, "Test CA", d.Profiles()[0].Signers[0].Subject.CommonName)
	_, err = simulator.ParseProfile([]byte(strings.Replace(string(profile), "test.enrolment", "best.enrolment", 1)))
	assert.ErrorContains(t, err, "verify signature")
}

func FuzzParseProfile(f *testing.F) {
	deep := strings.Repeat("<array>", 70) + strings.Repeat("</array>", 70)
	for _, seed := range []string{
		"", "bplist00", "<plist><dict/></plist>", `<plist version="1.0">` + deep + `</plist>`, "0\x80", strings.Repeat("0\x80", 5000),
		`<plist version="1.0"><dict><key>PayloadType</key><string>Configuration</string><key>PayloadIdentifier</key><string>a</string>` +
			`<key>PayloadUUID</key><string>b</string><key>PayloadContent</key><array><dict><key>PayloadType</key><string>com.apple.mdm</string></dict></array></dict></plist>`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := simulator.ParseProfile(data)
		if (p == nil) == (err == nil) {
			t.Errorf("%v, %v", p, err)
		}
		if err == nil && p.MDM != nil && (p.SCEP == nil || p.MDM.Topic == "") {
			t.Errorf("an enrolment that leads nowhere: %+v", p)
		}
	})
}

// TestBounds: what would take long to read is not read.
func TestBounds(t *testing.T) {
	for name, data := range map[string]string{
		"binary": "bplist00\x00",
		"long":   "<plist>" + strings.Repeat(" ", 2<<20) + "</plist>",
		"deep":   "<plist>" + strings.Repeat("<array>", 100) + strings.Repeat("</array>", 100) + "</plist>",
		"http":   fmt.Sprintf("<plist><dict>%s</dict></plist>", "<key>PayloadType</key><string>Configuration</string>"),
	} {
		_, err := simulator.ParseProfile([]byte(data))
		assert.Error(t, err, name)
	}
}
