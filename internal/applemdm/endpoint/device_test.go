package endpoint_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/internal/applemdm/endpoint"
	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/applemdm/simulator"
)

type dict = map[string]any

// mac is a device that says what a test has it say.
type mac struct {
	*world
	home        *tenant
	udid        string
	serial      string
	certificate *x509.Certificate
}

// order is a command as a device gets it.
type order struct {
	CommandUUID string
	Command     struct {
		RequestType string
		PIN         string
		Message     string
		Payload     []byte
	}
}

// issue gives out a certificate of an organization, for a device of its own if
// one is named.
func (w *world) issue(t *tenant, forDevice string) *x509.Certificate {
	w.t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "a device"}}, keys())
	require.NoError(w.t, err)
	request, err := x509.ParseCertificateRequest(der)
	require.NoError(w.t, err)
	cert, err := t.authority.IssueDevice(request, pkix.Name{CommonName: "a device"}, 365*24*time.Hour)
	require.NoError(w.t, err)
	create := w.client.DeviceIdentity.Create().SetFingerprint(endpoint.Fingerprint(cert)).SetSerialNumber(cert.SerialNumber.Text(16)).
		SetCommonName("a device").SetNotBefore(cert.NotBefore).SetNotAfter(cert.NotAfter)
	if forDevice != "" {
		create.SetDeviceID(forDevice)
	}
	require.NoError(w.t, create.Exec(t.ctx))
	return cert
}

func (w *world) mac(t *tenant, n int) *mac {
	w.t.Helper()
	return &mac{
		world: w, home: t, udid: fmt.Sprintf("00000000-0000-0000-0000-%012d", n), serial: fmt.Sprintf("C02%05d", n), certificate: w.issue(t, ""),
	}
}

// send puts a message, signed, to an organization's path.
func (m *mac) send(to *tenant, path string, body []byte) (int, []byte) {
	m.t.Helper()
	return m.put(to.organization, path, body, m.sign(body))
}

// sender is who the device is to those behind the endpoint.
func (m *mac) sender() queue.Sender {
	return queue.Sender{Fingerprint: endpoint.Fingerprint(m.certificate), SignedAt: m.clock.Now()}
}

func (m *mac) sign(body []byte) string { return m.signAt(body, m.clock.Now()) }

func (m *mac) signAt(body []byte, at time.Time) string {
	m.t.Helper()
	signature, err := simulator.Identity{Certificate: m.certificate, Key: keys()}.Sign(body, at)
	require.NoError(m.t, err)
	return signature
}

func (w *world) put(organization, path string, body []byte, signature string) (int, []byte) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPut, w.url+"/mdm/"+organization+"/"+path, bytes.NewReader(body))
	require.NoError(w.t, err)
	if signature != "" {
		r.Header.Set("Mdm-Signature", signature)
	}
	response, err := (&http.Client{Timeout: 30 * time.Second}).Do(r)
	require.NoError(w.t, err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	require.NoError(w.t, err)
	return response.StatusCode, answer
}

func (m *mac) message(kind string, more dict) []byte {
	m.t.Helper()
	all := dict{"MessageType": kind, "UDID": m.udid, "Topic": m.home.topic}
	for k, v := range more {
		all[k] = v
	}
	body, err := plist.Encode(all)
	require.NoError(m.t, err)
	return body
}

func (m *mac) checkin(kind string, more dict) (int, []byte) {
	m.t.Helper()
	return m.send(m.home, "checkin", m.message(kind, more))
}

func (m *mac) authenticate() int {
	m.t.Helper()
	status, _ := m.checkin("Authenticate", dict{
		"SerialNumber": m.serial, "DeviceName": "Mac " + m.serial, "ModelName": "MacBook Pro", "ProductName": "Mac15,3",
		"OSVersion": "15.1", "BuildVersion": "24B83",
	})
	return status
}

func (m *mac) token(more dict) int {
	m.t.Helper()
	all := dict{"Token": []byte("token of " + m.serial), "PushMagic": "magic", "UnlockToken": []byte("unlock " + m.serial)}
	for k, v := range more {
		all[k] = v
	}
	status, _ := m.checkin("TokenUpdate", all)
	return status
}

// enrol brings the device in, and has its jobs worked.
func (m *mac) enrol() {
	m.t.Helper()
	require.Equal(m.t, http.StatusOK, m.authenticate())
	require.Equal(m.t, http.StatusOK, m.token(nil))
	m.work()
}

// enrolled is a device whose first inventory is out of the way.
func (w *world) enrolled(t *tenant, n int) *mac {
	w.t.Helper()
	m := w.mac(t, n)
	m.enrol()
	for next := m.idle(); next != nil; {
		next = m.answer(next, "Acknowledged", nil)
	}
	return m
}

// report says what became of a command, and returns the next.
func (m *mac) report(status string, more dict) (*order, int) {
	m.t.Helper()
	all := dict{"UDID": m.udid, "Status": status}
	for k, v := range more {
		all[k] = v
	}
	body, err := plist.Encode(all)
	require.NoError(m.t, err)
	code, answer := m.send(m.home, "connect", body)
	if len(answer) == 0 {
		return nil, code
	}
	next := &order{}
	require.NoError(m.t, plist.Decode(answer, next), "%s", answer)
	return next, code
}

func (m *mac) idle() *order {
	m.t.Helper()
	next, code := m.report("Idle", nil)
	require.Equal(m.t, http.StatusOK, code)
	return next
}

func (m *mac) answer(o *order, status string, more dict) *order {
	m.t.Helper()
	all := dict{"CommandUUID": o.CommandUUID}
	for k, v := range more {
		all[k] = v
	}
	next, code := m.report(status, all)
	require.Equal(m.t, http.StatusOK, code)
	return next
}

// row is what is known of the device in an organization.
func (m *mac) row(t *tenant) *ent.Device {
	m.t.Helper()
	return m.client.Device.Query().Where(device.SerialNumber(m.serial)).OnlyX(t.ctx)
}
