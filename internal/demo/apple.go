package demo

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"time"

	"github.com/google/uuid"

	apns "github.com/bailiwick/bailiwick/internal/applemdm/push/standin"
	"github.com/bailiwick/bailiwick/internal/httpd"
)

// The push certificates of the demo are Apple's: made with this Apple ID, for a
// year.
const creatorAppleID = "devices@northwind.example"

// enrollmentName marks the enrolment that the simulated devices come by.
const enrollmentName = "Simulated devices"

// startAPNs serves the stand-in of Apple's push service, which wakes the
// devices. It takes push certificates that an earlier start has issued.
func startAPNs(ctx context.Context, kept state, devices *devices, c Config) (*apns.Server, error) {
	config := apns.Config{Logger: c.Logger, Clock: c.Clock, OnPush: func(p apns.Push) {
		if !devices.fleet.Push(p.Token, p.Magic) {
			c.Logger.InfoContext(ctx, "a notification is for no simulated device")
		}
	}}
	if len(kept.PushAuthority) > 0 {
		issuer, err := x509.ParseCertificate(kept.PushAuthority)
		if err != nil {
			return nil, fmt.Errorf("read the demo's state: the push authority: %w", err)
		}
		config.Clients = []*x509.Certificate{issuer}
	}
	return apns.Start(ctx, "127.0.0.1:0", config)
}

// manage sets device management up in an organization, as a technician does:
// the request for a push certificate goes to Apple, whose part the stand-in
// takes, and the certificate comes back.
func (f *filling) manage(ctx context.Context, organization string, apple *apns.Server, now time.Time) error {
	inside := f.owner.with(organizationHeader, organization)
	var created struct {
		CreateAppleMdm struct {
			AppleMdm struct {
				ID        string
				SignedCsr struct{ Content string }
			}
		}
	}
	err := inside.do(ctx, `mutation CreateAppleMdm { createAppleMdm(input: {name: "Apple devices"}) { appleMdm { id signedCsr { content } } } }`, nil, &created)
	if err != nil {
		return err
	}
	certificate, err := certify(apple, created.CreateAppleMdm.AppleMdm.SignedCsr.Content, now)
	if err != nil {
		return err
	}
	err = inside.do(ctx, `mutation Upload($input: UploadPushCertificateInput!) { uploadPushCertificate(input: $input) { appleMdm { id } } }`,
		vars{"input": vars{"appleMdmId": created.CreateAppleMdm.AppleMdm.ID, "certificate": certificate, "creatorAppleId": creatorAppleID}}, nil)
	if err != nil {
		return err
	}
	return inside.do(ctx, `mutation CreateEnrollment($name: String!) { createEnrollment(input: {name: $name}) { enrollment { id } } }`,
		vars{"name": enrollmentName}, nil)
}

// certify answers a request for a push certificate as Apple's portal does.
func certify(apple *apns.Server, request string, now time.Time) (certificate string, err error) {
	block, _ := pem.Decode([]byte(request))
	if block == nil {
		return "", errors.New("the request for a push certificate is not in PEM")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("the request for a push certificate: %w", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return "", fmt.Errorf("the request for a push certificate: %w", err)
	}
	der, err := apple.Issue(csr.PublicKey, "com.apple.mgmt.External."+uuid.NewString(), now.AddDate(1, 0, 0))
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), nil
}

// front is where devices reach the server: over TLS, without which no device
// enrols.
type front struct {
	listener    net.Listener
	certificate tls.Certificate
	roots       *x509.CertPool
	http        *http.Server
}

// openFront listens on a free port of this machine.
func openFront(ctx context.Context, now time.Time) (*front, error) {
	f := &front{roots: x509.NewCertPool()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the devices' server key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "Bailiwick demo"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("certify the devices' server key: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certify the devices' server key: %w", err)
	}
	f.certificate = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
	f.roots.AddCert(leaf)
	if f.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("listen for the simulated devices: %w", err)
	}
	return f, nil
}

func (f *front) url() string { return "https://" + f.listener.Addr().String() }

// serve lets the server answer until the front is stopped.
func (f *front) serve(ctx context.Context, handler http.Handler, c Config) {
	f.http = httpd.Server(f.listener.Addr().String(), handler, c.Logger)
	f.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{f.certificate}, MinVersion: tls.VersionTLS12, Time: c.Clock}
	go func() {
		if err := f.http.ServeTLS(f.listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			c.Logger.ErrorContext(ctx, "the simulated devices' server ended", "error", err)
		}
	}()
}

// stop ends the front. No device speaks any more by then.
func (f *front) stop() error { return f.http.Close() }
