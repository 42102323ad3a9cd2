// Package pki is the certificate authority that each organization's Apple MDM
// stands on: it issues the identities that devices present, and the
// certificate that signs enrolment profiles. It stores nothing. Keys are RSA,
// the only kind that SCEP (RFC 8894) can use.
package pki

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"
)

const (
	// KeyBits is the size of every RSA key that is made here.
	KeyBits = 2048
	// Lifetime is how long a new authority is valid.
	Lifetime = 10 * 365 * 24 * time.Hour
	// skew is how far back a certificate's life begins: devices ask for one
	// before they have set their clock.
	skew = time.Hour
	// maxKeyBits bounds what a client can make the server verify.
	maxKeyBits = 8192
)

var (
	// ErrKey is returned for a request whose key is not RSA of 2048 to 8192 bits.
	ErrKey = errors.New("pki: the key is not RSA of 2048 to 8192 bits")
	// ErrSignature is returned for a request that its own key did not sign.
	ErrSignature = errors.New("pki: the request is not signed by its own key")
	// ErrExpired is returned when the authority's own life is over or not begun.
	ErrExpired = errors.New("pki: the certificate authority is not valid now")
)

// Authority is a certificate authority and its key. It is safe for concurrent
// use.
type Authority struct {
	certificate *x509.Certificate
	key         *rsa.PrivateKey
	trust       *Trust
	clock       func() time.Time
}

// New makes an authority with a new key and a self-signed certificate.
func New(subject pkix.Name, clock func() time.Time) (*Authority, error) {
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	from := clock().Add(-skew)
	template := &x509.Certificate{
		Subject:   subject,
		NotBefore: from,
		NotAfter:  from.Add(Lifetime),
		// Clients encrypt their SCEP messages to this certificate, and read answers
		// that it signed.
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	certificate, err := sign(template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &Authority{certificate: certificate, key: key, trust: NewTrust(certificate), clock: clock}, nil
}

// Open restores an authority from its certificate (DER) and its key as
// MarshalKey wrote it.
func Open(certificate, key []byte, clock func() time.Time) (*Authority, error) {
	c, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, fmt.Errorf("pki: certificate of the authority: %w", err)
	}
	k, err := ParseKey(key)
	if err != nil {
		return nil, err
	}
	if !k.PublicKey.Equal(c.PublicKey) {
		return nil, errors.New("pki: key and certificate of the authority do not belong together")
	}
	return &Authority{certificate: c, key: k, trust: NewTrust(c), clock: clock}, nil
}

// Certificate returns the authority's own certificate; Raw is its DER.
func (a *Authority) Certificate() *x509.Certificate { return a.certificate }

// Key returns the authority's key, for the SCEP server that decrypts and signs
// with it.
func (a *Authority) Key() *rsa.PrivateKey { return a.key }

// MarshalKey returns the key as PKCS#8 DER, in the clear: the caller seals it.
func (a *Authority) MarshalKey() ([]byte, error) { return MarshalKey(a.key) }

// IssueDevice issues a device's identity. Of the request it uses nothing but
// the public key, once the request's own signature is checked: the subject is
// the server's. The certificate never outlives the authority. Errors are
// ErrKey, ErrSignature and ErrExpired.
func (a *Authority) IssueDevice(request *x509.CertificateRequest, subject pkix.Name, validity time.Duration) (*x509.Certificate, error) {
	if err := CheckRequest(request); err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:     subject,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	return a.issue(template, request.PublicKey, validity)
}

// Identity is a certificate, its key, and the certificates above it, nearest
// first.
type Identity struct {
	Certificate *x509.Certificate
	Key         *rsa.PrivateKey
	Issuers     []*x509.Certificate
}

// IssueSigner issues a certificate with a new key that signs configuration
// profiles. It is no device's identity.
func (a *Authority) IssueSigner(subject pkix.Name, validity time.Duration) (*Identity, error) {
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:  subject,
		KeyUsage: x509.KeyUsageDigitalSignature,
		// S/MIME's usage is what CMS verifiers look for by default.
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageCodeSigning},
	}
	certificate, err := a.issue(template, &key.PublicKey, validity)
	if err != nil {
		return nil, err
	}
	return &Identity{Certificate: certificate, Key: key, Issuers: []*x509.Certificate{a.certificate}}, nil
}

func (a *Authority) issue(template *x509.Certificate, public any, validity time.Duration) (*x509.Certificate, error) {
	now := a.clock()
	if now.Before(a.certificate.NotBefore) || now.After(a.certificate.NotAfter) {
		return nil, ErrExpired
	}
	if validity <= 0 {
		return nil, errors.New("pki: the validity asked for is not positive")
	}
	template.NotBefore = latest(now.Add(-skew), a.certificate.NotBefore)
	template.NotAfter = earliest(now.Add(validity), a.certificate.NotAfter)
	template.BasicConstraintsValid = true
	return sign(template, a.certificate, public, a.key)
}

// Trust returns the trust in this authority's certificate.
func (a *Authority) Trust() *Trust { return a.trust }

// CheckKey is ErrKey for a public key that no device has: of another kind than
// RSA, too short to be safe, or too long to work with.
func CheckKey(key any) error {
	public, ok := key.(*rsa.PublicKey)
	if !ok || public.N.BitLen() < KeyBits || public.N.BitLen() > maxKeyBits {
		return ErrKey
	}
	return nil
}

// CheckRequest checks the key and the signature of a certificate request. The
// errors are ErrKey and ErrSignature.
func CheckRequest(request *x509.CertificateRequest) error {
	if err := CheckKey(request.PublicKey); err != nil {
		return err
	}
	if err := request.CheckSignature(); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return nil
}

func sign(template, parent *x509.Certificate, public any, key *rsa.PrivateKey) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.SignatureAlgorithm = x509.SHA256WithRSA
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, fmt.Errorf("pki: sign a certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("pki: read back a certificate: %w", err)
	}
	return certificate, nil
}

// newSerial returns 128 random bits. The top one is set, so that a serial is
// positive and always of one length.
func newSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("pki: serial number: %w", err)
	}
	return serial.SetBit(serial, 127, 1), nil
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
