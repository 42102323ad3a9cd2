package app_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/app"
	"github.com/bailiwick/bailiwick/internal/applemdm/simulator"
)

// domain is the host of [mdmURL].
const domain = "mdm.example"

// serverCertificate makes files with a certificate for the domain and this
// machine, and its key.
func serverCertificate(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: domain}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{domain}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	certificate, key = filepath.Join(t.TempDir(), "server.pem"), filepath.Join(t.TempDir(), "server.key")
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	}
	return certificate, key
}

// trusting is a transport that trusts a file's certificate.
func trusting(t *testing.T, certificate string) *http.Transport {
	t.Helper()
	content, err := os.ReadFile(certificate)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(content))
	return simulator.NewTransport(roots)
}

// entrance is how devices reach a server whose devices sign nothing.
type entrance struct {
	*mdm
	address   string // where the domain is
	transport *http.Transport
	write     func(*x509.Certificate) string // the header Client-Cert, as a client makes it up
}

func escapedPEM(c *x509.Certificate) string {
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") // as nginx does
}

func clientCert(c *x509.Certificate) string {
	return ":" + base64.StdEncoding.EncodeToString(c.Raw) + ":"
}

// behindProxy is the entrance of a proxy that asks for client certificates and
// passes them on in a header.
func behindProxy(t *testing.T, format string, write func(*x509.Certificate) string) *entrance {
	t.Helper()
	m := startMDM(t, dialect.SQLite, func(c *app.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		c.MDMCertificateHeader, c.MDMCertificateFormat = "Client-Cert", format
	})
	behind, err := url.Parse(strings.TrimSuffix(m.url, "/graphql"))
	require.NoError(t, err)
	front := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(behind)
		r.SetXForwarded()
		r.Out.Header.Del("Client-Cert")
		if shown := r.In.TLS.PeerCertificates; len(shown) > 0 {
			r.Out.Header.Set("Client-Cert", write(shown[0]))
		}
	}})
	certificate, key := serverCertificate(t)
	pair, err := tls.LoadX509KeyPair(certificate, key)
	require.NoError(t, err)
	front.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	front.StartTLS()
	t.Cleanup(front.Close)
	return &entrance{mdm: m, address: front.Listener.Addr().String(), transport: trusting(t, certificate), write: write}
}

// withoutProxy is the entrance of a server that ends TLS itself.
func withoutProxy(t *testing.T) *entrance {
	t.Helper()
	certificate, key := serverCertificate(t)
	m := startMDM(t, dialect.SQLite, func(c *app.Config) {
		c.TLSCertificate, c.TLSKey, c.MDMClientCertificates = certificate, key, true
	})
	at, err := url.Parse(m.url)
	require.NoError(t, err)
	return &entrance{mdm: m, address: at.Host, transport: trusting(t, certificate), write: clientCert}
}

// open prepares the tenants and has the domain lead to the entrance.
func (e *entrance) open(t *testing.T, sign bool) {
	t.Helper()
	for _, tenant := range []mdmTenant{e.a, e.b} {
		e.ready(t, tenant)
		e.must(t, tenant.key, "", `mutation($id: ID!, $sign: Boolean) { updateAppleMdm(input: {id: $id, signMessage: $sign}) { appleMdm { id } } }`,
			map[string]any{"id": tenant.id, "sign": sign}, nil)
	}
	e.transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, e.address)
	}
}

// enrol has a new device enrol itself.
func (e *entrance) enrol(t *testing.T, tenant mdmTenant, seed uint64) *simulator.Device {
	t.Helper()
	d, err := simulator.New(simulator.Config{Hardware: simulator.Generate(seed, simulator.IPhone), Transport: e.transport, Clock: time.Now})
	require.NoError(t, err)
	_, path := e.enrollment(t, tenant, nil)
	status, document := e.get(t, path+"/profile")
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, d.Enroll(t.Context(), document))
	_, err = d.Connect(t.Context())
	require.NoError(t, err)
	return d
}

// idle sends an idle message in a device's name, with a client certificate or
// without, and answers the status.
func (e *entrance) idle(t *testing.T, to mdmTenant, d *simulator.Device, as *simulator.Identity, header http.Header) int {
	t.Helper()
	transport := e.transport.Clone()
	defer transport.CloseIdleConnections()
	if as != nil {
		transport.TLSClientConfig.Certificates = []tls.Certificate{{Certificate: [][]byte{as.Certificate.Raw}, PrivateKey: as.Key}}
	}
	body := fmt.Sprintf(`<plist version="1.0"><dict><key>UDID</key><string>%s</string><key>Status</key><string>Idle</string></dict></plist>`, d.Hardware().UDID)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, mdmURL+"/mdm/"+to.organization+"/connect", strings.NewReader(body))
	require.NoError(t, err)
	r.Header = header
	response, err := (&http.Client{Transport: transport, Timeout: patience}).Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

func TestDevicesThatShowTheirCertificates(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *entrance{
		"escaped PEM from a proxy": func(t *testing.T) *entrance { return behindProxy(t, "escaped-pem", escapedPEM) },
		"RFC 9440 from a proxy":    func(t *testing.T) *entrance { return behindProxy(t, "client-cert", clientCert) },
		"in the handshake":         withoutProxy,
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t)
			e.open(t, false)
			acme, bolt := e.enrol(t, e.a, 1), e.enrol(t, e.b, 2)
			own, foreign := acme.Identity(), bolt.Identity()
			madeUp := http.Header{"Client-Cert": {e.write(own.Certificate)}}
			by := stranger(t)
			none := &simulator.Identity{Certificate: by.certificate, Key: by.key}

			require.Equal(t, http.StatusOK, e.idle(t, e.a, acme, &own, nil))
			require.Equal(t, http.StatusOK, e.idle(t, e.b, bolt, &foreign, nil))
			for what, status := range map[string]int{
				"no certificate":                  e.idle(t, e.a, acme, nil, nil),
				"a stranger's":                    e.idle(t, e.a, acme, none, nil),
				"another tenant's":                e.idle(t, e.a, acme, &foreign, nil),
				"its own, to another tenant":      e.idle(t, e.b, acme, &own, nil),
				"another device's name there":     e.idle(t, e.b, bolt, &own, nil),
				"none, and a header":              e.idle(t, e.a, acme, nil, madeUp),
				"another tenant's, and a header":  e.idle(t, e.a, acme, &foreign, madeUp),
				"a stranger's, and a header":      e.idle(t, e.a, acme, none, madeUp),
				"a header and its own, elsewhere": e.idle(t, e.b, acme, &own, madeUp),
			} {
				require.Equal(t, http.StatusBadRequest, status, what)
			}
			require.Equal(t, http.StatusOK, e.idle(t, e.a, acme, &own, madeUp), "what a client makes up counts for nothing")
		})
	}
}

func TestCertificatesFromWhoeverIsNoProxy(t *testing.T) {
	e := behindProxy(t, "client-cert", clientCert)
	e.open(t, false)
	acme := e.enrol(t, e.a, 1)
	shown := http.Header{"Client-Cert": {clientCert(acme.Identity().Certificate)}}
	body := fmt.Appendf(nil, `<plist version="1.0"><dict><key>UDID</key><string>%s</string><key>Status</key><string>Idle</string></dict></plist>`, acme.Hardware().UDID)
	connect := "/mdm/" + e.a.organization + "/connect"
	r, _ := e.call(t, http.MethodPut, connect, shown, body)
	require.Equal(t, http.StatusOK, r.StatusCode, "the proxy's address")

	other := startMDM(t, dialect.SQLite, func(c *app.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		c.MDMCertificateHeader, c.MDMCertificateFormat = "Client-Cert", "client-cert"
	})
	certificate, key := serverCertificate(t)
	pair, err := tls.LoadX509KeyPair(certificate, key)
	require.NoError(t, err)
	h := other.Handler()
	front := httptest.NewUnstartedServer(h)
	front.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	front.StartTLS()
	t.Cleanup(front.Close)
	far := &entrance{mdm: other, address: front.Listener.Addr().String(), transport: trusting(t, certificate), write: clientCert}
	far.open(t, true)
	d := far.enrol(t, far.a, 1)
	neighbour := far.enrol(t, far.a, 2)
	for _, more := range []http.Header{{}, {"X-Forwarded-For": {"192.0.2.1"}}, {"Forwarded": {"for=192.0.2.1"}}} {
		more.Set("Client-Cert", clientCert(d.Identity().Certificate))
		require.Equal(t, http.StatusBadRequest, far.idle(t, far.a, d, nil, more), "%v", more)
	}
	_, err = neighbour.Connect(t.Context())
	require.NoError(t, err, "signatures count as ever")
}

func TestARenewedCertificateIsServedWithoutARestart(t *testing.T) {
	certificate, key := serverCertificate(t)
	s := startMDM(t, dialect.SQLite, func(c *app.Config) { c.TLSCertificate, c.TLSKey = certificate, key })
	at, err := url.Parse(s.url)
	require.NoError(t, err)
	served := func() *big.Int {
		c, err := tls.Dial("tcp", at.Host, &tls.Config{InsecureSkipVerify: true})
		require.NoError(t, err)
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber
	}
	first := served()
	next, nextKey := serverCertificate(t)
	later := time.Now().Add(time.Hour)
	for from, to := range map[string]string{next: certificate, nextKey: key} {
		require.NoError(t, os.Rename(from, to))
		require.NoError(t, os.Chtimes(to, later, later))
	}
	require.NotEqual(t, first, served())
	second := served()
	require.NoError(t, os.WriteFile(certificate, []byte("half a"), 0o600))
	require.Equal(t, second, served(), "until both files are whole")
	require.NoError(t, os.Remove(certificate))
	require.Equal(t, second, served())
}
