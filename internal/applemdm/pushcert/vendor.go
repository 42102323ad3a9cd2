package pushcert

import (
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"

	"github.com/youmark/pkcs8"
)

// NewVendorRequest makes the key of an MDM vendor certificate, encrypted with a
// passphrase (PKCS#8), and the request to upload at developer.apple.com: both PEM
// (ZE-011).
func NewVendorRequest(subject pkix.Name, passphrase string) (request, key []byte, err error) {
	staged, err := Stage(subject)
	if err != nil {
		return nil, nil, err
	}
	encrypted, err := pkcs8.MarshalPrivateKey(staged.Key, []byte(passphrase), pkcs8.DefaultOpts)
	if err != nil {
		return nil, nil, fmt.Errorf("pushcert: encrypt the vendor key: %w", err)
	}
	if request, err = SignedCSR(staged.CSR, nil); err != nil {
		return nil, nil, err
	}
	return request, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: encrypted}), nil
}
