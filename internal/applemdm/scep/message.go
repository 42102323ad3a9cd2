package scep

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/smallstep/scep"
	"github.com/smallstep/scep/x509util"

	"github.com/bailiwick/bailiwick/internal/applemdm/cms"
	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
)

// The signed attributes of a SCEP message (RFC 8894, section 3.2.1).
var (
	idMessageType    = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 2}
	idPKIStatus      = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 3}
	idFailInfo       = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 4}
	idSenderNonce    = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 5}
	idRecipientNonce = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 6}
	idTransactionID  = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 7}
)

const (
	maxTransactionID = 256
	maxNonce         = 64
	nonceSize        = 16
)

// message is a client's request, its signature checked.
type message struct {
	transaction scep.TransactionID
	kind        scep.MessageType
	nonce       []byte
	signer      *x509.Certificate
	envelope    []byte
	cipher      cms.Cipher // of the envelope, once it is opened
}

// read decodes a request. An error means that the bytes are no SCEP message
// that could be answered in kind.
func read(data []byte) (*message, error) {
	signed, err := cms.Verify(data)
	if err != nil {
		return nil, err
	}
	m := &message{signer: signed.Signer, envelope: signed.Content}
	if err := errors.Join(
		signed.Attribute(idTransactionID, &m.transaction),
		signed.Attribute(idMessageType, &m.kind),
		signed.Attribute(idSenderNonce, &m.nonce),
	); err != nil {
		return nil, err
	}
	if m.transaction == "" || len(m.transaction) > maxTransactionID || len(m.nonce) == 0 || len(m.nonce) > maxNonce {
		return nil, errors.New("scep: transactionID or senderNonce is empty or too long")
	}
	return m, nil
}

// refusal is a failure that the client is told of in a CertRep.
type refusal struct {
	info scep.FailInfo
	err  error
}

func (r *refusal) Error() string { return "scep: " + r.info.String() + ": " + r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

func refuse(info scep.FailInfo, err error) error { return &refusal{info: info, err: err} }

// open decrypts the request's envelope and reads the certificate request in it.
func (m *message) open(ca *pki.Authority) (*x509.CertificateRequest, string, error) {
	der, used, err := cms.Decrypt(m.envelope, ca.Certificate(), ca.Key())
	switch {
	case errors.Is(err, cms.ErrCipher):
		return nil, "", refuse(scep.BadAlg, err)
	case err != nil:
		return nil, "", refuse(scep.BadMessageCheck, err)
	}
	m.cipher = used
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil { // answered like an envelope that does not open: see cms.ErrDecrypt
		return nil, "", refuse(scep.BadMessageCheck, cms.ErrDecrypt)
	}
	if err := pki.CheckRequest(csr); errors.Is(err, pki.ErrKey) {
		return nil, "", refuse(scep.BadAlg, err)
	} else if err != nil {
		return nil, "", refuse(scep.BadMessageCheck, err)
	}
	challenge, err := x509util.ParseChallengePassword(der)
	if err != nil {
		return nil, "", refuse(scep.BadRequest, fmt.Errorf("challenge password: %w", err))
	}
	return csr, challenge, nil
}

// success is the CertRep that carries the certificate, enveloped for whoever
// signed the request.
func (m *message) success(ca *pki.Authority, certificate *x509.Certificate) ([]byte, error) {
	degenerate, err := cms.Degenerate(certificate)
	if err != nil {
		return nil, err
	}
	envelope, err := cms.Encrypt(degenerate, m.signer, m.cipher)
	if err != nil {
		return nil, err
	}
	return m.reply(ca, envelope, cms.Attribute{ID: idPKIStatus, Value: scep.SUCCESS})
}

// failure is the CertRep that says why there is no certificate.
func (m *message) failure(ca *pki.Authority, info scep.FailInfo) ([]byte, error) {
	return m.reply(ca, nil,
		cms.Attribute{ID: idPKIStatus, Value: scep.FAILURE}, cms.Attribute{ID: idFailInfo, Value: info})
}

func (m *message) reply(ca *pki.Authority, content []byte, status ...cms.Attribute) ([]byte, error) {
	nonce := make([]byte, nonceSize)
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("scep: nonce: %w", err)
	}
	return cms.Sign(content, ca.Certificate(), ca.Key(), nil, append(status,
		cms.Attribute{ID: idTransactionID, Value: m.transaction},
		cms.Attribute{ID: idMessageType, Value: scep.CertRep},
		cms.Attribute{ID: idSenderNonce, Value: nonce},
		cms.Attribute{ID: idRecipientNonce, Value: m.nonce},
	)...)
}
