package simulator

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"time"

	"github.com/smallstep/pkcs7"
)

// The parts of signed data (RFC 5652, section 5.1) as a device makes it: one
// signer, with its certificate, and nothing of what is signed.
type (
	contentInfo struct {
		ContentType asn1.ObjectIdentifier
		Content     signedData `asn1:"explicit,tag:0"`
	}
	signedData struct {
		Version          int
		DigestAlgorithms []pkix.AlgorithmIdentifier `asn1:"set"`
		Content          struct{ ContentType asn1.ObjectIdentifier }
		Certificates     asn1.RawValue
		Signers          []signerInfo `asn1:"set"`
	}
	signerInfo struct {
		Version            int
		Signer             issuerAndSerial
		DigestAlgorithm    pkix.AlgorithmIdentifier
		Attributes         asn1.RawValue
		SignatureAlgorithm pkix.AlgorithmIdentifier
		Signature          []byte
	}
	issuerAndSerial struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
	attribute struct {
		Type   asn1.ObjectIdentifier
		Values []any `asn1:"set"`
	}
)

// Sign makes the value of Mdm-Signature: a detached CMS signature of a body, which
// says that it was made at a time.
func (i Identity) Sign(body []byte, at time.Time) (string, error) {
	sum := sha256.Sum256(body)
	attributes, err := asn1.MarshalWithParams([]attribute{
		{pkcs7.OIDAttributeContentType, []any{pkcs7.OIDData}},
		{pkcs7.OIDAttributeSigningTime, []any{at.UTC()}},
		{pkcs7.OIDAttributeMessageDigest, []any{sum[:]}},
	}, "set")
	if err != nil {
		return "", fmt.Errorf("simulator: sign: %w", err)
	}
	sum = sha256.Sum256(attributes)
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.Key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("simulator: sign: %w", err)
	}
	implicit := asn1.RawValue{FullBytes: append([]byte{0xA0}, attributes[1:]...)} // section 5.4: signed as a SET, sent as [0]
	message := contentInfo{ContentType: pkcs7.OIDSignedData, Content: signedData{
		Version:          1,
		DigestAlgorithms: []pkix.AlgorithmIdentifier{algorithm(pkcs7.OIDDigestAlgorithmSHA256)},
		Certificates:     asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: i.Certificate.Raw},
		Signers: []signerInfo{{
			Version:            1,
			Signer:             issuerAndSerial{asn1.RawValue{FullBytes: i.Certificate.RawIssuer}, i.Certificate.SerialNumber},
			DigestAlgorithm:    algorithm(pkcs7.OIDDigestAlgorithmSHA256),
			Attributes:         implicit,
			SignatureAlgorithm: algorithm(pkcs7.OIDEncryptionAlgorithmRSA),
			Signature:          signature,
		}},
	}}
	message.Content.Content.ContentType = pkcs7.OIDData
	der, err := asn1.Marshal(message)
	if err != nil {
		return "", fmt.Errorf("simulator: sign: %w", err)
	}
	return base64.StdEncoding.EncodeToString(der), nil
}

func algorithm(id asn1.ObjectIdentifier) pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{Algorithm: id, Parameters: asn1.NullRawValue}
}
