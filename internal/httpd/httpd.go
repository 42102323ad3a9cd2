// Package httpd lays out the routes and the order of the middleware.
package httpd

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/bailiwick/bailiwick/graph/serve"
	"github.com/bailiwick/bailiwick/internal/access"
	"github.com/bailiwick/bailiwick/internal/applemdm/portal"
	"github.com/bailiwick/bailiwick/internal/config"
	"github.com/bailiwick/bailiwick/internal/telemetry"
)

// Check is one thing that /readyz asks for.
type Check struct {
	Name string
	Run  func(context.Context) error
}

// Parts are what the routes lead to. All but Console are required.
type Parts struct {
	GraphQL *serve.Server
	Devices []portal.Route
	Access  *access.Service
	JWKS    http.Handler
	Desk    http.Handler // answers the calls of ticketing systems
	Ready   []Check
	Metrics *telemetry.Metrics
	Tracing *telemetry.Tracing
	Logger  *slog.Logger
}

// New returns the server's handler: from the outside in, a request gets its
// id and client address, is logged, refused when its URL is no text, measured and
// traced, is refused when its origin may not call, and on /graphql is authenticated.
func New(c config.Config, p Parts) http.Handler {
	mux := http.NewServeMux()
	route := func(pattern string, h http.Handler) {
		mux.Handle(pattern, p.Metrics.HTTP(pattern, p.Tracing.HTTP(pattern, h)))
	}
	route("/graphql", crossOrigin(c.CORSOrigins, authenticate(p.Access, p.Logger, p.GraphQL)))
	route("GET /.well-known/jwks.json", p.JWKS)
	route("/webhook/ticketing/", p.Desk)
	for _, d := range p.Devices { // not traced: tokens and people's addresses are in their URLs
		mux.Handle(d.Pattern, p.Metrics.HTTP(d.Pattern, d.Handler))
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok\n") })
	mux.Handle("GET /readyz", ready(p.Ready))
	mux.Handle("GET /metrics", p.Metrics.Handler())
	if c.Development {
		mux.Handle("/", serve.GraphiQL("/graphql"))
	}
	return telemetry.Requests(c.TrustedProxies, logged(p.Logger, secured(legible(mux))))
}

// Server returns an HTTP server with the limits that slow or silent clients
// meet. Streams lift the write timeout for themselves.
func Server(addr string, h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// secured sets the headers that keep a browser from misreading an answer.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // a client that has gone needs no answer
}
