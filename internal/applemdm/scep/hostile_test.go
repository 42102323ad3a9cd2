package scep_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	protocol "github.com/smallstep/scep"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/cms"
	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/applemdm/scep"
)

func attribute(last int, value any) cms.Attribute {
	return cms.Attribute{ID: asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, last}, Value: value}
}

// forge makes a message of any kind about any content.
func forge(
	t testing.TB, kind protocol.MessageType, recipient, signer *x509.Certificate, key *rsa.PrivateKey, content []byte, with cms.Cipher,
) []byte {
	t.Helper()
	envelope, err := cms.Encrypt(content, recipient, with)
	require.NoError(t, err)
	return wrap(t, kind, signer, key, envelope)
}

func wrap(t testing.TB, kind protocol.MessageType, signer *x509.Certificate, key *rsa.PrivateKey, envelope []byte) []byte {
	t.Helper()
	nonce := make([]byte, 16)
	rand.Read(nonce)
	message, err := cms.Sign(envelope, signer, key, nil,
		attribute(7, "transaction"), attribute(2, kind), attribute(5, nonce))
	require.NoError(t, err)
	return message
}

func TestCiphers(t *testing.T) {
	e := setup(t)
	key := newKey(t, 2048)
	signer := selfSigned(t, key)
	for with, answered := range map[cms.Cipher]cms.Cipher{
		cms.AES256: cms.AES256, cms.AES128: cms.AES128, cms.DES3: cms.DES3,
	} {
		e.a.challenges["again"] = scep.Grant{Subject: pkix.Name{CommonName: "device"}, Validity: time.Hour}
		m := forge(t, protocol.PKCSReq, e.a.ca.Certificate(), signer, key, newRequest(t, key, "again").Raw, with)
		status, answer := e.post(t, "/a", m)
		require.Equal(t, 200, status)
		reply, err := cms.Verify(answer)
		require.NoError(t, err)
		_, used, err := cms.Decrypt(reply.Content, signer, key)
		require.NoError(t, err)
		assert.Equal(t, answered, used)
	}
}

func TestRefused(t *testing.T) {
	e := setup(t)
	key := newKey(t, 2048)
	weak := newKey(t, 1024)
	signer, ca := selfSigned(t, key), e.a.ca.Certificate()
	csr := newRequest(t, key, "challenge-A").Raw
	tampered := bytes.Clone(csr)
	tampered[len(tampered)-1] ^= 1
	identity := func(ca *pki.Authority, validity time.Duration) *x509.Certificate {
		c, err := ca.IssueDevice(newRequest(t, key, ""), pkix.Name{CommonName: "device"}, validity)
		require.NoError(t, err)
		return c
	}
	unreadable, err := cms.Encrypt(csr, ca, cms.AES256)
	require.NoError(t, err)
	aes192 := bytes.Replace(unreadable, []byte{0x86, 0x48, 0x01, 0x65, 3, 4, 1, 42}, []byte{0x86, 0x48, 0x01, 0x65, 3, 4, 1, 22}, 1)

	for name, c := range map[string]struct {
		message []byte
		info    protocol.FailInfo
	}{
		"wrong challenge":             {forge(t, protocol.PKCSReq, ca, signer, key, newRequest(t, key, "guess").Raw, cms.AES256), protocol.BadRequest},
		"no challenge":                {forge(t, protocol.PKCSReq, ca, signer, key, newRequest(t, key, "").Raw, cms.AES256), protocol.BadRequest},
		"another tenant's challenge":  {forge(t, protocol.PKCSReq, ca, signer, key, newRequest(t, key, "challenge-B").Raw, cms.AES256), protocol.BadRequest},
		"csr with a broken signature": {forge(t, protocol.PKCSReq, ca, signer, key, tampered, cms.AES256), protocol.BadMessageCheck},
		"weak key":                    {forge(t, protocol.PKCSReq, ca, selfSigned(t, weak), weak, newRequest(t, weak, "challenge-A").Raw, cms.AES256), protocol.BadAlg},
		"signed by a weak key":        {forge(t, protocol.PKCSReq, ca, selfSigned(t, weak), weak, csr, cms.AES256), protocol.BadAlg},
		"not a csr":                   {forge(t, protocol.PKCSReq, ca, signer, key, []byte("hello"), cms.AES256), protocol.BadMessageCheck},
		"for another tenant's CA":     {forge(t, protocol.PKCSReq, e.b.ca.Certificate(), signer, key, csr, cms.AES256), protocol.BadMessageCheck},
		"no envelope":                 {wrap(t, protocol.PKCSReq, signer, key, []byte("hello")), protocol.BadMessageCheck},
		"no content":                  {wrap(t, protocol.PKCSReq, signer, key, nil), protocol.BadMessageCheck},
		"cut envelope":                {wrap(t, protocol.PKCSReq, signer, key, unreadable[:len(unreadable)-5]), protocol.BadMessageCheck},
		"unknown cipher":              {wrap(t, protocol.PKCSReq, signer, key, aes192), protocol.BadAlg},
		"polling":                     {forge(t, protocol.CertPoll, ca, signer, key, csr, cms.AES256), protocol.BadRequest},
		"no such type":                {forge(t, "999", ca, signer, key, csr, cms.AES256), protocol.BadRequest},
		"renewal, self-signed":        {forge(t, protocol.RenewalReq, ca, signer, key, csr, cms.AES256), protocol.BadCertID},
		"renewal, foreign identity":   {forge(t, protocol.RenewalReq, ca, identity(e.b.ca, time.Hour), key, csr, cms.AES256), protocol.BadCertID},
		"renewal, unknown identity":   {forge(t, protocol.RenewalReq, ca, identity(e.a.ca, time.Hour), key, newRequest(t, key, "").Raw, cms.AES256), protocol.BadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			status, answer := e.post(t, "/a", c.message)
			assertRefused(t, status, answer, c.info)
		})
	}
	assert.Empty(t, e.a.issued)
	assert.Empty(t, e.b.issued)
	assert.Len(t, e.a.challenges, 1, "no challenge was used up")
	assert.Len(t, e.b.challenges, 1)
}

func TestRenewalByExpiredIdentity(t *testing.T) {
	e := setup(t)
	key := newKey(t, 2048)
	csr := newRequest(t, key, "challenge-A")
	identity, err := e.a.ca.IssueDevice(csr, pkix.Name{CommonName: "device"}, time.Hour)
	require.NoError(t, err)
	e.a.issued = append(e.a.issued, identity)
	e.ahead = 2 * time.Hour
	status, answer := e.post(t, "/a", forge(t, protocol.RenewalReq, e.a.ca.Certificate(), identity, key, csr.Raw, cms.AES256))
	assertRefused(t, status, answer, protocol.BadCertID)
	assert.Len(t, e.a.issued, 1)
}

func TestReplayedMessage(t *testing.T) {
	e := setup(t)
	key := newKey(t, 2048)
	m := forge(t, protocol.PKCSReq, e.a.ca.Certificate(), selfSigned(t, key), key, newRequest(t, key, "challenge-A").Raw, cms.AES256)
	status, _ := e.post(t, "/a", m)
	require.Equal(t, 200, status)
	require.Len(t, e.a.issued, 1)

	status, answer := e.post(t, "/a", m)
	assertRefused(t, status, answer, protocol.BadRequest)

	fresh := forge(t, protocol.PKCSReq, e.a.ca.Certificate(), selfSigned(t, key), key, newRequest(t, key, "challenge-A").Raw, cms.AES256)
	status, answer = e.post(t, "/a", fresh)
	assertRefused(t, status, answer, protocol.BadRequest)
	assert.Len(t, e.a.issued, 1, "a challenge serves once")
}

func TestMalformed(t *testing.T) {
	e := setup(t)
	key := newKey(t, 2048)
	signer := selfSigned(t, key)
	whole := forge(t, protocol.PKCSReq, e.a.ca.Certificate(), signer, key, newRequest(t, key, "challenge-A").Raw, cms.AES256)
	unsigned, err := cms.Degenerate(signer)
	require.NoError(t, err)
	bare, err := cms.Sign([]byte("x"), signer, key, nil)
	require.NoError(t, err)
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-1] ^= 1
	for name, body := range map[string][]byte{
		"empty": {}, "text": []byte("hello"), "unsigned": unsigned, "no attributes": bare, "bad signature": flipped,
		"trailing bytes": append(bytes.Clone(whole), 0), "nested deep": bytes.Repeat([]byte{0x30, 0x80}, scep.MaxMessage/2),
		"a third": whole[:len(whole)/3], "half": whole[:len(whole)/2], "all but one": whole[:len(whole)-1],
	} {
		t.Run(name, func(t *testing.T) {
			status, _ := e.post(t, "/a", body)
			assert.Equal(t, http.StatusBadRequest, status)
		})
	}
	for size, want := range map[int]int{scep.MaxMessage: 400, scep.MaxMessage + 1: 413, 4<<20 + 1: 413} {
		status, _ := e.post(t, "/a", make([]byte, size))
		assert.Equal(t, want, status, "%d bytes", size)
	}
	for query, want := range map[string]int{
		"": 400, "?operation=GetCRL": 400, "?operation=PKIOperation": 400, "?operation=PKIOperation&message=%25": 400,
		"?operation=PKIOperation&message=" + string(bytes.Repeat([]byte("A"), 100_000)): 413,
	} {
		status, _ := e.get(t, "/a/scep"+query)
		assert.Equal(t, want, status, "%.60s", query)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, e.URL+"/a/scep?operation=GetCACert", http.NoBody)
	require.NoError(t, err)
	answer, err := e.Client().Do(r)
	require.NoError(t, err)
	answer.Body.Close()
	assert.Equal(t, http.StatusMethodNotAllowed, answer.StatusCode)
	assert.Empty(t, e.a.issued)
}

// FuzzPKIOperation holds the server to an answer for any bytes, and any bytes
// within a well-signed message.
func FuzzPKIOperation(f *testing.F) {
	o := newOrganization(f, "A")
	handler, err := scep.New(scep.Config{
		Authority: func(context.Context) (*pki.Authority, error) { return o.ca, nil },
		Observe:   func(scep.Outcome) {}, Challenges: desk{}, Logger: slog.New(slog.DiscardHandler), Clock: now,
	})
	require.NoError(f, err)
	key := newKey(f, 2048)
	signer := selfSigned(f, key)
	csr := newRequest(f, key, "guess").Raw
	envelope, err := cms.Encrypt(csr, o.ca.Certificate(), cms.AES128)
	require.NoError(f, err)
	f.Add(wrap(f, protocol.PKCSReq, signer, key, envelope), 0)
	f.Add(envelope, 1)
	f.Add(csr, 2)
	f.Add([]byte{0x30, 0x80, 0, 0}, 0)
	f.Fuzz(func(t *testing.T, data []byte, layer int) {
		switch layer % 3 {
		case 1:
			data = wrap(t, protocol.PKCSReq, signer, key, data)
		case 2:
			data = forge(t, protocol.PKCSReq, o.ca.Certificate(), signer, key, data, cms.AES128)
		}
		r := httptest.NewRequestWithContext(
			context.WithValue(t.Context(), organizationKey{}, o), http.MethodPost, "/?operation=PKIOperation", bytes.NewReader(data))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 && w.Code != 413 {
			t.Fatalf("status %d", w.Code)
		}
		if len(o.issued) > 0 {
			t.Fatal("a certificate was issued")
		}
	})
}
