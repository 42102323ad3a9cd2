// Package pushcert is the life of an MDM push certificate: the request that
// Apple's Push Certificates Portal signs, the reading and checking of what an
// administrator brings back, and the question whether it renews the one before.
package pushcert

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// TopicPrefix begins the APNs topic of every MDM push certificate.
const TopicPrefix = "com.apple.mgmt."

// idUserID is the attribute of the subject that holds the topic (RFC 4519, uid).
var idUserID = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}

// Certificate is a push certificate that was read and checked, with its key.
type Certificate struct {
	Leaf      *x509.Certificate
	Key       *rsa.PrivateKey
	Topic     string // the APNs topic, com.apple.mgmt.…
	Serial    string // serial number, lower-case hexadecimal
	Issuer    string // distinguished name of the issuer (RFC 2253)
	NotBefore time.Time
	NotAfter  time.Time
}

// TLS is the certificate as an APNs connection presents it.
func (c *Certificate) TLS() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{c.Leaf.Raw}, PrivateKey: c.Key, Leaf: c.Leaf}
}

// Topic returns the MDM topic in a certificate's subject, and false if it has
// none: then it is no MDM push certificate.
func Topic(c *x509.Certificate) (topic string, ok bool) {
	for _, name := range c.Subject.Names {
		value, text := name.Value.(string)
		if name.Type.Equal(idUserID) && text && strings.HasPrefix(value, TopicPrefix) && len(value) > len(TopicPrefix) {
			return value, true
		}
	}
	return "", false
}

// Change is what a new certificate means for the devices that trust the
// current one's topic.
type Change string

const (
	// Same is the same certificate again.
	Same Change = "SAME"
	// Renewed has the same topic and ends later: devices stay in reach.
	Renewed Change = "RENEWED"
	// Older has the same topic and ends earlier or at the same time: most likely
	// the wrong file.
	Older Change = "OLDER"
	// OtherTopic cannot reach any device that is enrolled: each keeps listening
	// to the topic of its enrolment profile, which can never change.
	OtherTopic Change = "OTHER_TOPIC"
)

// Compare says what replacing current with next means.
func Compare(current, next *x509.Certificate) Change {
	if current.Equal(next) {
		return Same
	}
	before, _ := Topic(current)
	if after, ok := Topic(next); !ok || after != before {
		return OtherTopic
	}
	if next.NotAfter.After(current.NotAfter) {
		return Renewed
	}
	return Older
}

// check judges a certificate and its key.
func check(c *x509.Certificate, key *rsa.PrivateKey, now time.Time) (*Certificate, error) {
	topic, ok := Topic(c)
	if !ok {
		return nil, fault.Invalid(fieldCertificate,
			"this is no MDM push certificate: its subject has no user ID that begins with %s; create it at identity.apple.com with the signed request", TopicPrefix)
	}
	if !key.PublicKey.Equal(c.PublicKey) {
		return nil, fault.Invalid(fieldCertificate,
			"the certificate was not made for this key: download the request again, sign it at identity.apple.com, and upload what that gives")
	}
	if now.After(c.NotAfter) {
		return nil, fault.Invalid(fieldCertificate,
			"the certificate expired on %s: renew it at identity.apple.com under the same Apple ID", c.NotAfter.UTC().Format(time.DateOnly))
	}
	if now.Before(c.NotBefore) {
		return nil, fault.Invalid(fieldCertificate,
			"the certificate is not valid before %s: check the server's clock", c.NotBefore.UTC().Format(time.RFC3339))
	}
	return &Certificate{
		Leaf: c, Key: key, Topic: topic,
		Serial: hex.EncodeToString(c.SerialNumber.Bytes()), Issuer: c.Issuer.String(),
		NotBefore: c.NotBefore, NotAfter: c.NotAfter,
	}, nil
}

// readCertificate reads PEM or DER. Of several certificates in PEM, such as a
// chain, it takes the first that has an MDM topic, or else the first.
func readCertificate(data []byte) (*x509.Certificate, error) {
	var first *x509.Certificate
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, unreadable(err)
		}
		if _, ok := Topic(c); ok {
			return c, nil
		}
		if first == nil {
			first = c
		}
	}
	if first != nil {
		return first, nil
	}
	c, err := x509.ParseCertificate(element(data))
	if err != nil {
		return nil, unreadable(err)
	}
	return c, nil
}

func unreadable(err error) error {
	return fault.Invalid(fieldCertificate,
		"this is no certificate: upload the .pem file from identity.apple.com as it is, or a DER or PKCS#12 file").Wrap(err)
}
