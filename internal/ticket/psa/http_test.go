package psa_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

const secret = "s3cr3t-token"

func config(base string) psa.HTTPConfig {
	return psa.HTTPConfig{
		Base: base, Timeout: 10 * time.Second, MaxAnswer: 1000, AllowLoopback: true,
		Logger: slog.New(slog.DiscardHandler), Clock: time.Now,
		Authorize: func(h http.Header) { h.Set("Authorization", "Bearer "+secret) },
		Secrets:   []string{secret},
		Explain:   func(_ psa.Call, a psa.Answer) (psa.Class, string) { return "", string(a.Body) },
	}
}

func caller(t *testing.T, c psa.HTTPConfig) *psa.HTTP {
	t.Helper()
	h, err := psa.NewHTTP(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

var (
	post = psa.Call{Op: "post", Method: http.MethodPost, Path: "/x", Body: map[string]int{"a": 1}}
	get  = psa.Call{Op: "get", Method: http.MethodGet, Path: "/x"}
)

// TestBase: what may not be called is refused before anything is sent, or when
// its name resolves to the inside.
func TestBase(t *testing.T) {
	for _, base := range []string{
		"http://example.com", "http://10.0.0.1", "ftp://127.0.0.1", "https://", "https://u:p@example.com", "https://example.com/?a=b",
		"https://example.com#f", "http://127.0.0.1.example.com", "://", "file:///etc/passwd", "http:127.0.0.1",
	} {
		if _, err := psa.NewHTTP(config(base)); err == nil {
			t.Errorf("%s is accepted", base)
		}
	}
	strict := config("http://127.0.0.1:1")
	strict.AllowLoopback = false
	if _, err := psa.NewHTTP(strict); err == nil {
		t.Error("http to this machine is accepted without being allowed")
	}
	for _, base := range []string{
		"https://127.0.0.1:1", "https://localhost:1", "https://[::1]:1", "https://10.0.0.1:1", "https://192.168.1.1:1", "https://169.254.169.254:1",
		"https://100.64.0.1:1", "https://[fd00::1]:1", "https://[fe80::1]:1", "https://[::ffff:127.0.0.1]:1", "https://0.0.0.0:1", "https://[64:ff9b::7f00:1]:1",
	} {
		c := config(base)
		c.AllowLoopback = false
		if err := caller(t, c).Do(t.Context(), post, nil); psa.ClassOf(err) != psa.Permanent {
			t.Errorf("%s: %v", base, err)
		}
	}
	if err := caller(t, config("https://10.0.0.1:1")).Do(t.Context(), get, nil); psa.ClassOf(err) != psa.Permanent {
		t.Errorf("allowing loopback allows the inside: %v", err)
	}
}

// TestAnswers: each answer has its class, and each call is sent once.
func TestAnswers(t *testing.T) {
	answer := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	const js, page = "application/json; charset=utf-8", "text/html"
	object := get
	object.Object = true
	for name, c := range map[string]struct {
		call   psa.Call
		serve  http.HandlerFunc
		class  psa.Class
		vendor string
	}{
		"good":                      {post, answer(200, js, `{"id":1}`), "", ""},
		"vendor's own JSON type":    {post, answer(201, "application/vnd.connectwise.com+json; version=2025.1", `{"id":1}`), "", ""},
		"HTML to a write":           {post, answer(200, page, "<html><title>Down &amp; out</title>"), psa.Uncertain, "Down & out"},
		"HTML to a read":            {get, answer(200, page, "<html></html>"), psa.Auth, "an HTML page"},
		"no type":                   {post, answer(200, "", `{"id":1}`), psa.Uncertain, `{"id":1}`},
		"JSON of another shape":     {post, answer(200, js, `[1]`), psa.Uncertain, ""},
		"half of JSON":              {get, answer(200, js, `{"id":`), psa.Uncertain, ""},
		"nothing":                   {post, answer(204, "", ""), psa.Uncertain, ""},
		"too long an answer, write": {post, answer(200, js, `{"a":"`+strings.Repeat("x", 2000)+`"}`), psa.Uncertain, ""},
		"too long an answer, read":  {get, answer(200, js, `{"a":"`+strings.Repeat("x", 2000)+`"}`), psa.Permanent, ""},
		"too long an error":         {post, answer(422, js, `"`+strings.Repeat("x", 2000)+`"`), psa.Permanent, `"` + strings.Repeat("x", 498) + "…"},
		"refused":                   {post, answer(422, js, `no`), psa.Permanent, "no"},
		"token echoed":              {post, answer(400, js, `bad token `+secret), psa.Permanent, "bad token [redacted]"},
		"token echoed in a page":    {post, answer(400, page, `<title>`+secret+`</title>`), psa.Permanent, "[redacted]"},
		"absent object":             {object, answer(404, js, `{}`), psa.Gone, "{}"},
		"absent object, no text":    {object, answer(404, "", ``), psa.Gone, ""},
		"absent, says a proxy":      {object, answer(404, page, `<title>nginx</title>`), psa.Permanent, "nginx"},
		"absent path":               {get, answer(404, js, `{}`), psa.Permanent, "{}"},
		"a proxy's 502":             {post, answer(502, page, `<title>Bad Gateway</title>`), psa.Uncertain, "Bad Gateway"},
		"redirected write, same host": {post, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/y", http.StatusTemporaryRedirect)
		}, psa.Uncertain, ""},
		"redirected write, as a read": {post, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/y", http.StatusFound)
		}, psa.Uncertain, ""},
		"redirected read, another host": {get, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://localhost:1/x")
			w.WriteHeader(http.StatusFound)
		}, psa.Auth, ""},
	} {
		var calls atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			c.serve(w, r)
		}))
		var out struct{ ID int }
		err := caller(t, config(server.URL)).Do(t.Context(), c.call, &out)
		server.Close()
		if got := psa.ClassOf(err); got != c.class {
			t.Errorf("%s: class %q (%v), want %q", name, got, err, c.class)
		}
		if e, ok := errors.AsType[*psa.Error](err); ok && (e.Vendor != c.vendor || e.Op != c.call.Op) {
			t.Errorf("%s: vendor says %q, want %q", name, e.Vendor, c.vendor)
		}
		if calls.Load() != 1 {
			t.Errorf("%s: sent %d times", name, calls.Load())
		}
	}
}

// TestRedirectWithinHost: a read follows, with its credentials, a few times.
func TestRedirectWithinHost(t *testing.T) {
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1); r.URL.Path == "/x" {
			http.Redirect(w, r, "/y", http.StatusFound)
			return
		}
		if r.URL.Path == "/loop" {
			http.Redirect(w, r, "/loop", http.StatusFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"auth": r.Header.Get("Authorization")})
	}))
	defer server.Close()
	var out struct{ Auth string }
	if err := caller(t, config(server.URL)).Do(t.Context(), get, &out); err != nil || out.Auth != "Bearer "+secret {
		t.Errorf("%+v, %v", out, err)
	}
	calls.Store(0)
	loop := psa.Call{Op: "loop", Method: http.MethodGet, Path: "/loop"}
	if err := caller(t, config(server.URL)).Do(t.Context(), loop, &out); psa.ClassOf(err) != psa.Auth || calls.Load() > 4 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}

// TestSilence: a server that never answers costs one timeout and one request.
func TestSilence(t *testing.T) {
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		buffer := make([]byte, 100)
		for {
			if _, err := r.Body.Read(buffer); err != nil {
				break
			}
		}
		<-r.Context().Done()
	}))
	defer server.Close()
	c := config(server.URL)
	c.Timeout = 200 * time.Millisecond
	if err := caller(t, c).Do(t.Context(), post, nil); psa.ClassOf(err) != psa.Uncertain {
		t.Error(err)
	}
	if calls.Load() != 1 {
		t.Errorf("sent %d times", calls.Load())
	}
}

// TestRetryAfter: seconds, a date, nonsense, and a month.
func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "-5": 0, "soon": 0, "99999999": 24 * time.Hour,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		c := config(server.URL)
		c.Clock = func() time.Time { return now }
		err := caller(t, c).Do(t.Context(), post, nil)
		server.Close()
		if e, ok := errors.AsType[*psa.Error](err); !ok || e.Class != psa.Throttled || e.RetryAfter != want {
			t.Errorf("Retry-After %q: %+v, want %s", header, err, want)
		}
	}
}

// TestLogHoldsNoSecrets: neither the credentials nor what was asked for.
func TestLogHoldsNoSecrets(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{}`))
	}))
	var log bytes.Buffer
	c := config(server.URL)
	c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	call := get
	call.Query = map[string][]string{"business_name": {"Acme"}}
	if err := caller(t, c).Do(t.Context(), call, nil); err != nil {
		t.Error(err)
	}
	server.Close()
	err := caller(t, c).Do(t.Context(), call, nil)
	if psa.ClassOf(err) != psa.NotSent {
		t.Error(err)
	}
	for _, text := range []string{log.String(), err.Error()} {
		if strings.Contains(text, secret) || strings.Contains(text, "Acme") || text == "" {
			t.Errorf("shows a secret, or nothing: %s", text)
		}
	}
}

func TestHTTPConfig(t *testing.T) {
	for name, spoil := range map[string]func(*psa.HTTPConfig){
		"timeout":   func(c *psa.HTTPConfig) { c.Timeout = 0 },
		"limit":     func(c *psa.HTTPConfig) { c.MaxAnswer = 0 },
		"logger":    func(c *psa.HTTPConfig) { c.Logger = nil },
		"clock":     func(c *psa.HTTPConfig) { c.Clock = nil },
		"authorize": func(c *psa.HTTPConfig) { c.Authorize = nil },
		"explain":   func(c *psa.HTTPConfig) { c.Explain = nil },
	} {
		c := config("https://example.com")
		spoil(&c)
		if _, err := psa.NewHTTP(c); err == nil {
			t.Errorf("accepted without %s", name)
		}
	}
}
