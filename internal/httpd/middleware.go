package httpd

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/felixge/httpsnoop"

	"github.com/bailiwick/bailiwick/graph"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/tenancy"
)

// secretSegment names the part of a pattern whose value lets its holder in.
const secretSegment = "token"

// shownPath is the path of a request that has been routed, without what is
// secret in it.
func shownPath(r *http.Request) string {
	if secret := r.PathValue(secretSegment); secret != "" {
		return strings.Replace(r.URL.Path, secret, "{"+secretSegment+"}", 1)
	}
	return r.URL.Path
}

// logged writes one line a request, when it has been answered.
func logged(logger *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		m := httpsnoop.CaptureMetrics(next, w, r)
		level := slog.LevelInfo
		switch {
		case m.Code >= http.StatusInternalServerError:
			level = slog.LevelError
		case strings.HasSuffix(r.URL.Path, "z") || r.URL.Path == "/metrics":
			level = slog.LevelDebug // probes would drown everything else
		}
		logger.Log(r.Context(), level, "request", "method", r.Method, "path", shownPath(r),
			"status", m.Code, "bytes", m.Written, "took", time.Since(began).Round(time.Microsecond))
	})
}

// legible refuses a request whose URL does not hold text: a database keeps nothing
// else, and takes being asked for it as a fault.
func legible(next http.Handler) http.Handler {
	text := func(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A query that cannot be unescaped has no values.
		if query, err := url.QueryUnescape(r.URL.RawQuery); !text(r.URL.Path) || err == nil && !text(query) {
			answer(w, http.StatusBadRequest, "the URL is not text in UTF-8\n")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// crossOrigin lets the pages of the allowed origins call. Without it a browser
// keeps other origins' pages from reading answers, and the content type that
// mutations need keeps them from sending any.
func crossOrigin(origins []string, next http.Handler) http.Handler {
	headers := strings.Join([]string{
		"Content-Type", AuthorizationHeader, APIKeyHeader, tenancy.Header, graph.IdempotencyHeader, "X-Request-Id",
	}, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		if origin := r.Header.Get("Origin"); origin != "" && slices.Contains(origins, origin) {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Expose-Headers", "X-Request-Id, Retry-After")
			if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
				w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
				w.Header().Set("Access-Control-Allow-Headers", headers)
				w.Header().Set("Access-Control-Max-Age", "600")
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// shown is the part of an error that a caller may read.
func shown(err error) *fault.Error {
	if known, ok := errors.AsType[*fault.Error](database.Unavailable(err)); ok {
		return known
	}
	return fault.New(fault.Internal, "internal error: the request id leads to the log").Wrap(err)
}
