package httpd

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/bailiwick/bailiwick/graph/serve"
	"github.com/bailiwick/bailiwick/internal/access"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/telemetry"
	"github.com/bailiwick/bailiwick/tenancy"
)

// The headers that carry a credential.
const (
	AuthorizationHeader = "Authorization"
	APIKeyHeader        = "x-api-key"
)

// Client names the client in the system-log events of a handler that nobody
// signs in to.
func Client(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r.WithContext(withClient(r))) })
}

func withClient(r *http.Request) context.Context {
	return audit.WithClient(r.Context(), audit.Client{
		Address:   telemetry.ClientAddress(r.Context()).String(),
		UserAgent: strings.ToValidUTF8(r.UserAgent(), "\uFFFD"), // a database keeps text
		RequestID: telemetry.RequestID(r.Context()),
	})
}

// authenticate turns the credential into the caller. A request without one
// goes on: some operations are public, and the gate refuses the rest.
func authenticate(service *access.Service, logger *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, err := identify(withClient(r), service, r.Header.Get)
		if err != nil {
			if code := status(err); code >= http.StatusInternalServerError {
				logger.ErrorContext(r.Context(), "authenticate", "error", err)
			}
			serve.WriteError(w, r, status(err), shown(err))
			return
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Connect authenticates a WebSocket by its connection_init payload, whose
// fields are named like the headers; for a browser cannot set those.
func Connect(service *access.Service) func(context.Context, map[string]any) (context.Context, error) {
	return func(ctx context.Context, payload map[string]any) (context.Context, error) {
		return identify(ctx, service, func(name string) string {
			for k, v := range payload {
				if text, ok := v.(string); ok && strings.EqualFold(k, name) {
					return text
				}
			}
			return ""
		})
	}
}

// identify adds the caller to the context, if there is a credential.
func identify(ctx context.Context, service *access.Service, get func(string) string) (context.Context, error) {
	credentials := access.Credentials{
		APIKey:       get(APIKeyHeader),
		Organization: get(tenancy.Header),
	}
	if authorization := get(AuthorizationHeader); authorization != "" {
		scheme, token, _ := strings.Cut(authorization, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return nil, fault.New(fault.Unauthenticated, "the %s header must be Bearer and an access token", AuthorizationHeader)
		}
		credentials.Bearer = strings.TrimSpace(token)
	}
	if credentials.Bearer == "" && credentials.APIKey == "" {
		return ctx, nil
	}
	caller, err := service.Authenticate(ctx, credentials)
	if err != nil {
		return nil, err
	}
	if organization := caller.OrganizationHeader(); organization != "" {
		telemetry.SetOrganization(ctx, organization)
	}
	return access.With(ctx, caller), nil
}

func status(err error) int {
	switch shown(err).Code {
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.RateLimited:
		return http.StatusTooManyRequests
	case fault.InvalidArgument:
		return http.StatusBadRequest
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}
