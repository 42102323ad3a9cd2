package push

import (
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sideshow/apns2"
)

// Status is what a caller has to do next.
type Status string

// The statuses.
const (
	// Accepted: APNs delivers it when the device is reachable.
	Accepted Status = "ACCEPTED"
	// DeadToken: this token never works again. The device may have a newer one.
	DeadToken Status = "DEAD_TOKEN"
	// CertificateRefused: nothing reaches any device of this certificate before
	// the organization has mended it.
	CertificateRefused Status = "CERTIFICATE_REFUSED"
	// RetryLater: APNs is busy, or was not reached.
	RetryLater Status = "RETRY_LATER"
	// Rejected: APNs finds fault with the request itself. Sending it again
	// changes nothing.
	Rejected Status = "REJECTED"
)

// Reasons of this package's own, beside those that APNs documents.
const (
	ReasonExpired  = "CertificateExpired"  // found here, before connecting
	ReasonUnusable = "CertificateUnusable" // not a certificate with its key
	ReasonTLS      = "CertificateRefused"  // APNs ended the TLS handshake because of it
)

// Outcome is what became of a notification.
type Outcome struct {
	Status     Status
	ID         string        // apns-id, if APNs gave one
	Code       int           // HTTP status; 0 if APNs gave none
	Reason     string        // APNs's own word, or one of this package's; empty if there is none
	Since      time.Time     // DeadToken: when the token was last known to be dead; an expired certificate: its end
	RetryAfter time.Duration // RetryLater: what APNs asked for; 0 if nothing
	Err        error         // why APNs was not reached; never shown to callers of the API
}

// deadAt400 are the reasons that come with 400 and condemn the token; with 410
// each does.
var deadAt400 = map[string]bool{
	apns2.ReasonBadDeviceToken:         true,
	apns2.ReasonDeviceTokenNotForTopic: true,
	apns2.ReasonMissingDeviceToken:     true,
}

// refusedAt400 are the reasons that come with 400 and mean that certificate
// and topic do not belong together.
var refusedAt400 = map[string]bool{
	apns2.ReasonBadTopic:        true,
	apns2.ReasonTopicDisallowed: true,
	apns2.ReasonMissingTopic:    true,
}

// outcomeOf classifies an answer of APNs.
func outcomeOf(r *apns2.Response, seen answer) Outcome {
	o := Outcome{ID: r.ApnsID, Code: r.StatusCode, Reason: r.Reason}
	switch code := r.StatusCode; {
	case code == http.StatusOK:
		o.Status = Accepted
	case code == http.StatusGone, code == http.StatusBadRequest && deadAt400[r.Reason]:
		o.Status, o.Since = DeadToken, r.Timestamp.Time
	case code == http.StatusForbidden, code == http.StatusBadRequest && refusedAt400[r.Reason]:
		o.Status = CertificateRefused
	case code == http.StatusTooManyRequests, code >= http.StatusInternalServerError, r.Reason == apns2.ReasonIdleTimeout:
		o.Status, o.RetryAfter = RetryLater, seen.retryAfter
	default:
		o.Status = Rejected
	}
	return o
}

// unreached classifies an error before or instead of an answer. Code is that of
// an answer whose body made no sense, or 0.
func unreached(err error, seen answer) Outcome {
	o := Outcome{Status: RetryLater, Code: seen.code, RetryAfter: seen.retryAfter, Err: err}
	if refusesCertificate(err) {
		o.Status, o.Reason = CertificateRefused, ReasonTLS
	}
	return o
}

// alerts are the TLS alerts by which a server refuses a client's certificate.
// crypto/tls gives them no exported type, only these texts.
var alerts = []string{
	"bad certificate", "unsupported certificate", "revoked certificate", "expired certificate",
	"unknown certificate", "unknown certificate authority", "access denied", "certificate required",
}

func refusesCertificate(err error) bool {
	// The server's own certificate is the network's fault, not the tenant's.
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return false
	}
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" {
		return false
	}
	text := op.Err.Error()
	for _, alert := range alerts {
		if strings.HasSuffix(text, alert) {
			return true
		}
	}
	return false
}

// retryAfter reads the header: seconds, or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return max(0, time.Duration(min(seconds, maxRetryAfter))*time.Second)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, at.Sub(now)), maxRetryAfter*time.Second)
	}
	return 0
}

// maxRetryAfter, in seconds, keeps an absurd header from silencing a tenant.
const maxRetryAfter = 24 * 60 * 60
