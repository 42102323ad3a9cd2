package serve_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/graph/serve"
	"github.com/bailiwick/bailiwick/graph/serve/internal/sample"
)

// patience bounds an exchange; every test's takes a fraction of it.
const patience = time.Minute

// log is a concurrency-safe record of what was logged.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newServer starts a server over the sample schema. change may be nil.
func newServer(t testing.TB, change func(*serve.Config)) (*httptest.Server, *log, *serve.Server) {
	t.Helper()
	logged := &log{}
	config := serve.Config{
		Log:   slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Clock: time.Now, Introspection: true,
	}
	if change != nil {
		change(&config)
	}
	server, err := serve.New(sample.New(), config)
	if err != nil {
		t.Fatal(err)
	}
	httpServer := httptest.NewServer(server)
	t.Cleanup(httpServer.Close)
	return httpServer, logged, server
}

// reply is a response as a client reads it.
type reply struct {
	Status int
	Header http.Header
	Raw    string
	Data   json.RawMessage
	Errors []struct {
		Message    string
		Path       []any
		Extensions map[string]any
	}
}

func (r reply) code() string { return r.extension("code") }

func (r reply) extension(name string) string {
	if len(r.Errors) == 0 {
		return ""
	}
	s, _ := r.Errors[0].Extensions[name].(string)
	return s
}

func do(t testing.TB, r *http.Request) reply {
	t.Helper()
	response, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := reply{Status: response.StatusCode, Header: response.Header, Raw: string(body)}
	if strings.Contains(response.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("response is not JSON: %v: %s", err, body)
		}
	}
	return got
}

func request(t testing.TB, method, url, body string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for header := range slices.Chunk(headers, 2) {
		r.Header.Set(header[0], header[1])
	}
	return r
}

// ask posts a query, accepting application/graphql-response+json.
func ask(t testing.TB, server *httptest.Server, query string, variables map[string]any) reply {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	return do(t, request(t, http.MethodPost, server.URL, string(body),
		"Content-Type", "application/json", "Accept", "application/graphql-response+json"))
}

// eventually polls a condition until it holds, for at most five seconds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(5 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never happened: %s", what)
		}
	}
}

func TestNewRefusesABadConfig(t *testing.T) {
	good := serve.Config{Log: slog.New(slog.DiscardHandler), Clock: time.Now}
	for name, change := range map[string]func(*serve.Config){
		"no logger":        func(c *serve.Config) { c.Log = nil },
		"no clock":         func(c *serve.Config) { c.Clock = nil },
		"a negative limit": func(c *serve.Config) { c.Limits.Depth = -1 },
		"pages reversed":   func(c *serve.Config) { c.Limits.Page, c.Limits.MaxPage = 10, 5 },
	} {
		config := good
		change(&config)
		if _, err := serve.New(sample.New(), config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := serve.New(sample.New(), good); err != nil {
		t.Errorf("defaults: %v", err)
	}
}
