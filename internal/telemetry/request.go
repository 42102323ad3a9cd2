// Package telemetry makes the process observable: logs that name the request
// they belong to, Prometheus metrics with a bounded number of series, and
// OpenTelemetry traces where a collector is configured.
package telemetry

import (
	"context"
	"net/http"
	"net/netip"
	"sync"

	"github.com/google/uuid"
)

// RequestIDHeader carries the request id, in both directions.
const RequestIDHeader = "X-Request-Id"

// maxNameLength bounds what a client may put into every log line, in bytes.
const maxNameLength = 100

// request is what is known about the request that a context belongs to. It is
// shared by all contexts derived from it, so that the outermost middleware can
// log what was found out further in.
type request struct {
	id     string
	client netip.Addr

	mu           sync.Mutex
	organization string
	operation    string
}

type requestKey struct{}

func requestFrom(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// WithRequest begins a request, or a unit of work such as a job. Operations
// that share a connection each begin their own, with the same id and address.
func WithRequest(ctx context.Context, id string, client netip.Addr) context.Context {
	return context.WithValue(ctx, requestKey{}, &request{id: id, client: client})
}

// RequestID is the id of the context's request, empty outside of one.
func RequestID(ctx context.Context) string {
	if r := requestFrom(ctx); r != nil {
		return r.id
	}
	return ""
}

// ClientAddress is where the context's request came from; it is not valid
// outside of a request.
func ClientAddress(ctx context.Context) netip.Addr {
	if r := requestFrom(ctx); r != nil {
		return r.client
	}
	return netip.Addr{}
}

// SetOrganization notes the organization that the request acts in.
func SetOrganization(ctx context.Context, id string) {
	if r := requestFrom(ctx); r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.organization = shorten(id)
	}
}

// SetOperation notes the request's operation: a GraphQL operation's name, or a
// job's kind.
func SetOperation(ctx context.Context, name string) {
	if r := requestFrom(ctx); r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.operation = shorten(name)
	}
}

func (r *request) names() (organization, operation string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.organization, r.operation
}

func shorten(name string) string { return name[:min(len(name), maxNameLength)] }

// NewRequestID returns a request id; ids sort by time.
func NewRequestID() string {
	id, err := uuid.NewV7()
	if err != nil { // the clock's part failed, not the randomness
		return uuid.NewString()
	}
	return id.String()
}

// ValidRequestID reports whether an id from outside may enter logs and
// responses: 1 to 64 of the characters A-Z a-z 0-9 . _ -
func ValidRequestID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// Requests begins a request for each one that arrives. It keeps the caller's
// request id if it is valid, and answers the id in any case.
func Requests(trusted []netip.Prefix, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(RequestIDHeader)
		if !ValidRequestID(id) {
			id = NewRequestID()
		}
		w.Header().Set(RequestIDHeader, id)
		ctx := WithRequest(r.Context(), id, ResolveClient(trusted, r.RemoteAddr, r.Header.Values("X-Forwarded-For")))
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
