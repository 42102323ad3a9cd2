package serve_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/bailiwick/bailiwick/graph/serve"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// client is a WebSocket that fails its test.
type client struct {
	t  *testing.T
	ws *websocket.Conn
}

func dial(t *testing.T, server *httptest.Server, protocols ...string) *client {
	t.Helper()
	if protocols == nil {
		protocols = []string{"graphql-transport-ws"}
	}
	dialer := websocket.Dialer{Subprotocols: protocols}
	ws, response, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	t.Cleanup(func() { _ = ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(5 * time.Second))
	return &client{t, ws}
}

func (c *client) send(message string) {
	c.t.Helper()
	if err := c.ws.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
		c.t.Fatal(err)
	}
}

// want reads one message, which must contain text.
func (c *client) want(text string) {
	c.t.Helper()
	_, got, err := c.ws.ReadMessage()
	if err != nil || !strings.Contains(string(got), text) {
		c.t.Fatalf("want %s, got %s %v", text, got, err)
	}
}

// wantClose reads until the connection is closed, which must be with the code.
func (c *client) wantClose(code int) {
	c.t.Helper()
	for {
		_, _, err := c.ws.ReadMessage()
		if err == nil {
			continue
		}
		if closed, ok := errors.AsType[*websocket.CloseError](err); !ok || closed.Code != code {
			c.t.Errorf("closed with %v, want %d", err, code)
		}
		return
	}
}

func (c *client) init() {
	c.t.Helper()
	c.send(`{"type":"connection_init"}`)
	c.want(`"connection_ack"`)
}

func TestSocket(t *testing.T) {
	server, _, _ := newServer(t, nil)
	c := dial(t, server)
	c.send(`{"type":"ping","payload":{"a":1}}`)
	c.want(`{"type":"pong","payload":{"a":1}}`)
	c.init()
	c.send(`{"id":"1","type":"subscribe","payload":{"query":"subscription{count(to:2)}"}}`)
	c.want(`{"id":"1","type":"next","payload":{"data":{"count":1}}}`)
	c.want(`{"id":"1","type":"next","payload":{"data":{"count":2}}}`)
	c.want(`{"id":"1","type":"complete"}`)
	c.send(`{"id":"1","type":"subscribe","payload":{"query":"mutation($v:String!){set(value:$v)}","variables":{"v":"x"}}}`)
	c.want(`"set":"x"`)
	c.want(`"complete"`)
	for _, query := range []string{"{nothing}", "{", "{items(first:500){nodes{items{nodes{id}}}}}"} {
		c.send(fmt.Sprintf(`{"id":"2","type":"subscribe","payload":{"query":%q}}`, query))
		c.want(`{"id":"2","type":"error","payload":[{`)
	}
	// An error is the last message of its operation: the id is free, and the next message is another's.
	c.send(`{"id":"2","type":"subscribe","payload":{"query":"{hello}"}}`)
	c.want(`{"id":"2","type":"next","payload":{"data":{"hello":"hello"}}}`)
	c.want(`{"id":"2","type":"complete"}`)
}

func TestSocketStopsWhatTheClientCompletes(t *testing.T) {
	var ended atomic.Int32
	server, _, _ := newServer(t, func(c *serve.Config) {
		c.Observe = func(context.Context, serve.Observation) { ended.Add(1) }
	})
	c := dial(t, server)
	c.init()
	c.send(`{"id":"1","type":"subscribe","payload":{"query":"subscription{open}"}}`)
	c.want(`"open":"open"`)
	c.send(`{"id":"1","type":"complete"}`)
	c.send(`{"id":"unknown","type":"complete"}`)
	eventually(t, "the operation ends", func() bool { return ended.Load() == 1 })
	c.send(`{"type":"ping"}`)
	c.want(`{"type":"pong"}`) // and no complete before it
	c.send(`{"id":"2","type":"subscribe","payload":{"query":"subscription{open}"}}`)
	c.want(`"open":"open"`)
	_ = c.ws.Close()
	eventually(t, "the other ends with the connection", func() bool { return ended.Load() == 2 })
}

func TestSocketClosesOnAbuse(t *testing.T) {
	server, _, _ := newServer(t, func(c *serve.Config) {
		c.Limits.BodyBytes = 1000
		c.Stream.InitTimeout = 50 * time.Millisecond
	})
	open := `{"id":"1","type":"subscribe","payload":{"query":"subscription{open}"}}`
	for _, c := range []struct {
		name  string
		init  bool
		sends []string
		code  int
	}{
		{"silence", false, nil, 4408},
		{"pings only", false, []string{`{"type":"ping"}`}, 4408},
		{"subscribe before init", false, []string{open}, 4401},
		{"init twice", true, []string{`{"type":"connection_init"}`}, 4429},
		{"an id twice", true, []string{open, open}, 4409},
		{"no JSON", true, []string{`{`}, 4400},
		{"no type", true, []string{`{}`}, 4400},
		{"a server's message", true, []string{`{"id":"1","type":"next"}`}, 4400},
		{"the legacy protocol", true, []string{`{"id":"1","type":"start","payload":{"query":"{hello}"}}`}, 4400},
		{"no id", true, []string{`{"type":"subscribe","payload":{"query":"{hello}"}}`}, 4400},
		{"no payload", true, []string{`{"id":"1","type":"subscribe"}`}, 4400},
		{"a batch", true, []string{`{"id":"1","type":"subscribe","payload":[]}`}, 4400},
		{"no query", true, []string{`{"id":"1","type":"subscribe","payload":{"query":7}}`}, 4400},
		{"a long id", true, []string{`{"id":"` + strings.Repeat("x", 129) + `","type":"complete"}`, `{"id":"` + strings.Repeat("x", 129) + `","type":"subscribe","payload":{"query":"{hello}"}}`}, 4400},
		{"a payload of init that is no object", false, []string{`{"type":"connection_init","payload":[1]}`}, 4400},
		{"too large", true, []string{`{"type":"ping","payload":{"x":"` + strings.Repeat("x", 2000) + `"}}`}, 1009},
	} {
		t.Run(c.name, func(t *testing.T) {
			socket := dial(t, server)
			if c.init {
				socket.init()
			}
			for _, m := range c.sends {
				socket.send(m)
			}
			socket.wantClose(c.code)
		})
	}
	t.Run("binary", func(t *testing.T) {
		socket := dial(t, server)
		if err := socket.ws.WriteMessage(websocket.BinaryMessage, []byte(`{"type":"connection_init"}`)); err != nil {
			t.Fatal(err)
		}
		socket.wantClose(4400)
	})
	t.Run("another subprotocol", func(t *testing.T) { dial(t, server, "graphql-ws").wantClose(4406) })
}

func TestSocketBoundsItsOperations(t *testing.T) {
	server, _, _ := newServer(t, func(c *serve.Config) { c.Stream.Operations = 2 })
	c := dial(t, server)
	c.init()
	for id := range 2 {
		c.send(fmt.Sprintf(`{"id":"%d","type":"subscribe","payload":{"query":"subscription{open}"}}`, id))
		c.want(`"open":"open"`)
	}
	c.send(`{"id":"x","type":"subscribe","payload":{"query":"subscription{open}"}}`)
	c.want(`RATE_LIMITED`)
	c.send(`{"type":"ping"}`)
	c.want(`"pong"`) // the connection stands
}

type credential struct{}

func TestSocketTakesItsCredentialFromInit(t *testing.T) {
	revoked := make(chan struct{})
	server, logged, _ := newServer(t, func(c *serve.Config) {
		c.Stream.OnConnect = func(ctx context.Context, payload map[string]any) (context.Context, error) {
			switch payload["token"] {
			case "good":
				return context.WithValue(ctx, credential{}, "good"), nil
			case "broken":
				return nil, errors.New("pq: secret_table")
			}
			return nil, fault.New(fault.Unauthenticated, "sign in first")
		}
		c.Stream.Revoked = func(ctx context.Context) <-chan struct{} {
			if ctx.Value(credential{}) == "good" {
				return revoked
			}
			return nil
		}
	})
	c := dial(t, server)
	c.send(`{"type":"connection_init"}`)
	c.wantClose(4403)
	c = dial(t, server)
	c.send(`{"type":"connection_init","payload":{"token":"broken"}}`)
	c.wantClose(4500)
	if !strings.Contains(logged.String(), "secret_table") {
		t.Error("the reason is not logged")
	}
	c = dial(t, server)
	c.send(`{"type":"connection_init","payload":{"token":"good"}}`)
	c.want("connection_ack")
	c.send(`{"id":"1","type":"subscribe","payload":{"query":"subscription{open}"}}`)
	c.want(`"open":"open"`)
	close(revoked)
	c.wantClose(4403)
}

func TestSocketPingsAndGivesUp(t *testing.T) {
	var ended atomic.Int32
	server, _, _ := newServer(t, func(c *serve.Config) {
		c.Stream.KeepAlive = 250 * time.Millisecond // longer than a busy machine holds an answer back
		c.Observe = func(context.Context, serve.Observation) { ended.Add(1) }
	})
	c := dial(t, server)
	c.init()
	c.send(`{"id":"1","type":"subscribe","payload":{"query":"subscription{open}"}}`)
	c.want(`"open":"open"`)
	var pings atomic.Int32
	answer := c.ws.PingHandler()
	c.ws.SetPingHandler(func(data string) error {
		if pings.Add(1) > 3 {
			return nil // falls silent
		}
		return answer(data)
	})
	c.wantClose(1000)
	if pings.Load() <= 3 {
		t.Errorf("closed although %d pings were answered", pings.Load())
	}
	eventually(t, "the operation ends", func() bool { return ended.Load() == 1 })
}

func TestSocketTimesOutAQuery(t *testing.T) {
	server, _, _ := newServer(t, func(c *serve.Config) { c.Timeout = 30 * time.Millisecond })
	c := dial(t, server)
	c.init()
	c.send(`{"id":"1","type":"subscribe","payload":{"query":"{wait}"}}`)
	c.want("UNAVAILABLE")
}

func TestSocketOrigins(t *testing.T) {
	server, _, _ := newServer(t, func(c *serve.Config) { c.Stream.Origins = []string{"https://console.example"} })
	for origin, allowed := range map[string]bool{
		"": true, server.URL: true, "https://console.example": true,
		"https://evil.example": false, "http://console.example": false, "null": false, "https://console.example.evil": false,
	} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
		ws, response, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http"), header)
		if ws != nil {
			_ = ws.Close()
		}
		if (err == nil) != allowed || !allowed && response.StatusCode != http.StatusForbidden {
			t.Errorf("%q: %v", origin, err)
		}
		if response != nil {
			_ = response.Body.Close()
		}
	}
}
