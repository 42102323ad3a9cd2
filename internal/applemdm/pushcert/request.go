package pushcert

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/micromdm/plist"

	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
)

// Staged is a key whose certificate is still to come. The key stays on the
// server: it is sealed by the caller, and found again on the upload.
type Staged struct {
	Key *rsa.PrivateKey
	CSR []byte // PKCS#10, DER
}

// Stage makes a key and a request for it. Apple puts names of its own into the
// certificate; the subject only tells the administrator's requests apart.
func Stage(subject pkix.Name) (*Staged, error) {
	key, err := pki.NewKey()
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: subject, SignatureAlgorithm: x509.SHA256WithRSA,
	}, key)
	if err != nil {
		return nil, fmt.Errorf("pushcert: create a request: %w", err)
	}
	return &Staged{Key: key, CSR: csr}, nil
}

// Vendor is the MDM vendor's certificate, with which Apple lets a vendor's
// customers make push certificates.
type Vendor struct {
	chain []*x509.Certificate
	key   *rsa.PrivateKey
}

// NotAfter is when the vendor's certificate expires, after which Apple takes no
// request that it signed.
func (v *Vendor) NotAfter() time.Time { return v.chain[0].NotAfter }

// minVendorChain is the vendor's certificate and its issuer, Apple's WWDR.
const minVendorChain = 2

// ParseVendor reads the vendor's certificate followed by its issuers up to
// Apple's root (PEM, in that order), and the vendor's key (PEM or DER),
// decrypted with the passphrase if it is encrypted. The errors are meant for
// the operator who configures them.
func ParseVendor(chain, key []byte, passphrase string, now time.Time) (*Vendor, error) {
	v := &Vendor{}
	for rest := chain; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("vendor certificate chain: certificate %d: %w", len(v.chain)+1, err)
		}
		v.chain = append(v.chain, c)
	}
	if len(v.chain) < minVendorChain {
		return nil, errors.New("vendor certificate chain: it must hold, as PEM, the vendor's certificate, Apple's WWDR certificate and Apple's root, in this order")
	}
	for i, c := range v.chain[:len(v.chain)-1] {
		if err := c.CheckSignatureFrom(v.chain[i+1]); err != nil {
			return nil, fmt.Errorf("vendor certificate chain: certificate %d is not issued by certificate %d: %w", i+1, i+2, err)
		}
	}
	if now.After(v.chain[0].NotAfter) {
		return nil, fmt.Errorf("vendor certificate: it expired on %s", v.chain[0].NotAfter.UTC().Format(time.DateOnly))
	}
	var err error
	if v.key, err = readKey(key, passphrase); err != nil {
		return nil, fmt.Errorf("vendor key: %w", err)
	}
	if !v.key.PublicKey.Equal(v.chain[0].PublicKey) {
		return nil, errors.New("vendor key: it does not belong to the vendor certificate")
	}
	return v, nil
}

// pushCertRequest is what Apple's portal takes (Apple: "Setting up push
// notifications for your MDM customers").
type pushCertRequest struct {
	Chain     string `plist:"PushCertCertificateChain"`
	CSR       string `plist:"PushCertRequestCSR"`
	Signature string `plist:"PushCertSignature"`
}

// SignedCSR returns the file to upload at identity.apple.com: the base64 of a
// property list with the request, the vendor's RSA PKCS#1 v1.5 signature of its
// DER with SHA-256, and the vendor's chain. With a nil vendor it returns the
// bare request as PEM, which the portal does not take: a vendor has to sign it
// first.
func SignedCSR(csr []byte, vendor *Vendor) ([]byte, error) {
	if vendor == nil {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}), nil
	}
	digest := sha256.Sum256(csr)
	signature, err := rsa.SignPKCS1v15(rand.Reader, vendor.key, crypto.SHA256, digest[:])
	if err != nil {
		return nil, fmt.Errorf("pushcert: sign the request: %w", err)
	}
	document, err := plist.Marshal(pushCertRequest{
		Chain:     string(pki.PEM(vendor.chain...)),
		CSR:       base64.StdEncoding.EncodeToString(csr),
		Signature: base64.StdEncoding.EncodeToString(signature),
	})
	if err != nil {
		return nil, fmt.Errorf("pushcert: encode the request: %w", err)
	}
	return []byte(base64.StdEncoding.EncodeToString(document)), nil
}
