package serve_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/graph/serve"
)

// stream is an answer while it arrives.
type stream struct {
	status      int
	contentType string
	lines       *bufio.Scanner
	close       func()
}

// events opens a stream, which is closed with the test at the latest.
func events(t *testing.T, server *httptest.Server, body string) stream {
	t.Helper()
	r := request(t, http.MethodPost, server.URL, body, "Content-Type", "application/json", "Accept", "text/event-stream")
	response, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	hangUp := func() { _ = response.Body.Close() }
	t.Cleanup(hangUp)
	return stream{response.StatusCode, response.Header.Get("Content-Type"), bufio.NewScanner(response.Body), hangUp}
}

// await reads lines until one contains text, and returns what it read. It
// fails when the stream ends before, unless text is empty.
func await(t *testing.T, lines *bufio.Scanner, text string) string {
	t.Helper()
	var read strings.Builder
	for lines.Scan() {
		read.WriteString(lines.Text() + "\n")
		if text != "" && strings.Contains(lines.Text(), text) {
			return read.String()
		}
	}
	if text != "" {
		t.Fatalf("stream ended before %q: %s", text, read.String())
	}
	return read.String()
}

func TestEventStream(t *testing.T) {
	server, _, _ := newServer(t, nil)
	for _, c := range []struct{ name, body, want string }{
		{"subscription", `{"query":"subscription{count(to:2)}"}`,
			"event: next\ndata: {\"data\":{\"count\":1}}\n\nevent: next\ndata: {\"data\":{\"count\":2}}\n\nevent: complete\ndata: \n\n"},
		{"query", `{"query":"{hello}"}`, "event: next\ndata: {\"data\":{\"hello\":\"hello\"}}\n\nevent: complete\ndata: \n\n"},
		{"invalid", `{"query":"{nothing}"}`, `"code":"INVALID_ARGUMENT"`},
		{"refused", `{"query":"subscription{refused}"}`, `"code":"FORBIDDEN"`},
		{"too complex", `{"query":"{items(first:500){nodes{items{nodes{id}}}}}"}`, `"limit":"cost"`},
	} {
		answer := events(t, server, c.body)
		if answer.status != http.StatusOK || !strings.HasPrefix(answer.contentType, "text/event-stream") {
			t.Errorf("%s: %d %s", c.name, answer.status, answer.contentType)
		}
		got := await(t, answer.lines, "")
		if !strings.Contains(got, c.want) || !strings.HasSuffix(got, "event: complete\ndata: \n\n") {
			t.Errorf("%s: %s", c.name, got)
		}
	}
	if answer := events(t, server, `[]`); answer.status != http.StatusBadRequest {
		t.Errorf("a batch: %d", answer.status)
	}
	get := func(query string) reply {
		return do(t, request(t, http.MethodGet, server.URL+"?query="+url.QueryEscape(query), "", "Accept", "text/event-stream"))
	}
	if got := get("subscription{count(to:1)}"); got.Status != 200 || !strings.Contains(got.Raw, `"count":1`) {
		t.Errorf("get: %d %s", got.Status, got.Raw)
	}
	if got := get(`mutation{set(value:"x")}`); got.Status != 405 {
		t.Errorf("mutation by get: %d %s", got.Status, got.Raw)
	}
}

func TestEventStreamIsKeptAliveAndOutlivesTheTimeouts(t *testing.T) {
	_, _, server := newServer(t, func(c *serve.Config) {
		c.Timeout = 40 * time.Millisecond
		c.Stream.KeepAlive = 20 * time.Millisecond
	})
	// net/http's own deadlines are shorter than the stream.
	httpServer := httptest.NewUnstartedServer(server)
	httpServer.Config.ReadTimeout, httpServer.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	httpServer.Start()
	t.Cleanup(httpServer.Close)
	lines := events(t, httpServer, `{"query":"subscription{open}"}`).lines
	await(t, lines, `"open":"open"`)
	for range 15 { // 300 ms
		if got := await(t, lines, ":"); strings.Contains(got, "event:") {
			t.Fatalf("not a comment: %s", got)
		}
	}
}

func TestEventStreamTimesOutAQuery(t *testing.T) {
	server, _, _ := newServer(t, func(c *serve.Config) { c.Timeout = 30 * time.Millisecond })
	got := await(t, events(t, server, `{"query":"{wait}"}`).lines, "")
	if !strings.Contains(got, `"code":"UNAVAILABLE"`) || !strings.Contains(got, "event: complete") || strings.Contains(got, "pq:") {
		t.Error(got)
	}
}

func TestEventStreamEndsWithItsCredential(t *testing.T) {
	revoked := make(chan struct{})
	server, _, _ := newServer(t, func(c *serve.Config) {
		c.Stream.Revoked = func(context.Context) <-chan struct{} { return revoked }
	})
	lines := events(t, server, `{"query":"subscription{open}"}`).lines
	await(t, lines, `"open":"open"`)
	close(revoked)
	if got := await(t, lines, ""); !strings.Contains(got, `"code":"UNAUTHENTICATED"`) || !strings.Contains(got, "event: complete") {
		t.Error(got)
	}
}

func TestEventStreamEndsWithItsClient(t *testing.T) {
	var ended atomic.Int32
	server, _, _ := newServer(t, func(c *serve.Config) {
		c.Observe = func(context.Context, serve.Observation) { ended.Add(1) }
	})
	answer := events(t, server, `{"query":"subscription{open}"}`)
	await(t, answer.lines, `"open":"open"`)
	answer.close()
	eventually(t, "the subscription ends", func() bool { return ended.Load() == 1 })
}

func TestShutdownEndsStreams(t *testing.T) {
	httpServer, _, server := newServer(t, nil)
	lines := events(t, httpServer, `{"query":"subscription{open}"}`).lines
	await(t, lines, `"open":"open"`)
	socket := dial(t, httpServer)
	socket.init()
	socket.send(`{"id":"1","type":"subscribe","payload":{"query":"subscription{open}"}}`)
	socket.want(`"open":"open"`)

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if got := await(t, lines, ""); strings.Contains(got, "complete") {
		t.Errorf("a client that is told complete does not come back: %s", got)
	}
	socket.wantClose(1001)
	if answer := events(t, httpServer, `{"query":"subscription{open}"}`); answer.status != http.StatusServiceUnavailable {
		t.Errorf("after shutdown: %d", answer.status)
	}
	if got := ask(t, httpServer, "{hello}", nil); got.Status != 200 {
		t.Errorf("a query after shutdown: %d", got.Status)
	}
}
