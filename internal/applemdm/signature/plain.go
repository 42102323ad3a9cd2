package signature

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/smallstep/pkcs7"
)

// plain is a signature as devices make it: DER of RFC 5652, section 5, with one
// signer, SHA-256, and signed attributes. Reading it by itself takes a fifth of
// what the library takes for messages of any kind, and every request of a
// device has one.
type plain struct {
	signer     *x509.Certificate
	algorithm  x509.SignatureAlgorithm
	attributes []byte // the DER of the SET that is signed
	digest     []byte // of the body, by the signed attributes
	content    asn1.ObjectIdentifier
	at         time.Time // by the signed attributes; zero if they do not tell
	signature  []byte
}

// The parts of signed data that are read.
var (
	contentTag    = tag.Tag(0).ContextSpecific().Constructed()
	crlsTag       = tag.Tag(1).ContextSpecific().Constructed()
	ecdsaSHA256   = pkcs7.OIDDigestAlgorithmECDSASHA256
	rsaEncryption = pkcs7.OIDEncryptionAlgorithmRSA
	rsaSHA256     = pkcs7.OIDEncryptionAlgorithmRSASHA256
)

// readPlain reads a signature of the usual form. Whatever else it meets, it
// leaves to the library: false does not say that the message is wrong.
func readPlain(der []byte) (p *plain, ok bool) {
	input := cryptobyte.String(der)
	var info, explicit, data, digests, encapsulated, certificates, signers, signer cryptobyte.String
	var kind, digest, content asn1.ObjectIdentifier
	var version int
	ok = input.ReadASN1(&info, tag.SEQUENCE) && input.Empty() &&
		info.ReadASN1ObjectIdentifier(&kind) && kind.Equal(pkcs7.OIDSignedData) &&
		info.ReadASN1(&explicit, contentTag) && info.Empty() &&
		explicit.ReadASN1(&data, tag.SEQUENCE) && explicit.Empty() &&
		data.ReadASN1Integer(&version) && data.ReadASN1(&digests, tag.SET) && data.ReadASN1(&encapsulated, tag.SEQUENCE) &&
		data.ReadASN1(&certificates, contentTag) && !data.PeekASN1Tag(crlsTag) &&
		data.ReadASN1(&signers, tag.SET) && data.Empty() &&
		signers.ReadASN1(&signer, tag.SEQUENCE) && signers.Empty() &&
		readAlgorithm(&digests, &digest) && digests.Empty() &&
		encapsulated.ReadASN1ObjectIdentifier(&content) && encapsulated.Empty()
	if !ok {
		return nil, false
	}
	p = &plain{}
	issuer, serial, ok := p.readSigner(signer)
	if !ok {
		return nil, false
	}
	all, err := x509.ParseCertificates(certificates)
	if err != nil {
		return nil, false
	}
	for _, c := range all {
		if bytes.Equal(c.RawIssuer, issuer) && bytes.Equal(c.SerialNumber.Bytes(), serial) && c.SerialNumber.Sign() > 0 {
			p.signer, ok = c, p.suits(c)
			return p, ok
		}
	}
	return nil, false
}

// suits reports whether a certificate's key is of the signature's kind.
func (p *plain) suits(c *x509.Certificate) bool {
	switch c.PublicKey.(type) {
	case *rsa.PublicKey:
		return p.algorithm == x509.SHA256WithRSA
	case *ecdsa.PublicKey:
		return p.algorithm == x509.ECDSAWithSHA256
	default:
		return false
	}
}

// readSigner reads a SignerInfo, and says whose certificate it names: by the
// DER of its issuer, and its positive serial number.
func (p *plain) readSigner(signer cryptobyte.String) (issuer, serial []byte, ok bool) {
	var version int
	var identifier, name, attributes cryptobyte.String
	var hash, method asn1.ObjectIdentifier
	ok = signer.ReadASN1Integer(&version) && signer.ReadASN1(&identifier, tag.SEQUENCE) &&
		identifier.ReadASN1Element(&name, tag.SEQUENCE) && identifier.ReadASN1Integer(&serial) && identifier.Empty() &&
		readAlgorithm(&signer, &hash) && hash.Equal(pkcs7.OIDDigestAlgorithmSHA256) &&
		signer.ReadASN1Element(&attributes, contentTag) &&
		readAlgorithm(&signer, &method) &&
		signer.ReadASN1Bytes(&p.signature, tag.OCTET_STRING) && signer.Empty()
	if !ok || len(serial) == 0 {
		return nil, nil, false
	}
	switch {
	case method.Equal(rsaEncryption), method.Equal(rsaSHA256):
		p.algorithm = x509.SHA256WithRSA
	case method.Equal(ecdsaSHA256):
		p.algorithm = x509.ECDSAWithSHA256
	default:
		return nil, nil, false
	}
	p.attributes = bytes.Clone(attributes)
	p.attributes[0] = byte(tag.SET) // as which it is signed (section 5.4)
	return name, serial, p.readAttributes()
}

// readAlgorithm reads an AlgorithmIdentifier without parameters, or with NULL.
func readAlgorithm(from *cryptobyte.String, into *asn1.ObjectIdentifier) bool {
	var algorithm, null cryptobyte.String
	if !from.ReadASN1(&algorithm, tag.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(into) {
		return false
	}
	return algorithm.Empty() || algorithm.ReadASN1(&null, tag.NULL) && null.Empty() && algorithm.Empty()
}

// readAttributes reads what is signed. DER has a set's elements in order, and
// an attribute is there once.
func (p *plain) readAttributes() bool {
	set := cryptobyte.String(p.attributes)
	var rest cryptobyte.String
	if !set.ReadASN1(&rest, tag.SET) {
		return false
	}
	var before, element, attribute, values cryptobyte.String
	for ; !rest.Empty(); before = element {
		var kind asn1.ObjectIdentifier
		if !rest.ReadASN1Element(&element, tag.SEQUENCE) || bytes.Compare(before, element) >= 0 {
			return false
		}
		whole := element
		if !whole.ReadASN1(&attribute, tag.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&kind) ||
			!attribute.ReadASN1(&values, tag.SET) || !attribute.Empty() {
			return false
		}
		known := true
		switch {
		case kind.Equal(pkcs7.OIDAttributeMessageDigest):
			known = p.digest == nil && values.ReadASN1Bytes(&p.digest, tag.OCTET_STRING) && values.Empty() && len(p.digest) == sha256.Size
		case kind.Equal(pkcs7.OIDAttributeContentType):
			known = p.content == nil && values.ReadASN1ObjectIdentifier(&p.content) && values.Empty()
		case kind.Equal(pkcs7.OIDAttributeSigningTime):
			known = p.at.IsZero() && values.ReadASN1UTCTime(&p.at) && values.Empty()
		}
		if !known {
			return false
		}
	}
	return p.digest != nil && p.content.Equal(pkcs7.OIDData)
}

// signedAt implements signed.
func (p *plain) signedAt() time.Time { return p.at }

// verify implements signed.
func (p *plain) verify(body []byte) error {
	sum := sha256.Sum256(body)
	if subtle.ConstantTimeCompare(sum[:], p.digest) != 1 {
		return fmt.Errorf("%w: another digest", ErrMismatch)
	}
	if !p.at.IsZero() && (p.at.Before(p.signer.NotBefore) || p.at.After(p.signer.NotAfter)) {
		return fmt.Errorf("%w: signed outside its validity", ErrExpired)
	}
	if err := p.signer.CheckSignature(p.algorithm, p.attributes, p.signature); err != nil {
		return fmt.Errorf("%w: %w", ErrMismatch, err)
	}
	return nil
}
