package cms

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // what old clients can read; see Encrypt
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/smallstep/pkcs7"
)

// Cipher is a content encryption of enveloped data.
type Cipher int

// The ciphers that are read. DES is never written.
const (
	AES256 Cipher = iota // AES-256-CBC
	AES128               // AES-128-CBC
	DES3                 // DES-EDE3-CBC
	DES                  // DES-CBC: the default of Go's SCEP clients, tolerated since TLS lies beneath
)

// ErrCipher is returned for an envelope in a cipher that is not read.
var ErrCipher = errors.New("cms: content encryption is not supported")

// ErrDecrypt is returned for an envelope that cannot be opened, and never says
// why: a reason would let a sender ask questions of the private key.
var ErrDecrypt = errors.New("cms: envelope cannot be opened")

func (c Cipher) id() asn1.ObjectIdentifier {
	switch c {
	case AES256:
		return pkcs7.OIDEncryptionAlgorithmAES256CBC
	case AES128:
		return pkcs7.OIDEncryptionAlgorithmAES128CBC
	case DES3:
		return pkcs7.OIDEncryptionAlgorithmDESEDE3CBC
	default:
		return pkcs7.OIDEncryptionAlgorithmDESCBC
	}
}

// keySize is the cipher's key length in bytes.
func (c Cipher) keySize() int {
	switch c {
	case AES256:
		return 32
	case AES128:
		return 16
	case DES3:
		return 24
	default:
		return 8
	}
}

type contentInfo struct {
	ContentType asn1.ObjectIdentifier
	Content     asn1.RawValue `asn1:"explicit,tag:0"`
}

type envelopedData struct {
	Version              int
	RecipientInfos       []recipientInfo `asn1:"set"`
	EncryptedContentInfo encryptedContentInfo
}

type recipientInfo struct {
	Version                int
	IssuerAndSerialNumber  issuerAndSerial
	KeyEncryptionAlgorithm pkix.AlgorithmIdentifier
	EncryptedKey           []byte
}

type issuerAndSerial struct {
	Issuer       asn1.RawValue
	SerialNumber *big.Int
}

type encryptedContentInfo struct {
	ContentType                asn1.ObjectIdentifier
	ContentEncryptionAlgorithm pkix.AlgorithmIdentifier
	EncryptedContent           asn1.RawValue `asn1:"tag:0,optional"`
}

// Decrypt opens enveloped data for the certificate and says in which cipher it
// came. It fails with ErrCipher or ErrDecrypt, or with another error if the
// message is no enveloped data.
//
// The key is unwrapped with implicit rejection: a wrong padding yields a random
// key of the right length, so that neither the answer nor its time tells a
// wrong padding from a wrong content. The key also signs certificates.
func Decrypt(message []byte, certificate *x509.Certificate, key *rsa.PrivateKey) (content []byte, used Cipher, err error) {
	defer func() {
		if recover() != nil { // a content that is no whole number of blocks
			content, err = nil, ErrDecrypt
		}
	}()
	used, err = cipherOf(message)
	if err != nil {
		return nil, 0, err
	}
	parsed, err := parse(message)
	if err != nil {
		return nil, 0, err
	}
	content, err = parsed.Decrypt(certificate, implicitRejection{key: key, size: used.keySize()})
	if err != nil {
		return nil, used, ErrDecrypt
	}
	return content, used, nil
}

func cipherOf(message []byte) (Cipher, error) {
	der, err := DER(message)
	if err != nil {
		return 0, err
	}
	var outer contentInfo
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return 0, fmt.Errorf("cms: %w", err)
	}
	var envelope envelopedData
	if _, err := asn1.Unmarshal(outer.Content.Bytes, &envelope); err != nil {
		return 0, fmt.Errorf("cms: enveloped data: %w", err)
	}
	for _, c := range []Cipher{AES256, AES128, DES3, DES} {
		if c.id().Equal(envelope.EncryptedContentInfo.ContentEncryptionAlgorithm.Algorithm) {
			return c, nil
		}
	}
	return 0, ErrCipher
}

// implicitRejection is an RSA key that answers every PKCS#1 v1.5 ciphertext
// with a key of the given size, the right one or a random one.
type implicitRejection struct {
	key  *rsa.PrivateKey
	size int
}

func (k implicitRejection) Public() crypto.PublicKey { return k.key.Public() }

func (k implicitRejection) Decrypt(random io.Reader, wrapped []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	if _, v15 := opts.(*rsa.PKCS1v15DecryptOptions); v15 { //nolint:staticcheck // the one key transport that SCEP clients write
		opts = &rsa.PKCS1v15DecryptOptions{SessionKeyLen: k.size} //nolint:staticcheck // likewise, and made harmless here
	}
	return k.key.Decrypt(random, wrapped, opts)
}

// Encrypt envelopes content for one certificate with an RSA key. A cipher of
// DES is raised to DES3, which whoever reads the one reads too.
func Encrypt(content []byte, recipient *x509.Certificate, with Cipher) ([]byte, error) {
	public, ok := recipient.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("cms: the recipient's key is not RSA")
	}
	if with == DES {
		with = DES3
	}
	key := make([]byte, with.keySize())
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("cms: content key: %w", err)
	}
	sealed, iv, err := with.seal(key, content)
	if err != nil {
		return nil, err
	}
	wrapped, err := rsa.EncryptPKCS1v15(rand.Reader, public, key) //nolint:staticcheck // the one key transport that SCEP clients read
	if err != nil {
		return nil, fmt.Errorf("cms: wrap the content key: %w", err)
	}
	parameters, err := asn1.Marshal(iv)
	if err != nil {
		return nil, fmt.Errorf("cms: %w", err)
	}
	envelope, err := asn1.Marshal(envelopedData{
		RecipientInfos: []recipientInfo{{
			IssuerAndSerialNumber: issuerAndSerial{
				Issuer: asn1.RawValue{FullBytes: recipient.RawIssuer}, SerialNumber: recipient.SerialNumber,
			},
			KeyEncryptionAlgorithm: pkix.AlgorithmIdentifier{
				Algorithm: pkcs7.OIDEncryptionAlgorithmRSA, Parameters: asn1.NullRawValue,
			},
			EncryptedKey: wrapped,
		}},
		EncryptedContentInfo: encryptedContentInfo{
			ContentType: pkcs7.OIDData,
			ContentEncryptionAlgorithm: pkix.AlgorithmIdentifier{
				Algorithm: with.id(), Parameters: asn1.RawValue{FullBytes: parameters},
			},
			EncryptedContent: asn1.RawValue{Class: asn1.ClassContextSpecific, Bytes: sealed},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("cms: %w", err)
	}
	message, err := asn1.Marshal(contentInfo{
		ContentType: pkcs7.OIDEnvelopedData,
		Content:     asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: envelope},
	})
	if err != nil {
		return nil, fmt.Errorf("cms: %w", err)
	}
	return message, nil
}

// seal encrypts in CBC mode with the padding of RFC 5652, section 6.3.
func (c Cipher) seal(key, content []byte) (sealed, iv []byte, err error) {
	block, err := aes.NewCipher(key)
	if c == DES3 {
		block, err = des.NewTripleDESCipher(key) //nolint:gosec // the reader asked in DES and may know nothing better
	}
	if err != nil {
		return nil, nil, fmt.Errorf("cms: %w", err)
	}
	iv = make([]byte, block.BlockSize())
	if _, err := rand.Read(iv); err != nil {
		return nil, nil, fmt.Errorf("cms: initialization vector: %w", err)
	}
	padding := block.BlockSize() - len(content)%block.BlockSize()
	sealed = append(bytes.Clone(content), bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(sealed, sealed)
	return sealed, iv, nil
}
