package pushcert

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// readKey reads an RSA key: PKCS#8 or PKCS#1, PEM or DER, in the clear or
// encrypted as PKCS#8 (RFC 5958) or as OpenSSL did before 1.0 (RFC 1421).
func readKey(data []byte, passphrase string) (*rsa.PrivateKey, error) {
	der, encrypted := element(data), false
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Type == "PRIVATE KEY" || block.Type == "RSA PRIVATE KEY" {
			if block.Headers["DEK-Info"] != "" {
				return readLegacyKey(block, passphrase)
			}
			der, encrypted = block.Bytes, block.Type == "ENCRYPTED PRIVATE KEY"
			break
		}
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil && !encrypted {
		return usable(key)
	}
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil && !encrypted {
		return usable(key)
	}
	if !encrypted && !isEncryptedPKCS8(der) {
		return nil, fault.Invalid(fieldKey, "this is no RSA private key: upload it as PEM or DER, PKCS#8 or PKCS#1")
	}
	if passphrase == "" {
		return nil, fault.Invalid(fieldPassphrase, "the private key is encrypted: give its passphrase")
	}
	if err := checkWork(der); err != nil {
		return nil, fault.Invalid(fieldKey, "the private key is encrypted in a way that is not read: encrypt it with openssl pkcs8 -topk8").Wrap(err)
	}
	key, err := decrypted(func() (any, error) { return pkcs8.ParsePKCS8PrivateKey(der, []byte(passphrase)) })
	if err != nil {
		return nil, fault.Invalid(fieldPassphrase, "the passphrase does not open the private key").Wrap(err)
	}
	return usable(key)
}

// element is the DER that a file begins with, without what an editor may have
// put after it. The last byte of DER may itself look like a space.
func element(data []byte) []byte {
	var first asn1.RawValue
	rest, err := asn1.Unmarshal(data, &first)
	if err != nil || len(bytes.TrimSpace(rest)) > 0 {
		return data
	}
	return first.FullBytes
}

func readLegacyKey(block *pem.Block, passphrase string) (*rsa.PrivateKey, error) {
	if passphrase == "" {
		return nil, fault.Invalid(fieldPassphrase, "the private key is encrypted: give its passphrase")
	}
	key, err := decrypted(func() (any, error) {
		der, err := x509.DecryptPEMBlock(block, []byte(passphrase)) //nolint:staticcheck // reading what others encrypted; nothing is written so
		if err != nil {
			return nil, err
		}
		if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
			return key, nil
		}
		return x509.ParsePKCS8PrivateKey(der)
	})
	if err != nil {
		return nil, fault.Invalid(fieldPassphrase, "the passphrase does not open the private key").Wrap(err)
	}
	return usable(key)
}

// pfx is the frame of a PKCS#12 file (RFC 7292).
type pfx struct {
	Version  int
	AuthSafe asn1.RawValue
	MacData  asn1.RawValue `asn1:"optional"`
}

const pfxVersion = 3

func isPKCS12(data []byte) bool {
	var p pfx
	_, err := asn1.Unmarshal(data, &p)
	return err == nil && p.Version == pfxVersion && p.AuthSafe.IsCompound && p.AuthSafe.Tag == asn1.TagSequence
}

func readPKCS12(data []byte, passphrase string) (*x509.Certificate, *rsa.PrivateKey, error) {
	if err := checkWork(data); err != nil {
		return nil, nil, fault.Invalid(fieldCertificate, "the PKCS#12 file is encrypted in a way that is not read: export it again with openssl pkcs12").Wrap(err)
	}
	var chain []*x509.Certificate
	key, err := decrypted(func() (any, error) {
		key, leaf, issuers, err := pkcs12.DecodeChain(data, passphrase)
		chain = append([]*x509.Certificate{leaf}, issuers...)
		return key, err
	})
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return nil, nil, fault.Invalid(fieldPassphrase, "the passphrase does not open the PKCS#12 file").Wrap(err)
	}
	if err != nil {
		return nil, nil, fault.Invalid(fieldCertificate,
			"the PKCS#12 file cannot be read: export the certificate and its key again with openssl pkcs12").Wrap(err)
	}
	private, err := usable(key)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range chain { // files hold chains in any order
		if private.PublicKey.Equal(c.PublicKey) {
			return c, private, nil
		}
	}
	return nil, nil, fault.Invalid(fieldCertificate, "the PKCS#12 file holds a key and no certificate for it")
}

// decrypted runs a decoder over what a passphrase made of the bytes; the
// library's panic over them is an error.
func decrypted(decode func() (any, error)) (key any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decoder: %v", p)
		}
	}()
	return decode()
}

func usable(key any) (*rsa.PrivateKey, error) {
	private, ok := key.(*rsa.PrivateKey)
	if !ok || private.N.BitLen() < pki.KeyBits {
		return nil, fault.Invalid(fieldKey, "the private key is not RSA of at least %d bits: Apple's push certificates are", pki.KeyBits)
	}
	return private, nil
}

// isEncryptedPKCS8 recognizes an EncryptedPrivateKeyInfo: an algorithm, and
// octets.
func isEncryptedPKCS8(der []byte) bool {
	var info struct {
		Algorithm asn1.RawValue
		Data      []byte
	}
	rest, err := asn1.Unmarshal(der, &info)
	return err == nil && len(rest) == 0 && info.Algorithm.Tag == asn1.TagSequence
}
