package app_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/micromdm/plist"
	protocol "github.com/smallstep/scep"
	"github.com/smallstep/scep/x509util"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/internal/app"
	"github.com/bailiwick/bailiwick/internal/applemdm/cms"
	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/applemdm/profile"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

// mdmURL is how the devices of these tests believe to reach the server.
const mdmURL = "https://mdm.example"

// mdm is a server with two providers, each with an organization that has device
// management.
type mdm struct {
	*server
	ahead atomic.Int64 // of the server's clock, in nanoseconds
	a, b  mdmTenant
}

type mdmTenant struct{ key, organization, name, id string }

func startMDM(t *testing.T, engine string, change func(*app.Config)) *mdm {
	t.Helper()
	m := &mdm{}
	m.server = replicaWith(t, testdb.URL(t, engine), secret.NewMasterKey(), func(c *app.Config) {
		c.PublicURL = mdmURL
		c.Clock = m.now
		change(c)
	})
	for _, tenant := range []struct {
		into            *mdmTenant
		provider, email string
		name            string
	}{{&m.a, "North", "a@north.example", "Acme"}, {&m.b, "South", "b@south.example", "Bolt"}} {
		key := m.provider(t, tenant.provider, tenant.email)
		organization := m.organization(t, key, tenant.name)
		var created struct {
			CreateAppleMdm struct{ AppleMdm struct{ ID string } }
		}
		m.must(t, key, organization, `mutation { createAppleMdm(input: {name: "Fleet"}) { appleMdm { id } } }`, nil, &created)
		*tenant.into = mdmTenant{key, organization, tenant.name, created.CreateAppleMdm.AppleMdm.ID}
	}
	return m
}

func plain(*app.Config) {}

func (m *mdm) now() time.Time { return time.Now().Add(time.Duration(m.ahead.Load())) }

// scope is a context in which a tenant's rows can be looked at.
func (m *mdm) scope(t *testing.T, tenant mdmTenant) context.Context {
	t.Helper()
	site, err := m.AppleMDM.Site(t.Context(), tenant.organization)
	require.NoError(t, err)
	return site.Context(t.Context(), "test")
}

const csrQuery = `query($id: ID!) { appleMdm(id: $id) { signedCsr { content signedByVendor } } }`

func (m *mdm) csr(t *testing.T, tenant mdmTenant) (content string, signed bool) {
	t.Helper()
	var got struct {
		AppleMdm struct {
			SignedCsr struct {
				Content        string
				SignedByVendor bool
			}
		}
	}
	m.must(t, tenant.key, "", csrQuery, map[string]any{"id": tenant.id}, &got)
	return got.AppleMdm.SignedCsr.Content, got.AppleMdm.SignedCsr.SignedByVendor
}

// apple answers a request as Apple's portal does.
func apple(t *testing.T, request, topic string, notAfter time.Time) string {
	t.Helper()
	block, _ := pem.Decode([]byte(request))
	require.NotNil(t, block, request)
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	require.NoError(t, err)
	require.NoError(t, csr.CheckSignature())
	issuer, err := pki.NewKey()
	require.NoError(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: serial, NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter,
		Subject: pkix.Name{CommonName: "APSP:test", ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, Value: topic},
		}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, &x509.Certificate{Subject: pkix.Name{CommonName: "Apple"}}, csr.PublicKey, issuer)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

type uploaded struct {
	UploadPushCertificate struct {
		AppleMdm struct {
			Topic, PushStatus, CertificateSerialNumber, CreatorAppleID string
			CertificateDaysLeft, EnrolledDevices                       int
			EnrollmentURL                                              string
		}
	}
}

const uploadMutation = `mutation($in: UploadPushCertificateInput!) { uploadPushCertificate(input: $in) { appleMdm {
	topic pushStatus certificateSerialNumber creatorAppleId certificateDaysLeft enrolledDevices enrollmentUrl } } }`

func (m *mdm) upload(t *testing.T, tenant mdmTenant, certificate string, more map[string]any, into any) []failure {
	t.Helper()
	in := map[string]any{"appleMdmId": tenant.id, "certificate": certificate}
	for k, v := range more {
		in[k] = v
	}
	return m.do(t, tenant.key, "", uploadMutation, map[string]any{"in": in}, into)
}

// ready gives a tenant a push certificate.
func (m *mdm) ready(t *testing.T, tenant mdmTenant) {
	t.Helper()
	content, _ := m.csr(t, tenant)
	require.Empty(t, m.upload(t, tenant, apple(t, content, "com.apple.mgmt.External."+tenant.name, m.now().Add(365*24*time.Hour)), nil, nil))
}

// enrollment makes a way in, and answers its id and the path of its link.
func (m *mdm) enrollment(t *testing.T, tenant mdmTenant, in map[string]any) (id, path string) {
	t.Helper()
	all := map[string]any{"name": "Everyone"}
	for k, v := range in {
		all[k] = v
	}
	var got struct {
		CreateEnrollment struct {
			Enrollment struct{ ID string }
			Link       string
		}
	}
	m.must(t, tenant.key, tenant.organization, `mutation($in: CreateEnrollmentInput!) { createEnrollment(input: $in) { enrollment { id } link } }`,
		map[string]any{"in": all}, &got)
	path, ok := strings.CutPrefix(got.CreateEnrollment.Link, mdmURL)
	require.True(t, ok)
	return got.CreateEnrollment.Enrollment.ID, path
}

// reply is what a server answers besides the body.
type reply struct {
	StatusCode int
	Header     http.Header
}

// call sends a request, and follows no redirect.
func (m *mdm) call(t *testing.T, method, path string, header http.Header, body []byte) (reply, []byte) {
	t.Helper()
	base := strings.TrimSuffix(m.url, "/graphql")
	r, err := http.NewRequestWithContext(context.Background(), method, base+path, bytes.NewReader(body))
	require.NoError(t, err)
	for k, v := range header {
		r.Header[k] = v
	}
	response, err := direct.RoundTrip(r)
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return reply{response.StatusCode, response.Header}, answer
}

func (m *mdm) get(t *testing.T, path string) (status int, answer []byte) {
	t.Helper()
	r, answer := m.call(t, http.MethodGet, path, nil, nil)
	return r.StatusCode, answer
}

var challenges = regexp.MustCompile(`<key>Challenge</key>\s*<string>([^<]+)</string>`)

// read checks a signed profile, and answers its challenge and MDM payload.
func (m *mdm) read(t *testing.T, document []byte) (challenge string, payload map[string]any) {
	t.Helper()
	signed, err := cms.Verify(document)
	require.NoError(t, err)
	found := challenges.FindSubmatch(signed.Content)
	require.Len(t, found, 2, "%s", signed.Content)
	var whole struct {
		PayloadContent []map[string]any
	}
	require.NoError(t, plist.Unmarshal(signed.Content, &whole))
	for _, p := range whole.PayloadContent {
		if p["PayloadType"] == "com.apple.mdm" {
			payload = p
		}
	}
	require.NotNil(t, payload)
	return string(found[1]), payload
}

// download gets a link's profile.
func (m *mdm) download(t *testing.T, path string) (challenge string, payload map[string]any) {
	t.Helper()
	r, document := m.call(t, http.MethodGet, path+"/profile", nil, nil)
	require.Equal(t, http.StatusOK, r.StatusCode, "%s", document)
	require.Equal(t, profile.ContentType, r.Header.Get("Content-Type"))
	return m.read(t, document)
}

// holder is a device's key and certificate.
type holder struct {
	key         *rsa.PrivateKey
	certificate *x509.Certificate
}

func stranger(t *testing.T) holder {
	t.Helper()
	key, err := pki.NewKey()
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "device"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return holder{key, certificate}
}

// ask is a SCEP message of smallstep's client.
func (m *mdm) ask(t *testing.T, organization string, kind protocol.MessageType, by holder, key *rsa.PrivateKey, challenge string) []byte {
	t.Helper()
	status, ca := m.get(t, "/mdm/"+organization+"/scep?operation=GetCACert")
	require.Equal(t, http.StatusOK, status)
	authority, err := x509.ParseCertificate(ca)
	require.NoError(t, err)
	der, err := x509util.CreateCertificateRequest(rand.Reader, &x509util.CertificateRequest{
		CertificateRequest: x509.CertificateRequest{Subject: pkix.Name{CommonName: "admin"}, SignatureAlgorithm: x509.SHA256WithRSA},
		ChallengePassword:  challenge,
	}, key)
	require.NoError(t, err)
	csr, err := x509.ParseCertificateRequest(der)
	require.NoError(t, err)
	message, err := protocol.NewCSRRequest(csr, &protocol.PKIMessage{
		MessageType: kind, Recipients: []*x509.Certificate{authority}, SignerCert: by.certificate, SignerKey: by.key,
	})
	require.NoError(t, err)
	return message.Raw
}

// send posts a SCEP message, and answers the certificate, or nil where it is refused.
func (m *mdm) send(t *testing.T, organization string, message []byte, by holder) *x509.Certificate {
	t.Helper()
	r, answer := m.call(t, http.MethodPost, "/mdm/"+organization+"/scep?operation=PKIOperation", nil, message)
	require.Equal(t, http.StatusOK, r.StatusCode, "%s", answer)
	got, err := protocol.ParsePKIMessage(answer)
	require.NoError(t, err)
	if got.PKIStatus != protocol.SUCCESS {
		return nil
	}
	require.NoError(t, got.DecryptPKIEnvelope(by.certificate, by.key))
	return got.Certificate
}

// identify has a new device use a challenge; nil where it is refused.
func (m *mdm) identify(t *testing.T, organization, challenge string) *holder {
	t.Helper()
	by := stranger(t)
	c := m.send(t, organization, m.ask(t, organization, protocol.PKCSReq, by, by.key, challenge), by)
	if c == nil {
		return nil
	}
	return &holder{by.key, c}
}

// enrolled records a device under management, as the endpoint will.
func (m *mdm) enrolled(t *testing.T, tenant mdmTenant, serial, fingerprint string) *ent.Device {
	t.Helper()
	ctx := m.scope(t, tenant)
	d, err := m.Client.Device.Create().SetName(serial).SetSerialNumber(serial).SetPlatform(device.PlatformMacOS).SetEnrolled(true).Save(ctx)
	require.NoError(t, err)
	require.NoError(t, m.Client.DeviceChannel.Create().SetDeviceID(d.ID).SetKey("udid-"+serial).SetStatus(devicechannel.StatusEnrolled).
		SetFingerprint(fingerprint).SetTopic("com.apple.mgmt.External."+tenant.name).SetUnlockToken([]byte("x")).Exec(ctx))
	return d
}

// direct follows no redirect.
var direct = &http.Transport{ResponseHeaderTimeout: 30 * time.Second}
