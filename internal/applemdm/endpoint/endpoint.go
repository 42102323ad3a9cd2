// Package endpoint speaks Apple's MDM protocol over HTTP: check-ins, and the
// connections in which devices fetch commands and report on them. The path
// names the organization, the certificate the device; both must agree with
// what the message says.
//
// A device that is answered 401 leaves management for good, so that ordinary
// failures are 400, which tells it to stop, or 500, to try again. 401 is for
// devices that were released or blocked.
package endpoint

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"github.com/bailiwick/bailiwick/internal/applemdm/membership"
	"github.com/bailiwick/bailiwick/internal/applemdm/message"
	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/applemdm/signature"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/tenancy"
)

// The paths. Either serves check-ins and connections, as their content type says.
const (
	CheckinPattern = "PUT /mdm/{organization}/checkin"
	ConnectPattern = "PUT /mdm/{organization}/connect"
)

// The content types of devices' messages.
const (
	checkinType = "application/x-apple-aspen-mdm-checkin"
	connectType = "application/x-apple-aspen-mdm"
)

// Authority is what an organization's devices are judged by.
type Authority struct {
	Provider string // the organization's
	Trust    *pki.Trust
	Topic    string // of its push certificate; empty while it has none
	// Seat is asked, in the transaction of an enrolment, whether there is room
	// for devices; see [membership.Arriving].
	Seat func(ctx context.Context, deviceID string, wanted int) error
}

// Authorities knows the organizations that manage devices.
type Authorities interface {
	// Authority is an organization's. It is asked for every message, with a
	// context that carries no scope, and so must be quick. It is NOT_FOUND for
	// an id that is no organization's, or of one that manages no devices.
	Authority(ctx context.Context, organization string) (Authority, error)
}

// Config is what a [Handler] needs; all but UserChannels is required.
type Config struct {
	Authorities Authorities
	Members     *membership.Service
	Queue       *queue.Service
	Proxy       signature.ProxyConfig
	// UserChannels lets the people on a Mac have channels of their own. Without
	// it they are declined.
	UserChannels bool
	Logger       *slog.Logger
	Clock        func() time.Time
}

// Validate reports what is missing or could not work.
func (c Config) Validate() error {
	if c.Authorities == nil || c.Members == nil || c.Queue == nil || c.Logger == nil || c.Clock == nil {
		return errors.New("endpoint: authorities, members, a queue, a logger and a clock are required")
	}
	return c.Proxy.Validate()
}

// Handler serves devices.
type Handler struct {
	Config
	turns turns
}

// New returns a handler, or what is wrong with its configuration.
func New(c Config) (*Handler, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Handler{Config: c, turns: turns{taken: map[string]int{}}}, nil
}

// Checkin serves [CheckinPattern].
func (h *Handler) Checkin(w http.ResponseWriter, r *http.Request) { h.serve(w, r, checkinType) }

// Connect serves [ConnectPattern].
func (h *Handler) Connect(w http.ResponseWriter, r *http.Request) { h.serve(w, r, connectType) }

// errRequest is a request that is not one of Apple's protocol.
var errRequest = errors.New("endpoint: not a message of this protocol")

// A refusal is an answer that is neither a success nor a failure.
type refusal int

func (r refusal) Error() string { return "endpoint: answered " + http.StatusText(int(r)) }

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, usual string) {
	answer, err := h.answer(r, usual)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if len(answer) > 0 {
		w.Header().Set("Content-Type", "application/xml")
	}
	_, _ = w.Write(answer) //nolint:gosec // a property list of our own, for no browser; a device that has gone asks again
}

func (h *Handler) answer(r *http.Request, usual string) ([]byte, error) {
	claim, err := h.Proxy.Claim(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRequest, err)
	}
	s, err := h.identify(r, claim.Certificate)
	if err != nil {
		return nil, err
	}
	if !h.turns.take(s.Fingerprint) {
		return nil, refusal(http.StatusTooManyRequests)
	}
	defer h.turns.give(s.Fingerprint)
	body, err := plist.Read(r.Body) // not before: it can be large
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRequest, err)
	}
	if err := claim.Verify(body); err != nil {
		return nil, fmt.Errorf("%w: %w", errRequest, err)
	}
	s.SignedAt = claim.SignedAt()
	kind := usual
	if given, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && (given == checkinType || given == connectType) {
		kind = given
	}
	if kind == checkinType {
		m, err := message.DecodeCheckin(body)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errRequest, err)
		}
		return h.checkin(s.ctx, s, m)
	}
	report, err := message.DecodeReport(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRequest, err)
	}
	return h.Queue.Connect(s.ctx, s.Sender, report, body)
}

// sender is who stands behind a request, and for which organization.
type sender struct {
	queue.Sender
	ctx          context.Context // in the organization's scope
	organization string
	authority    Authority
}

// identify verifies that the organization of a request's path has issued the
// certificate behind it.
func (h *Handler) identify(r *http.Request, cert *x509.Certificate) (sender, error) {
	organization := r.PathValue("organization")
	authority, err := h.Authorities.Authority(r.Context(), organization)
	if err != nil {
		return sender{}, err
	}
	if err := authority.Trust.Verify(cert, h.Clock()); err != nil {
		return sender{}, fmt.Errorf("%w: %w", errRequest, err)
	}
	scope := tenancy.ForOrganizations(tenancy.ServicePrincipal("device"), authority.Provider, organization)
	return sender{
		Sender: queue.Sender{Fingerprint: Fingerprint(cert)},
		ctx:    tenancy.With(r.Context(), scope), organization: organization, authority: authority,
	}, nil
}

// Fingerprint identifies a certificate: its SHA-256, in hexadecimal.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// fail answers an error. What a device did wrong is logged as information:
// anybody can send anything.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, level := http.StatusInternalServerError, slog.LevelError
	var refused refusal
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &refused):
		status, level = int(refused), slog.LevelDebug
	case errors.Is(err, plist.ErrTooLarge), errors.As(err, &tooLarge):
		status, level = http.StatusRequestEntityTooLarge, slog.LevelInfo
	case errors.Is(err, queue.ErrUnenroll):
		status, level = http.StatusUnauthorized, slog.LevelInfo
	case errors.Is(err, errRequest), errors.Is(err, queue.ErrStranger), errors.Is(err, queue.ErrReplayed), errors.Is(err, membership.ErrNoSeat),
		fault.CodeOf(err) == fault.NotFound, r.Context().Err() != nil:
		status, level = http.StatusBadRequest, slog.LevelInfo
	}
	h.Logger.Log(r.Context(), level, "device turned away", "organization", r.PathValue("organization"), "status", status, "error", err)
	w.WriteHeader(status)
}
