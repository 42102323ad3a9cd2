package profile_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/micromdm/plist"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/cms"
	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/applemdm/profile"
	"github.com/bailiwick/bailiwick/internal/fault"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func enrollment() profile.Enrollment {
	return profile.Enrollment{
		Identifier: "com.example.mdm.acme", DisplayName: "Acme & Söhne", Organization: "Acme",
		ServerURL: "https://mdm.example.com/mdm/acme/connect", CheckInURL: "https://mdm.example.com/mdm/acme/checkin",
		Topic: "com.apple.mgmt.External.1", AccessRights: profile.AllRights, SignMessage: true,
		SCEP: profile.SCEP{
			URL: "https://mdm.example.com/mdm/acme/scep", Challenge: "once", CommonName: "enrolment", Organization: "Acme",
		},
	}
}

// decode reads a profile and its payloads by type.
func decode(t testing.TB, document []byte) (top map[string]any, payloads map[string]map[string]any) {
	t.Helper()
	require.NoError(t, plist.Unmarshal(document, &top))
	payloads = map[string]map[string]any{}
	for _, p := range top["PayloadContent"].([]any) {
		payload := p.(map[string]any)
		payloads[payload["PayloadType"].(string)] = payload
	}
	return top, payloads
}

func newAuthority(t testing.TB) *pki.Authority {
	t.Helper()
	a, err := pki.New(pkix.Name{CommonName: "Acme"}, func() time.Time { return noon })
	require.NoError(t, err)
	return a
}

func TestEnrollment(t *testing.T) {
	e := enrollment()
	e.PromptUserToAllowBootstrapTokenForAuthentication = true
	ca := newAuthority(t).Certificate()
	e.Roots = []*x509.Certificate{ca}
	document, err := e.Marshal()
	require.NoError(t, err)
	top, payloads := decode(t, document)
	assert.Equal(t, "Configuration", top["PayloadType"])
	assert.Equal(t, "com.example.mdm.acme", top["PayloadIdentifier"])
	assert.Equal(t, "Acme & Söhne", top["PayloadDisplayName"])

	mdm := payloads["com.apple.mdm"]
	for key, want := range map[string]any{
		"ServerURL": e.ServerURL, "CheckInURL": e.CheckInURL, "Topic": e.Topic, "AccessRights": uint64(8191),
		"SignMessage": true, "CheckOutWhenRemoved": true, "PromptUserToAllowBootstrapTokenForAuthentication": true,
		"ServerCapabilities":      []any{"com.apple.mdm.per-user-connections", "com.apple.mdm.bootstraptoken", "com.apple.mdm.token"},
		"IdentityCertificateUUID": payloads["com.apple.security.scep"]["PayloadUUID"],
	} {
		assert.Equal(t, want, mdm[key], key)
	}
	assert.NotContains(t, mdm, "EnrollmentMode")
	scep := payloads["com.apple.security.scep"]["PayloadContent"].(map[string]any)
	assert.Equal(t, map[string]any{
		"URL": e.SCEP.URL, "Challenge": "once", "Key Type": "RSA", "Key Usage": uint64(5), "Keysize": uint64(2048),
		"KeyIsExtractable": false,
		"Subject":          []any{[]any{[]any{"O", "Acme"}}, []any{[]any{"CN", "enrolment"}}},
	}, scep)
	assert.Equal(t, ca.Raw, payloads["com.apple.security.root"]["PayloadContent"])
}

// TestUpdateInPlace: a re-sent profile differs in its challenge alone, so that
// the device renews its identity and keeps its enrolment.
func TestUpdateInPlace(t *testing.T) {
	uuids := func(e profile.Enrollment) map[string]any {
		document, err := e.Marshal()
		require.NoError(t, err)
		top, payloads := decode(t, document)
		all := map[string]any{"": top["PayloadUUID"]}
		for kind, p := range payloads {
			all[kind] = p["PayloadUUID"]
		}
		return all
	}
	first := enrollment()
	again := enrollment()
	again.SCEP.Challenge = "twice"
	assert.Equal(t, uuids(first), uuids(again))

	other := enrollment()
	other.Identifier = "com.example.mdm.globex"
	for kind, id := range uuids(other) {
		assert.NotEqual(t, uuids(first)[kind], id, "two organizations never share a payload: %s", kind)
	}
	distinct := map[any]bool{}
	for id := range maps.Values(uuids(first)) {
		distinct[id] = true
	}
	assert.Len(t, distinct, 3)
}

func TestUserEnrollment(t *testing.T) {
	e := enrollment()
	e.User = &profile.User{AssignedManagedAppleID: "ann@acme.example", EnrollmentMode: profile.BYOD}
	document, err := e.Marshal()
	require.NoError(t, err)
	_, payloads := decode(t, document)
	mdm := payloads["com.apple.mdm"]
	assert.Equal(t, "ann@acme.example", mdm["AssignedManagedAppleID"])
	assert.Equal(t, "BYOD", mdm["EnrollmentMode"])
	assert.NotContains(t, mdm, "AccessRights")
}

func TestEnrollmentRefused(t *testing.T) {
	for name, spoil := range map[string]func(*profile.Enrollment){
		"http server":   func(e *profile.Enrollment) { e.ServerURL = "http://mdm.example.com/" },
		"http check-in": func(e *profile.Enrollment) { e.CheckInURL = "http://mdm.example.com/" },
		"no SCEP URL":   func(e *profile.Enrollment) { e.SCEP.URL = "" },
		"no challenge":  func(e *profile.Enrollment) { e.SCEP.Challenge = "" },
		"no identifier": func(e *profile.Enrollment) { e.Identifier = "" },
		"app topic":     func(e *profile.Enrollment) { e.Topic = "com.example.app" },
		"no rights":     func(e *profile.Enrollment) { e.AccessRights = 0 },
		"no account":    func(e *profile.Enrollment) { e.User = &profile.User{EnrollmentMode: profile.BYOD} },
		"no mode":       func(e *profile.Enrollment) { e.User = &profile.User{AssignedManagedAppleID: "a@b.example"} },
	} {
		e := enrollment()
		spoil(&e)
		_, err := e.Marshal()
		assert.Error(t, err, name)
	}
}

func TestAccessRights(t *testing.T) {
	assert.EqualValues(t, 8191, profile.AllRights)
	assert.EqualValues(t, 4096, profile.ManageApplications)
	for rights, good := range map[profile.AccessRights]bool{
		1: true, 3: true, 8191: true, 64 | 128: true, 0: false, -1: false, 2: false, 128: false, 8192: false,
	} {
		err := rights.Validate()
		if good {
			require.NoError(t, err, "%d", rights)
			continue
		}
		var f *fault.Error
		require.ErrorAs(t, err, &f, "%d", rights)
		assert.Equal(t, "input.accessRights", f.Field)
	}
}

func TestSign(t *testing.T) {
	a := newAuthority(t)
	signer, err := a.IssueSigner(pkix.Name{CommonName: "Acme"}, time.Hour*24*365*9)
	require.NoError(t, err)
	signed, err := profile.Sign([]byte("profile"), signer)
	require.NoError(t, err)
	got, err := cms.Verify(signed)
	require.NoError(t, err)
	assert.Equal(t, "profile", string(got.Content))
	assert.Len(t, got.Certificates, 2, "with its chain")
	require.NoError(t, got.VerifyChain([]*x509.Certificate{a.Certificate()}, noon))
}

func TestOverTheAir(t *testing.T) {
	document, err := profile.Service{
		Identifier: "com.example.mdm.acme.ota", DisplayName: "Acme", URL: "https://mdm.example.com/mdm/acme/ota", Challenge: "once",
	}.Marshal()
	require.NoError(t, err)
	var top map[string]any
	require.NoError(t, plist.Unmarshal(document, &top))
	assert.Equal(t, "Profile Service", top["PayloadType"])
	assert.Equal(t, map[string]any{
		"URL": "https://mdm.example.com/mdm/acme/ota", "Challenge": "once",
		"DeviceAttributes": []any{"UDID", "SERIAL", "PRODUCT", "VERSION", "IMEI", "MEID"},
	}, top["PayloadContent"])

	apple, stranger := newAuthority(t), newAuthority(t)
	device, err := apple.IssueSigner(pkix.Name{CommonName: "device"}, time.Hour*24*365*9)
	require.NoError(t, err)
	answer, err := plist.Marshal(map[string]any{"UDID": "00008020-000915083C80012E", "SERIAL": "C02", "PRODUCT": "iPhone14,2", "CHALLENGE": "once"})
	require.NoError(t, err)
	message, err := cms.Sign(answer, device.Certificate, device.Key, nil)
	require.NoError(t, err)

	content, signer, err := profile.OpenAnswer(message, []*x509.Certificate{apple.Certificate()}, time.Time{})
	require.NoError(t, err)
	assert.True(t, signer.Equal(device.Certificate))
	var attributes profile.DeviceAttributes
	require.NoError(t, plist.Unmarshal(content, &attributes))
	assert.Equal(t, profile.DeviceAttributes{
		UDID: "00008020-000915083C80012E", Serial: "C02", Product: "iPhone14,2", Challenge: "once",
	}, attributes)

	_, _, err = profile.OpenAnswer(message, []*x509.Certificate{stranger.Certificate()}, time.Time{})
	require.ErrorIs(t, err, cms.ErrChain)
	_, _, err = profile.OpenAnswer(message[:len(message)-1], []*x509.Certificate{apple.Certificate()}, time.Time{})
	require.Error(t, err)

	_, err = profile.Service{Identifier: "x", Challenge: "once", URL: "http://mdm.example.com"}.Marshal()
	require.Error(t, err)
	_, err = profile.Service{Identifier: "x", URL: "https://mdm.example.com"}.Marshal()
	require.Error(t, err)
}

func TestDiscovery(t *testing.T) {
	document, err := profile.Discovery(
		profile.Server{Version: profile.VersionBYOD, BaseURL: "https://mdm.example.com/mdm/acme/byod"},
		profile.Server{Version: profile.VersionADDE, BaseURL: "https://mdm.example.com/mdm/acme/adde"})
	require.NoError(t, err)
	assert.True(t, json.Valid(document))
	assert.JSONEq(t, `{"Servers":[
		{"Version":"mdm-byod","BaseURL":"https://mdm.example.com/mdm/acme/byod"},
		{"Version":"mdm-adde","BaseURL":"https://mdm.example.com/mdm/acme/adde"}]}`, string(document))
	for _, wrong := range [][]profile.Server{
		nil, {{Version: "mdm", BaseURL: "https://mdm.example.com"}}, {{Version: profile.VersionBYOD, BaseURL: "http://mdm.example.com"}},
	} {
		_, err := profile.Discovery(wrong...)
		require.Error(t, err)
	}
}
