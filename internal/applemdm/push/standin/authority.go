package standin

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net"
	"time"
)

// uid is the attribute of a push certificate's subject that holds its topic.
var uid = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}

// authority certifies the stand-in and its clients.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(now time.Time) (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, fmt.Errorf("authority: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Stand-in for Apple's push authority"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return authority{}, fmt.Errorf("authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return authority{}, fmt.Errorf("authority: %w", err)
	}
	return authority{certificate: certificate, key: key}, nil
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

func (a authority) sign(template *x509.Certificate, key crypto.PublicKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("serial number: %w", err)
	}
	template.SerialNumber = serial
	template.KeyUsage = x509.KeyUsageDigitalSignature
	return x509.CreateCertificate(rand.Reader, template, a.certificate, key, a.key)
}

// server certifies the stand-in itself, on this machine.
func (a authority) server(now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("server key: %w", err)
	}
	der, err := a.sign(&x509.Certificate{
		Subject:   pkix.Name{CommonName: "api.push.apple.com"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
		DNSNames:    []string{"localhost", "api.push.apple.com"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, key.Public())
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("server certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// issue makes a push certificate, with the names that Apple gives it.
func (a authority) issue(key crypto.PublicKey, topic string, now, notAfter time.Time) ([]byte, error) {
	der, err := a.sign(&x509.Certificate{
		Subject: pkix.Name{
			CommonName: "APSP:" + topic, Country: []string{"US"},
			ExtraNames: []pkix.AttributeTypeAndValue{{Type: uid, Value: topic}},
		},
		// A certificate can be issued that has ended already: for tests.
		NotBefore: earlier(now, notAfter).Add(-time.Hour), NotAfter: notAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key)
	if err != nil {
		return nil, fmt.Errorf("push certificate: %w", err)
	}
	return der, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// topicOf returns the topic of a push certificate, or "".
func topicOf(c *x509.Certificate) string {
	for _, name := range c.Subject.Names {
		if topic, ok := name.Value.(string); ok && name.Type.Equal(uid) {
			return topic
		}
	}
	return ""
}
