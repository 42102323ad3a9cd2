// Package push wakes devices through the Apple Push Notification service. A
// notification for MDM carries nothing but the device's PushMagic: the device
// connects and asks what there is to do.
package push

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// ProductionHost is Apple's host. MDM has no sandbox.
const ProductionHost = "https://api.push.apple.com"

// What a Config leaves open.
const (
	defaultClients     = 512
	defaultStreams     = maxStreams
	defaultConcurrency = 256
	defaultTimeout     = 20 * time.Second
)

// lifetime is how long APNs keeps a notification for a device that is off.
const lifetime = 7 * 24 * time.Hour

// maxStreams is half of what every HTTP/2 server is expected to take on a
// connection (RFC 9113, 6.5.2): a stream counts a little longer than its answer
// takes, and one too many would open a second connection. Apple takes 1,000.
const maxStreams = 50

// Config says how APNs is reached. Zero values mean the defaults named.
type Config struct {
	Host        string         // https URL without a path; Apple's production host
	Roots       *x509.CertPool // who may certify the host; the system's
	Clients     int            // certificates whose connection is kept; 512
	Streams     int            // notifications of one certificate on their way at once, at most 50; 50
	Concurrency int            // notifications of one SendMany on their way at once; 256
	Timeout     time.Duration  // for one notification, connecting included; 20 s
	Clock       func() time.Time
}

// Validate reports what is missing or impossible.
func (c Config) Validate() error {
	if c.Clock == nil {
		return errors.New("push: clock is missing")
	}
	if c.Clients < 0 || c.Streams < 0 || c.Concurrency < 0 || c.Timeout < 0 {
		return errors.New("push: a limit is negative")
	}
	if c.Streams > maxStreams {
		return fmt.Errorf("push: more than %d streams", maxStreams)
	}
	if c.Host == "" {
		return nil
	}
	u, err := url.Parse(c.Host)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
		return fmt.Errorf("push: host %q is not an https URL without a path", c.Host)
	}
	return nil
}

func (c Config) complete() Config {
	c.Host = cmp.Or(c.Host, ProductionHost)
	c.Clients = cmp.Or(c.Clients, defaultClients)
	c.Streams = cmp.Or(c.Streams, defaultStreams)
	c.Concurrency = cmp.Or(c.Concurrency, defaultConcurrency)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	return c
}

// Certificate is an organization's MDM push certificate with its private key.
type Certificate struct {
	Tenant string // the organization's id: no connection is shared between two
	TLS    tls.Certificate
}

// identity is what a connection is cached by. The tenant is part of it, so
// that a certificate uploaded twice still serves each organization alone.
type identity struct {
	tenant      string
	fingerprint [sha256.Size]byte
}

// leaf returns the certificate itself, and what its connection is cached by.
func (c Certificate) leaf() (*x509.Certificate, identity, error) {
	if len(c.TLS.Certificate) == 0 || c.TLS.PrivateKey == nil {
		return nil, identity{}, errors.New("push: certificate or private key is missing")
	}
	id := identity{tenant: c.Tenant, fingerprint: sha256.Sum256(c.TLS.Certificate[0])}
	if c.TLS.Leaf != nil {
		return c.TLS.Leaf, id, nil
	}
	leaf, err := x509.ParseCertificate(c.TLS.Certificate[0])
	if err != nil {
		return nil, identity{}, fmt.Errorf("push: parse certificate: %w", err)
	}
	return leaf, id, nil
}

// Notification wakes one device, or one user of a device.
type Notification struct {
	Token []byte // as TokenUpdate brought it
	Magic string // PushMagic, as TokenUpdate brought it
	Topic string // the UID in the subject of the push certificate
}

// Sender sends notifications. It is safe for concurrent use.
type Sender struct {
	config  Config
	clients *cache
}

// New returns a sender that has connected to nothing yet.
func New(config Config) (*Sender, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.complete()
	return &Sender{config: config, clients: newCache(config)}, nil
}

// Send sends one notification and reports what became of it. It waits at most
// for the configured time.
func (s *Sender) Send(ctx context.Context, certificate Certificate, n Notification) Outcome {
	leaf, id, err := certificate.leaf()
	if err != nil {
		return Outcome{Status: CertificateRefused, Reason: ReasonUnusable, Err: err}
	}
	if now := s.config.Clock(); now.After(leaf.NotAfter) {
		return Outcome{Status: CertificateRefused, Reason: ReasonExpired, Since: leaf.NotAfter}
	}
	c := s.clients.acquire(id, certificate.TLS)
	defer s.clients.release(c)
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	return c.push(ctx, n, s.config.Clock())
}

// Forget closes an organization's connections, as soon as nothing is on its
// way on them: after a renewal, or when its MDM is deleted. Its keys are no
// longer held then.
func (s *Sender) Forget(tenant string) { s.clients.forget(tenant) }

// Close closes all connections, as soon as nothing is on its way on them. The
// sender can be used on, and connects anew.
func (s *Sender) Close() { s.clients.purge() }
