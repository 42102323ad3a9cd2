package simulator_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/micromdm/plist"
	"github.com/smallstep/pkcs7"
	"github.com/smallstep/scep"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/simulator"
)

type dict = map[string]any

const topic = "com.apple.mgmt.External.test"

// server is a small MDM server: SCEP with one-time challenges, signed messages
// checked, a queue for each device.
type server struct {
	*httptest.Server

	ca  *x509.Certificate
	key *rsa.PrivateKey

	mu           sync.Mutex
	challenges   map[string]bool
	serial       int64
	messages     []dict // check-ins and reports, as they came
	queue        map[string][]dict
	bootstrap    []byte
	declarations map[string]dict // by endpoint
	refuse       int             // status of every answer, if not 0
	refusal      string
	mutual       bool // client certificates instead of signatures
}

var sharedKeys = simulator.NewKeyring(2)

func startServer(t *testing.T) *server {
	t.Helper()
	key, err := sharedKeys.Key(t.Context(), 2048)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	ca, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	s := &server{ca: ca, key: key, challenges: map[string]bool{}, serial: 10, queue: map[string][]dict{}, declarations: map[string]dict{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/scep", s.scep)
	mux.HandleFunc("PUT /checkin", func(w http.ResponseWriter, r *http.Request) { s.message(w, r, s.checkIn) })
	mux.HandleFunc("PUT /connect", func(w http.ResponseWriter, r *http.Request) { s.message(w, r, s.connect) })
	s.Server = httptest.NewUnstartedServer(mux)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *server) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

func (s *server) challenge() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := fmt.Sprint("challenge-", len(s.challenges))
	s.challenges[c] = true
	return c
}

// profile makes an enrolment profile with a new challenge.
func (s *server) profile(t *testing.T, mdm dict) []byte {
	t.Helper()
	payload := dict{
		"PayloadType": "com.apple.mdm", "PayloadIdentifier": "test.mdm", "PayloadUUID": "U2", "PayloadVersion": 1,
		"IdentityCertificateUUID": "U1", "ServerURL": s.URL + "/connect", "CheckInURL": s.URL + "/checkin",
		"Topic": topic, "AccessRights": 8191, "SignMessage": true, "CheckOutWhenRemoved": true,
		"ServerCapabilities": []any{"com.apple.mdm.bootstraptoken"},
	}
	maps.Copy(payload, mdm)
	return encode(t, dict{
		"PayloadType": "Configuration", "PayloadIdentifier": "test.enrolment", "PayloadUUID": "U0", "PayloadVersion": 1, "PayloadDisplayName": "Enrolment",
		"PayloadContent": []any{
			dict{
				"PayloadType": "com.apple.security.scep", "PayloadIdentifier": "test.scep", "PayloadUUID": "U1", "PayloadVersion": 1,
				"PayloadContent": dict{
					"URL": s.URL + "/scep", "Challenge": s.challenge(), "Keysize": 2048, "Key Type": "RSA",
					"Subject": []any{[]any{[]any{"O", "Test"}}, []any{[]any{"CN", "%SerialNumber%"}}},
				},
			},
			payload,
		},
	})
}

func encode(t *testing.T, d dict) []byte {
	t.Helper()
	data, err := plist.Marshal(d)
	require.NoError(t, err)
	return data
}

func (s *server) scep(w http.ResponseWriter, r *http.Request) {
	var message []byte
	switch r.URL.Query().Get("operation") {
	case "GetCACaps":
		_, _ = io.WriteString(w, "SHA-256\nAES\nPOSTPKIOperation\n")
		return
	case "GetCACert":
		w.Header().Set("Content-Type", "application/x-x509-ca-cert")
		_, _ = w.Write(s.ca.Raw)
		return
	case "PKIOperation":
		message, _ = io.ReadAll(r.Body)
	}
	answer, err := s.issue(message)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-pki-message")
	_, _ = w.Write(answer)
}

func (s *server) issue(message []byte) ([]byte, error) {
	m, err := scep.ParsePKIMessage(message)
	if err != nil {
		return nil, err
	}
	if err := m.DecryptPKIEnvelope(s.ca, s.key); err != nil {
		return nil, err
	}
	if err := m.CSR.CheckSignature(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.challenges[m.ChallengePassword] {
		refused, err := m.Fail(s.ca, s.key, scep.BadRequest)
		if err != nil {
			return nil, err
		}
		return refused.Raw, nil
	}
	s.challenges[m.ChallengePassword] = false
	s.serial++
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(s.serial), Subject: m.CSR.Subject, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, s.ca, m.CSR.PublicKey, s.key)
	if err != nil {
		return nil, err
	}
	issued, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	answer, err := m.Success(s.ca, s.key, issued)
	if err != nil {
		return nil, err
	}
	return answer.Raw, nil
}

// signer checks who sent a message.
func (s *server) signer(r *http.Request, body []byte) (*x509.Certificate, error) {
	if s.mutual {
		if len(r.TLS.PeerCertificates) == 0 {
			return nil, fmt.Errorf("no client certificate")
		}
		return r.TLS.PeerCertificates[0], r.TLS.PeerCertificates[0].CheckSignatureFrom(s.ca)
	}
	der, err := base64.StdEncoding.DecodeString(r.Header.Get("Mdm-Signature"))
	if err != nil {
		return nil, err
	}
	signed, err := pkcs7.Parse(der)
	if err != nil {
		return nil, err
	}
	signed.Content = body
	if err := signed.Verify(); err != nil {
		return nil, err
	}
	return signed.GetOnlySigner(), signed.GetOnlySigner().CheckSignatureFrom(s.ca)
}

func (s *server) message(w http.ResponseWriter, r *http.Request, handle func(dict) []byte) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	certificate, err := s.signer(r, body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var m dict
	if err := plist.NewXMLDecoder(bytes.NewReader(body)).Decode(&m); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != 0 {
		w.WriteHeader(s.refuse)
		_, _ = io.WriteString(w, s.refusal)
		return
	}
	m["signer"] = certificate.SerialNumber.Int64()
	s.messages = append(s.messages, m)
	_, _ = w.Write(handle(m))
}

func (s *server) checkIn(m dict) []byte {
	switch m["MessageType"] {
	case "SetBootstrapToken":
		s.bootstrap, _ = m["BootstrapToken"].([]byte)
	case "GetBootstrapToken":
		if s.bootstrap == nil {
			return nil
		}
		data, _ := plist.Marshal(dict{"BootstrapToken": s.bootstrap})
		return data
	case "GetToken":
		data, _ := plist.Marshal(dict{"TokenData": []byte("token")})
		return data
	case "DeclarativeManagement":
		if answer, ok := s.declarations[m["Endpoint"].(string)]; ok {
			data, _ := json.Marshal(answer)
			return data
		}
	}
	return nil
}

func idOf(m dict) string {
	if id, ok := m["EnrollmentID"].(string); ok {
		return id
	}
	id, _ := m["UDID"].(string)
	return id
}

func (s *server) connect(m dict) []byte {
	id := idOf(m)
	queue := s.queue[id]
	if status := m["Status"]; status != "Idle" && len(queue) > 0 && queue[0]["CommandUUID"] == m["CommandUUID"] {
		if status == "NotNow" {
			return nil
		}
		queue = queue[1:]
		s.queue[id] = queue
	}
	if len(queue) == 0 {
		return nil
	}
	data, _ := plist.Marshal(queue[0])
	return data
}

// enqueue puts a command into a device's queue; its UUID is type and number.
func (s *server) enqueue(d *simulator.Device, requestType string, keys dict) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := d.EnrollmentID()
	if id == "" {
		id = d.Hardware().UDID
	}
	s.serial++
	commandUUID := fmt.Sprint(requestType, "-", s.serial)
	command := dict{"RequestType": requestType}
	maps.Copy(command, keys)
	s.queue[id] = append(s.queue[id], dict{"CommandUUID": commandUUID, "Command": command})
	return commandUUID
}

// sent returns the check-ins of a type, or the reports of a status.
func (s *server) sent(kind string) []dict {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []dict
	for _, m := range s.messages {
		if m["MessageType"] == kind || m["Status"] == kind {
			found = append(found, m)
		}
	}
	return found
}

// story is what came, in short.
func (s *server) story() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var parts []string
	for _, m := range s.messages {
		part, _ := m["MessageType"].(string)
		if endpoint, ok := m["Endpoint"].(string); ok {
			part = endpoint
		}
		if status, ok := m["Status"].(string); ok {
			part = status
		}
		parts = append(parts, part)
	}
	s.messages = nil
	return strings.Join(parts, " ")
}

func newDevice(t *testing.T, s *server, config simulator.Config) *simulator.Device {
	t.Helper()
	config.Transport = simulator.NewTransport(s.roots())
	t.Cleanup(config.Transport.CloseIdleConnections)
	config.Clock = time.Now
	if config.Keys == nil {
		config.Keys = sharedKeys.Key
	}
	if config.Hardware.Kind == "" {
		config.Hardware = simulator.Generate(1, simulator.MacAppleSilicon)
	}
	d, err := simulator.New(config)
	require.NoError(t, err)
	return d
}

func enrolled(t *testing.T, s *server, config simulator.Config) *simulator.Device {
	t.Helper()
	d := newDevice(t, s, config)
	require.NoError(t, d.Enroll(t.Context(), s.profile(t, nil)))
	s.story()
	return d
}

func connect(t *testing.T, d *simulator.Device) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n, err := d.Connect(ctx)
	require.NoError(t, err)
	return n
}
