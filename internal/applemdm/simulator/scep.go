package simulator

import (
	"bytes"
	"context"
	"crypto"
	_ "crypto/md5" //nolint:gosec // a profile may give the authority's fingerprint in it
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" //nolint:gosec // likewise
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/smallstep/pkcs7"
	"github.com/smallstep/scep"
	"github.com/smallstep/scep/x509util"
)

// maxSCEP is the longest answer of a SCEP server that is read, in bytes.
const maxSCEP = 1 << 20

const defaultKeySize = 2048

// Identity is a device's certificate for MDM, with its key.
type Identity struct {
	Certificate *x509.Certificate
	Key         *rsa.PrivateKey
}

// certify gets an identity from a SCEP server: GetCACaps, GetCACert,
// PKIOperation, as RFC 8894 has it.
func (d *Device) certify(ctx context.Context, s SCEP) (Identity, error) {
	caps, _, err := d.scep(ctx, s.URL, "GetCACaps", nil, false)
	if err != nil {
		return Identity{}, err
	}
	authorities, err := d.authorities(ctx, s)
	if err != nil {
		return Identity{}, err
	}
	size := s.KeySize
	if size == 0 {
		size = defaultKeySize
	}
	key, err := d.config.Keys(ctx, size)
	if err != nil {
		return Identity{}, fmt.Errorf("scep: generate key: %w", err)
	}
	csr, err := d.request(s, key)
	if err != nil {
		return Identity{}, err
	}
	signer, err := d.selfSigned(csr.Subject, key)
	if err != nil {
		return Identity{}, err
	}
	message, err := scep.NewCSRRequest(csr, &scep.PKIMessage{
		MessageType: scep.PKCSReq, Recipients: recipients(authorities), SignerCert: signer, SignerKey: key,
	})
	if err != nil {
		return Identity{}, fmt.Errorf("scep: make request: %w", err)
	}
	post := bytes.Contains(caps, []byte("POSTPKIOperation")) || bytes.Contains(caps, []byte("SCEPStandard"))
	answer, _, err := d.scep(ctx, s.URL, "PKIOperation", message.Raw, post)
	if err != nil {
		return Identity{}, err
	}
	reply, err := scep.ParsePKIMessage(answer, scep.WithCACerts(authorities))
	if err != nil {
		return Identity{}, fmt.Errorf("scep: parse answer: %w", err)
	}
	if reply.CertRepMessage == nil || reply.TransactionID != message.TransactionID || !bytes.Equal(reply.RecipientNonce, message.SenderNonce) {
		return Identity{}, errors.New("scep: the answer belongs to another request")
	}
	if reply.PKIStatus != scep.SUCCESS {
		return Identity{}, &SCEPError{Status: string(reply.PKIStatus), FailInfo: string(reply.FailInfo)}
	}
	if err := reply.DecryptPKIEnvelope(signer, key); err != nil {
		return Identity{}, fmt.Errorf("scep: decrypt answer: %w", err)
	}
	if issued, ok := reply.Certificate.PublicKey.(*rsa.PublicKey); !ok || !issued.Equal(key.Public()) {
		return Identity{}, errors.New("scep: the certificate is for another key")
	}
	return Identity{Certificate: reply.Certificate, Key: key}, nil
}

// SCEPError is a SCEP server's refusal.
type SCEPError struct {
	Status   string // pkiStatus: 2 for failure, 3 for pending
	FailInfo string // failInfo, as RFC 8894 numbers it
}

func (e *SCEPError) Error() string {
	return "scep: refused with status " + e.Status + ", failInfo " + e.FailInfo
}

// scep performs one operation.
func (d *Device) scep(ctx context.Context, address, operation string, message []byte, post bool) (body []byte, contentType string, err error) {
	ctx, cancel := context.WithTimeout(ctx, d.config.Timeout)
	defer cancel()
	u, err := url.Parse(address)
	if err != nil {
		return nil, "", fmt.Errorf("scep: %w", err)
	}
	query := u.Query()
	query.Set("operation", operation)
	method, content := http.MethodGet, io.Reader(http.NoBody)
	if post {
		method, content = http.MethodPost, bytes.NewReader(message)
	} else if message != nil {
		query.Set("message", base64.StdEncoding.EncodeToString(message))
	}
	u.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, u.String(), content)
	if err != nil {
		return nil, "", fmt.Errorf("scep: %w", err)
	}
	if post {
		request.Header.Set("Content-Type", "application/x-pki-message")
	}
	response, err := d.plain.Do(request)
	if err != nil {
		return nil, "", fmt.Errorf("scep: %s: %w", operation, err)
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxSCEP))
	if err != nil {
		return nil, "", fmt.Errorf("scep: %s: %w", operation, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, "", &RefusedError{Status: response.StatusCode, Body: body}
	}
	return body, response.Header.Get("Content-Type"), nil
}

// authorities asks for the certificates of the server, and checks the profile's
// fingerprint if it has one.
func (d *Device) authorities(ctx context.Context, s SCEP) ([]*x509.Certificate, error) {
	body, contentType, err := d.scep(ctx, s.URL, "GetCACert", nil, false)
	if err != nil {
		return nil, err
	}
	var found []*x509.Certificate
	if strings.HasPrefix(contentType, "application/x-x509-ca-ra-cert") {
		bundle, err := pkcs7.Parse(body)
		if err != nil {
			return nil, fmt.Errorf("scep: parse GetCACert: %w", err)
		}
		found = bundle.Certificates
	} else if found, err = x509.ParseCertificates(body); err != nil {
		return nil, fmt.Errorf("scep: parse GetCACert: %w", err)
	}
	if len(found) == 0 {
		return nil, errors.New("scep: GetCACert holds no certificate")
	}
	if len(s.CAFingerprint) == 0 {
		return found, nil
	}
	hash, ok := map[int]crypto.Hash{16: crypto.MD5, 20: crypto.SHA1, 32: crypto.SHA256}[len(s.CAFingerprint)]
	if !ok || len(scep.FingerprintCertsSelector(hash, s.CAFingerprint).SelectCerts(found)) == 0 {
		return nil, errors.New("scep: no certificate of the server has the fingerprint in the profile")
	}
	return found, nil
}

// recipients are the certificates that may decipher, or all if none says so.
func recipients(authorities []*x509.Certificate) []*x509.Certificate {
	if found := scep.EnciphermentCertsSelector().SelectCerts(authorities); len(found) > 0 {
		return found
	}
	return authorities
}

// request makes the certificate signing request of a profile.
func (d *Device) request(s SCEP, key *rsa.PrivateKey) (*x509.CertificateRequest, error) {
	h := d.config.Hardware
	variables := strings.NewReplacer("%HardwareUUID%", h.UDID, "%SerialNumber%", h.SerialNumber, "%ComputerName%", h.DeviceName)
	var subject pkix.Name
	for _, attribute := range s.Subject {
		value := variables.Replace(attribute[1])
		switch attribute[0] {
		case "CN":
			subject.CommonName = value
		case "O":
			subject.Organization = append(subject.Organization, value)
		case "OU":
			subject.OrganizationalUnit = append(subject.OrganizationalUnit, value)
		case "C":
			subject.Country = append(subject.Country, value)
		case "L":
			subject.Locality = append(subject.Locality, value)
		case "ST":
			subject.Province = append(subject.Province, value)
		}
	}
	der, err := x509util.CreateCertificateRequest(rand.Reader, &x509util.CertificateRequest{
		CertificateRequest: x509.CertificateRequest{Subject: subject, SignatureAlgorithm: x509.SHA256WithRSA},
		ChallengePassword:  s.Challenge,
	}, key)
	if err != nil {
		return nil, fmt.Errorf("scep: make certificate request: %w", err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("scep: make certificate request: %w", err)
	}
	return csr, nil
}

// selfSigned certifies the new key for the length of the transaction.
func (d *Device) selfSigned(subject pkix.Name, key *rsa.PrivateKey) (*x509.Certificate, error) {
	now := d.config.Clock()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: subject, SignatureAlgorithm: x509.SHA256WithRSA,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("scep: certify own key: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("scep: certify own key: %w", err)
	}
	return certificate, nil
}
