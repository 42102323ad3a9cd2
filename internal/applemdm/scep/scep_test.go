package scep_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	protocol "github.com/smallstep/scep"
	"github.com/smallstep/scep/x509util"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/cms"
	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/applemdm/scep"
	"github.com/bailiwick/bailiwick/internal/fault"
)

var now = time.Now

// registry is an organization's challenges and certificates in memory.
type registry struct {
	mu         sync.Mutex
	challenges map[string]scep.Grant
	nonces     map[string]bool
	issued     []*x509.Certificate
	broken     error
}

// organization is a tenant of the fixture.
type organization struct {
	registry
	ca *pki.Authority
}

type organizationKey struct{}

type desk struct{}

func (desk) Redeem(ctx context.Context, r scep.Request, issue scep.Issue) error {
	o := ctx.Value(organizationKey{}).(*organization)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken != nil {
		return o.broken
	}
	grant, known := o.challenges[r.Challenge]
	if r.Current != nil {
		known = len(o.issued) > 0 && o.issued[len(o.issued)-1].Equal(r.Current)
		grant = scep.Grant{Subject: r.Current.Subject, Validity: 48 * time.Hour}
	}
	if !known || o.nonces[string(r.SenderNonce)] {
		return fault.New(fault.PreconditionFailed, "the challenge is not valid")
	}
	certificate, err := issue(grant)
	if err != nil {
		return err
	}
	delete(o.challenges, r.Challenge)
	o.nonces[string(r.SenderNonce)] = true
	o.issued = append(o.issued, certificate)
	return nil
}

// endpoint serves two organizations, at /a/scep and /b/scep.
type endpoint struct {
	*httptest.Server
	a, b  *organization
	ahead time.Duration // how far the server's clock is ahead
}

func setup(t testing.TB) *endpoint {
	t.Helper()
	e := &endpoint{a: newOrganization(t, "A"), b: newOrganization(t, "B")}
	handler, err := scep.New(scep.Config{
		Authority: func(ctx context.Context) (*pki.Authority, error) {
			o := ctx.Value(organizationKey{}).(*organization)
			if o.ca == nil {
				return nil, fault.Missing("org")
			}
			return o.ca, nil
		},
		Observe: func(scep.Outcome) {}, Challenges: desk{}, Logger: slog.New(slog.DiscardHandler),
		Clock: func() time.Time { return now().Add(e.ahead) },
	})
	require.NoError(t, err)
	mux := http.NewServeMux()
	for path, o := range map[string]*organization{"/a/scep": e.a, "/b/scep": e.b, "/none/scep": {}} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), organizationKey{}, o)))
		})
	}
	e.Server = httptest.NewServer(mux)
	t.Cleanup(e.Close)
	return e
}

func newOrganization(t testing.TB, name string) *organization {
	t.Helper()
	ca, err := pki.New(pkix.Name{CommonName: name}, now)
	require.NoError(t, err)
	return &organization{ca: ca, registry: registry{nonces: map[string]bool{}, challenges: map[string]scep.Grant{
		"challenge-" + name: {Subject: pkix.Name{CommonName: "device-" + name}, Validity: 24 * time.Hour},
	}}}
}

func newKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	return key
}

func newRequest(t testing.TB, key *rsa.PrivateKey, challenge string) *x509.CertificateRequest {
	t.Helper()
	der, err := x509util.CreateCertificateRequest(rand.Reader, &x509util.CertificateRequest{
		CertificateRequest: x509.CertificateRequest{
			Subject: pkix.Name{CommonName: "what the client wishes"}, SignatureAlgorithm: x509.SHA256WithRSA,
		},
		ChallengePassword: challenge,
	}, key)
	require.NoError(t, err)
	csr, err := x509.ParseCertificateRequest(der)
	require.NoError(t, err)
	return csr
}

// selfSigned is the certificate under which a client without one signs.
func selfSigned(t testing.TB, key *rsa.PrivateKey) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"},
		NotBefore: now().Add(-time.Hour), NotAfter: now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return certificate
}

func (e *endpoint) post(t testing.TB, organization string, body []byte) (status int, answer []byte) {
	t.Helper()
	r, err := http.Post(e.URL+organization+"/scep?operation=PKIOperation", "application/x-pki-message", bytes.NewReader(body)) //nolint:forbidigo // a test's own server
	require.NoError(t, err)
	return read(t, r)
}

func (e *endpoint) get(t testing.TB, path string) (status int, answer []byte) {
	t.Helper()
	r, err := http.Get(e.URL + path) //nolint:forbidigo // a test's own server
	require.NoError(t, err)
	return read(t, r)
}

func read(t testing.TB, r *http.Response) (status int, answer []byte) {
	t.Helper()
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r.StatusCode, answer
}

// clientMessage is a request as smallstep's client makes it.
func clientMessage(
	t testing.TB, kind protocol.MessageType, ca, signer *x509.Certificate, signerKey, key *rsa.PrivateKey, challenge string,
) *protocol.PKIMessage {
	t.Helper()
	m, err := protocol.NewCSRRequest(newRequest(t, key, challenge), &protocol.PKIMessage{
		MessageType: kind, Recipients: []*x509.Certificate{ca}, SignerCert: signer, SignerKey: signerKey,
	})
	require.NoError(t, err)
	return m
}

func issuedBy(t testing.TB, answer []byte, signer *x509.Certificate, key *rsa.PrivateKey) *x509.Certificate {
	t.Helper()
	reply, err := protocol.ParsePKIMessage(answer)
	require.NoError(t, err)
	require.Equal(t, protocol.SUCCESS, reply.PKIStatus, "failInfo %q", reply.FailInfo)
	require.NoError(t, reply.DecryptPKIEnvelope(signer, key))
	return reply.Certificate
}

func TestDiscovery(t *testing.T) {
	e := setup(t)
	status, answer := e.get(t, "/a/scep?operation=GetCACaps")
	assert.Equal(t, 200, status)
	assert.Subset(t, strings.Fields(string(answer)), []string{"AES", "POSTPKIOperation", "Renewal", "SHA-256", "SCEPStandard"})

	status, answer = e.get(t, "/b/scep?operation=GetCACert&message=anything")
	assert.Equal(t, 200, status)
	assert.Equal(t, e.b.ca.Certificate().Raw, answer)

	status, _ = e.get(t, "/none/scep?operation=GetCACert")
	assert.Equal(t, 404, status)
}

func TestEnrolAndRenew(t *testing.T) {
	e := setup(t)
	key := newKey(t, 2048)
	signer := selfSigned(t, key)
	m := clientMessage(t, protocol.PKCSReq, e.a.ca.Certificate(), signer, key, key, "challenge-A")
	status, answer := e.post(t, "/a", m.Raw)
	require.Equal(t, 200, status)
	identity := issuedBy(t, answer, signer, key)
	assert.Equal(t, "device-A", identity.Subject.CommonName, "the subject is the server's")
	require.NoError(t, e.a.ca.Trust().Verify(identity, now()))
	require.ErrorIs(t, e.b.ca.Trust().Verify(identity, now()), pki.ErrIdentity)
	require.Equal(t, []*x509.Certificate{identity}, e.a.issued)

	t.Run("renewal by the identity, over GET", func(t *testing.T) {
		next := newKey(t, 2048)
		m := clientMessage(t, protocol.RenewalReq, e.a.ca.Certificate(), identity, key, next, "")
		status, answer := e.get(t, "/a/scep?operation=PKIOperation&message="+url.QueryEscape(base64.StdEncoding.EncodeToString(m.Raw)))
		require.Equal(t, 200, status)
		renewed := issuedBy(t, answer, identity, key)
		assert.True(t, next.PublicKey.Equal(renewed.PublicKey))
		assert.Equal(t, "device-A", renewed.Subject.CommonName)

		status, answer = e.post(t, "/a", m.Raw)
		assertRefused(t, status, answer, protocol.BadRequest)
		assert.Len(t, e.a.issued, 2)
	})
}

func TestBase64WithPlusLeftAlone(t *testing.T) {
	e := setup(t)
	key := newKey(t, 2048)
	signer := selfSigned(t, key)
	m := clientMessage(t, protocol.PKCSReq, e.a.ca.Certificate(), signer, key, key, "challenge-A")
	encoded := base64.StdEncoding.EncodeToString(m.Raw)
	require.Contains(t, encoded, "+")
	status, answer := e.get(t, "/a/scep?operation=PKIOperation&message="+encoded)
	require.Equal(t, 200, status)
	issuedBy(t, answer, signer, key)
}

func TestStoreFails(t *testing.T) {
	e := setup(t)
	e.a.broken = errors.New("the database is away")
	key := newKey(t, 2048)
	m := clientMessage(t, protocol.PKCSReq, e.a.ca.Certificate(), selfSigned(t, key), key, key, "challenge-A")
	status, answer := e.post(t, "/a", m.Raw)
	assert.Equal(t, 500, status)
	assert.NotContains(t, string(answer), "database")
	assert.Empty(t, e.a.issued)

	e.a.broken = nil
	status, _ = e.post(t, "/a", m.Raw)
	assert.Equal(t, 200, status, "the challenge is still good")
	assert.Len(t, e.a.issued, 1)
}

func assertRefused(t testing.TB, status int, answer []byte, info protocol.FailInfo) {
	t.Helper()
	require.Equal(t, 200, status)
	reply, err := protocol.ParsePKIMessage(answer)
	require.NoError(t, err)
	require.Equal(t, protocol.FAILURE, reply.PKIStatus)
	assert.Equal(t, info, reply.FailInfo)
}

func TestMessageSignedByAnotherKey(t *testing.T) {
	e := setup(t)
	key, other := newKey(t, 2048), newKey(t, 2048)
	signer := selfSigned(t, other)
	m := forge(t, protocol.PKCSReq, e.a.ca.Certificate(), signer, other, newRequest(t, key, "challenge-A").Raw, cms.AES256)
	status, answer := e.post(t, "/a", m)
	require.Equal(t, http.StatusOK, status)
	reply, err := protocol.ParsePKIMessage(answer)
	require.NoError(t, err)
	require.Equal(t, protocol.SUCCESS, reply.PKIStatus)
	require.NoError(t, reply.DecryptPKIEnvelope(signer, other), "the answer is for the signer")
	assert.True(t, key.PublicKey.Equal(reply.Certificate.PublicKey), "the certificate is for the key of the request")
}
