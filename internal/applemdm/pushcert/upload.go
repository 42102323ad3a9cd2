package pushcert

import (
	"crypto/rsa"
	"time"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// The fields that errors name.
const (
	fieldCertificate = "input.certificate"
	fieldKey         = "input.privateKey"
	fieldPassphrase  = "input.passphrase"
)

const (
	maxFile       = 64 << 10
	maxPassphrase = 1 << 10
)

// Upload is what an administrator brings: the certificate that Apple made for
// the staged key, or a certificate with a key made elsewhere.
type Upload struct {
	// Certificate is PEM, DER, or PKCS#12 with the key in it.
	Certificate []byte
	// Key is PEM or DER, PKCS#8 or PKCS#1, perhaps encrypted. Empty: the staged
	// key, or the one in the PKCS#12 file.
	Key []byte
	// Passphrase decrypts the key or the PKCS#12 file.
	Passphrase string
}

// Read checks an upload at a time. staged is the key of the last request, nil
// if there is none. Errors are *fault.Error, and name the field and the remedy.
func Read(upload Upload, staged *rsa.PrivateKey, now time.Time) (*Certificate, error) {
	switch {
	case len(upload.Certificate) == 0:
		return nil, fault.Invalid(fieldCertificate, "upload the certificate from identity.apple.com")
	case len(upload.Certificate) > maxFile:
		return nil, fault.Invalid(fieldCertificate, "the file is larger than %d bytes: it is no push certificate", maxFile)
	case len(upload.Key) > maxFile:
		return nil, fault.Invalid(fieldKey, "the file is larger than %d bytes: it is no private key", maxFile)
	case len(upload.Passphrase) > maxPassphrase:
		return nil, fault.Invalid(fieldPassphrase, "the passphrase is longer than %d bytes", maxPassphrase)
	}
	if len(upload.Key) == 0 && isPKCS12(upload.Certificate) {
		c, key, err := readPKCS12(upload.Certificate, upload.Passphrase)
		if err != nil {
			return nil, err
		}
		return check(c, key, now)
	}
	c, err := readCertificate(upload.Certificate)
	if err != nil {
		return nil, err
	}
	key := staged
	if len(upload.Key) > 0 {
		if key, err = readKey(upload.Key, upload.Passphrase); err != nil {
			return nil, err
		}
	}
	if key == nil {
		return nil, fault.Invalid(fieldKey,
			"there is no key for this certificate: download the request here first, or upload the private key with the certificate")
	}
	return check(c, key, now)
}
