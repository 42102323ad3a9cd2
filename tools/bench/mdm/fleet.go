// Package mdm makes devices for a measurement: their identities, their signed
// messages, laid out before anything is timed, and the rows that a server of
// ours knows them by.
package mdm

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"runtime"
	"sync"
	"time"

	"github.com/bailiwick/bailiwick/internal/applemdm/simulator"
)

// Topic is the push topic of every organization of a measurement.
const Topic = "com.apple.mgmt.External.bench"

// keys is how many RSA keys the devices share: a signature costs the same to
// verify whoever else has the key, and each device has a certificate of its own.
const keys = 4

// Fleet is a number of devices, whose certificates are of one authority.
type Fleet struct {
	Authority *x509.Certificate
	Devices   []*Device
}

// Device is a device that can sign.
type Device struct {
	UDID, Serial string
	Certificate  *x509.Certificate
	key          *rsa.PrivateKey
}

// NewFleet makes devices.
func NewFleet(size int) (*Fleet, error) {
	authority, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Bench authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	f := &Fleet{Devices: make([]*Device, size)}
	if f.Authority, err = issue(root, root, &authority.PublicKey, authority); err != nil {
		return nil, err
	}
	shared := make([]*rsa.PrivateKey, keys)
	for i := range shared {
		if shared[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, err
		}
	}
	return f, Each(size, func(i int) error {
		d := &Device{UDID: fmt.Sprintf("00000000-0000-4000-8000-%012X", i+1), Serial: fmt.Sprintf("C02B%08d", i+1), key: shared[i%keys]}
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i) + 2), Subject: pkix.Name{CommonName: d.Serial, Organization: []string{"Bench"}},
			NotBefore: root.NotBefore, NotAfter: root.NotAfter, BasicConstraintsValid: true,
			KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
		var err error
		d.Certificate, err = issue(leaf, f.Authority, &d.key.PublicKey, authority)
		f.Devices[i] = d
		return err
	})
}

func issue(template, parent *x509.Certificate, public *rsa.PublicKey, key *rsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// Each runs a function for every number below n, on all processors, and
// returns its errors.
func Each(n int, run func(i int) error) error {
	workers := runtime.NumCPU()
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				errs[w] = run(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Fingerprint is the SHA-256 of the device's certificate, in hexadecimal.
func (d *Device) Fingerprint() string {
	sum := sha256.Sum256(d.Certificate.Raw)
	return hex.EncodeToString(sum[:])
}

// PushToken is the device's own.
func (d *Device) PushToken() []byte {
	sum := sha256.Sum256([]byte(d.UDID))
	return sum[:]
}

// sign makes the value of Mdm-Signature.
func (d *Device) sign(body []byte) (string, error) {
	return simulator.Identity{Certificate: d.Certificate, Key: d.key}.Sign(body, time.Now())
}
