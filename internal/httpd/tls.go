package httpd

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// TLS is what a server that ends TLS itself needs: a PEM file with its
// certificate and those of its issuers, and one with the key. Both are read
// again when they have changed, so that renewing them takes no restart. With
// clients, it asks for a client certificate, takes any or none, and leaves it
// to the handler to judge.
func TLS(certificate, key string, clients bool) (*tls.Config, error) {
	p := &pair{certificate: certificate, key: key}
	if _, err := p.current(); err != nil {
		return nil, err
	}
	c := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.current() },
	}
	if clients {
		c.ClientAuth = tls.RequestClientCert
	}
	return c, nil
}

// pair is a certificate with its key, as its files were last readable.
type pair struct {
	certificate, key string

	mu     sync.Mutex
	loaded *tls.Certificate
	at     [2]time.Time // when the files had changed that loaded is from
}

// current reads the files if they have changed. While they are in the midst of
// being replaced, the former pair serves on.
func (p *pair) current() (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, err := p.changed()
	if err == nil && p.loaded != nil && at == p.at {
		return p.loaded, nil
	}
	if err == nil {
		var read tls.Certificate
		if read, err = tls.LoadX509KeyPair(p.certificate, p.key); err == nil {
			p.loaded, p.at = &read, at
		}
	}
	if p.loaded == nil {
		return nil, fmt.Errorf("read the certificate and key of TLS: %w", err)
	}
	return p.loaded, nil
}

func (p *pair) changed() (at [2]time.Time, err error) {
	for i, path := range []string{p.certificate, p.key} {
		info, err := os.Stat(path)
		if err != nil {
			return at, err
		}
		at[i] = info.ModTime()
	}
	return at, nil
}
