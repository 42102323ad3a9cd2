// Package scep is the server of the Simple Certificate Enrolment Protocol (RFC
// 8894) from which a device gets its identity: GetCACaps, GetCACert and
// PKIOperation with PKCSReq and RenewalReq. It keeps nothing: who may have a
// certificate, and which, is decided and stored behind Challenges.
package scep

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/smallstep/scep"

	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// MaxMessage is the largest request body in bytes. A PKCSReq with a key of
// 4096 bits has about 6,000.
const MaxMessage = 64 << 10

// capabilities is the answer to GetCACaps (RFC 8894, section 3.5.2).
// SCEPStandard stands for AES, POST and SHA-256; older clients look for these.
const capabilities = "AES\nPOSTPKIOperation\nRenewal\nSHA-256\nSCEPStandard\n"

// Request is a certificate request that is well formed, signed by the key it
// names, and was encrypted to the organization's authority. The message around
// it may be signed by another key, to which the answer is encrypted: RFC 8894,
// section 2.3, only recommends the same.
type Request struct {
	// Challenge is the challenge password, as the client sent it; it may be empty.
	Challenge string
	// TransactionID is the client's name for the transaction. Clients derive it
	// from their key, so two requests for one key share it.
	TransactionID string
	// SenderNonce is new in every honest message, and signed: a message with a
	// nonce seen before is a replay.
	SenderNonce []byte
	// Current is the identity that signed a RenewalReq, checked against the
	// authority and valid now, but perhaps revoked. It is nil in a first
	// enrolment.
	Current *x509.Certificate
	// CSR holds the key; its subject is only what the client wishes.
	CSR *x509.CertificateRequest
}

// Grant says which certificate is to be issued.
type Grant struct {
	Subject  pkix.Name
	Validity time.Duration
}

// Issue signs the granted certificate. It does no input or output, so that it
// can be called in a transaction.
type Issue func(Grant) (*x509.Certificate, error)

// Challenges decides on requests, and remembers.
type Challenges interface {
	// Redeem uses up the request's challenge, calls issue once, and stores the
	// certificate: all in one transaction, so that a failure leaves the challenge
	// as it was and nothing stored. The organization is the one in ctx; another
	// organization's challenge reads like an unknown one.
	//
	// A challenge that is unknown, used or expired, a transaction or nonce seen
	// before, and a renewal by an identity that is revoked or superseded are
	// refused with a *fault.Error; the client is only told that it was refused.
	// Any other error is answered with 500, after which clients try again.
	Redeem(ctx context.Context, request Request, issue Issue) error
}

// Outcome is what became of a PKIOperation.
type Outcome string

// The outcomes.
const (
	Issued    Outcome = "issued"
	Refused   Outcome = "refused"   // by a rule, and the client was told so
	Malformed Outcome = "malformed" // it is no message of this protocol
	Failed    Outcome = "failed"    // here
)

// Config is what a server needs. All fields are required.
type Config struct {
	// Authority returns the authority of the organization in the request's
	// context. A NOT_FOUND fault is answered with 404.
	Authority  func(context.Context) (*pki.Authority, error)
	Challenges Challenges
	// Observe counts PKIOperations.
	Observe func(Outcome)
	Logger  *slog.Logger
	Clock   func() time.Time
}

// Validate reports what is missing.
func (c Config) Validate() error {
	if c.Authority == nil || c.Challenges == nil || c.Observe == nil || c.Logger == nil || c.Clock == nil {
		return errors.New("scep: authority, challenges, observer, logger and clock are all required")
	}
	return nil
}

type server struct{ Config }

// New returns the handler of a SCEP endpoint. The request's context names the
// organization.
func New(config Config) (http.Handler, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return &server{config}, nil
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "SCEP uses GET and POST", http.StatusMethodNotAllowed)
		return
	}
	operation := r.URL.Query().Get("operation")
	switch operation {
	case "GetCACaps", "GetCACert", "PKIOperation":
	default:
		http.Error(w, "operation must be GetCACaps, GetCACert or PKIOperation", http.StatusBadRequest)
		return
	}
	ca, err := s.Authority(r.Context())
	switch {
	case fault.CodeOf(err) == fault.NotFound:
		http.NotFound(w, r)
	case err != nil:
		s.fail(w, r, err)
	case operation == "GetCACaps":
		write(w, "text/plain; charset=utf-8", []byte(capabilities))
	case operation == "GetCACert":
		write(w, "application/x-x509-ca-cert", ca.Certificate().Raw)
	default:
		s.operate(w, r, ca)
	}
}

func (s *server) operate(w http.ResponseWriter, r *http.Request, ca *pki.Authority) {
	body, err := body(w, r)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		s.Observe(Malformed)
		http.Error(w, "the message is too large", http.StatusRequestEntityTooLarge)
		return
	}
	var m *message
	if err == nil {
		m, err = read(body)
	}
	if err != nil {
		s.Logger.InfoContext(r.Context(), "scep message is malformed", "error", err)
		s.Observe(Malformed)
		http.Error(w, "not a SCEP message", http.StatusBadRequest)
		return
	}
	outcome := Issued
	reply, err := s.enrol(r.Context(), ca, m)
	if refused, ok := errors.AsType[*refusal](err); ok {
		s.Logger.InfoContext(r.Context(), "scep request is refused", "transaction", string(m.transaction), "error", err)
		outcome = Refused
		reply, err = m.failure(ca, refused.info)
	}
	if err != nil {
		s.Observe(Failed)
		s.fail(w, r, err)
		return
	}
	s.Observe(outcome)
	write(w, "application/x-pki-message", reply)
}

// enrol answers a message with the CertRep of success, or fails: with a
// *refusal for what the client is to be told.
func (s *server) enrol(ctx context.Context, ca *pki.Authority, m *message) ([]byte, error) {
	var current *x509.Certificate
	switch m.kind {
	case scep.PKCSReq:
	case scep.RenewalReq:
		if err := ca.Trust().Verify(m.signer, s.Clock()); err != nil {
			return nil, refuse(scep.BadCertID, err)
		}
		current = m.signer
	default: // CertPoll, GetCert, GetCRL and what is no type at all: none is offered
		return nil, refuse(scep.BadRequest, fmt.Errorf("message type %q is not offered", string(m.kind)))
	}
	if err := pki.CheckKey(m.signer.PublicKey); err != nil { // the answer is encrypted to it
		return nil, refuse(scep.BadAlg, err)
	}
	csr, challenge, err := m.open(ca)
	if err != nil {
		return nil, err
	}
	var reply []byte
	err = s.Challenges.Redeem(ctx, Request{
		Challenge:     challenge,
		TransactionID: string(m.transaction),
		SenderNonce:   m.nonce,
		Current:       current,
		CSR:           csr,
	}, func(grant Grant) (*x509.Certificate, error) {
		certificate, err := ca.IssueDevice(csr, grant.Subject, grant.Validity)
		if err != nil {
			return nil, err
		}
		// The answer is made before anything is stored, so that what cannot be
		// answered is not stored either.
		reply, err = m.success(ca, certificate)
		return certificate, err
	})
	if err == nil && reply == nil {
		return nil, errors.New("scep: a request was redeemed without a certificate")
	}
	switch fault.CodeOf(err) {
	case "":
		return reply, nil
	case fault.Internal, fault.Unavailable:
		return nil, fmt.Errorf("scep: redeem: %w", err)
	default:
		return nil, refuse(scep.BadRequest, err)
	}
}

// body is the message: the body of a POST, or base64 in the query of a GET.
func body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Method == http.MethodPost {
		return io.ReadAll(http.MaxBytesReader(w, r.Body, MaxMessage))
	}
	// A client that leaves "+" as it is means no space.
	encoded := strings.ReplaceAll(r.URL.Query().Get("message"), " ", "+")
	if len(encoded) > base64.StdEncoding.EncodedLen(MaxMessage) {
		return nil, &http.MaxBytesError{Limit: MaxMessage}
	}
	return base64.StdEncoding.DecodeString(encoded)
}

func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	s.Logger.ErrorContext(r.Context(), "scep failed", "error", err)
	http.Error(w, "try again later", http.StatusInternalServerError)
}

func write(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(body) //nolint:gosec // DER and plain text, never read as HTML
}
