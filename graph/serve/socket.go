package serve

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/bailiwick/bailiwick/internal/fault"
)

const subprotocol = "graphql-transport-ws"

// The close codes of graphql-transport-ws.
const (
	closeBadRequest    = 4400
	closeUnauthorized  = 4401
	closeForbidden     = 4403
	closeSubprotocol   = 4406
	closeInitTimeout   = 4408
	closeDuplicate     = 4409
	closeTooManyInits  = 4429
	closeInternalError = 4500
)

func (s *Server) newUpgrader() websocket.Upgrader {
	return websocket.Upgrader{
		Subprotocols: []string{subprotocol},
		CheckOrigin:  s.allowsOrigin,
		Error: func(w http.ResponseWriter, r *http.Request, status int, reason error) {
			code := fault.InvalidArgument
			if status == http.StatusForbidden {
				code = fault.Forbidden
			}
			s.refuse(w, r, status, fault.New(code, "the WebSocket handshake is refused").Wrap(reason))
		},
	}
}

// allowsOrigin refuses pages of other origins than the server's own and those
// configured: a browser sends a WebSocket's cookies wherever it was opened. A
// client that is no browser sends no origin.
func (s *Server) allowsOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || slices.ContainsFunc(s.config.Stream.Origins, func(o string) bool {
		return strings.EqualFold(strings.TrimSuffix(o, "/"), origin)
	}) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}

func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	ctx, cancel, leave, admitted := s.enter(r.Context())
	if !admitted {
		s.refuse(w, r, http.StatusServiceUnavailable, fault.New(fault.Unavailable, "the server shuts down"))
		return
	}
	defer leave()
	ws, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // answered by the upgrader
	}
	defer func() { _ = ws.Close() }()
	// net/http's deadlines stay on a connection that is taken over.
	_ = ws.NetConn().SetDeadline(time.Time{})

	c := &socket{s: s, ws: ws, header: r.Header, cancel: cancel, running: map[string]*running{}}
	if ws.Subprotocol() != subprotocol {
		c.close(closeSubprotocol, "Subprotocol not acceptable")
		return
	}
	ws.SetReadLimit(s.config.Limits.BodyBytes)
	c.serve(ctx)
}

// socket is one WebSocket connection.
type socket struct {
	s      *Server
	ws     *websocket.Conn
	header http.Header
	cancel context.CancelCauseFunc

	write      sync.Mutex // one writer at a time; guards closed too
	closed     bool
	mu         sync.Mutex
	running    map[string]*running // by the client's id
	count      int                 // operations that have not ended, also those completed by the client
	operations sync.WaitGroup
}

// serve reads messages until the connection ends. A refusal closes it with one
// of the protocol's codes.
func (c *socket) serve(ctx context.Context) {
	defer c.operations.Wait()
	defer c.cancel(context.Canceled)

	stop := context.AfterFunc(ctx, func() { c.closeFor(context.Cause(ctx)) })
	defer stop()
	ctx, ok := c.connect(ctx)
	if !ok {
		return
	}
	c.s.watch(ctx, c.cancel)

	patience := 2 * c.s.config.Stream.KeepAlive
	alive := func() { _ = c.ws.SetReadDeadline(time.Now().Add(patience)) } // of the socket, so in real time
	alive()
	c.ws.SetPongHandler(func(string) error { alive(); return nil })
	c.operations.Go(func() { c.ping(ctx) })
	for {
		m, ok := c.read()
		if !ok {
			return
		}
		alive()
		switch m.Type {
		case typeConnectionInit:
			c.close(closeTooManyInits, "Too many initialisation requests")
			return
		case typeSubscribe:
			if !c.subscribe(ctx, m) {
				return
			}
		case typeComplete:
			c.forget(m.ID)
		case typePing:
			if !c.send(message{Type: typePong, Payload: m.Payload}) {
				return
			}
		case typePong:
		}
	}
}

// connect waits for connection_init, within its timeout, and acknowledges it.
func (c *socket) connect(ctx context.Context) (context.Context, bool) {
	timer := time.AfterFunc(c.s.config.Stream.InitTimeout, func() {
		c.close(closeInitTimeout, "Connection initialisation timeout")
		_ = c.ws.Close()
	})
	defer timer.Stop()
	var init message
	for init.Type != typeConnectionInit {
		m, ok := c.read()
		if !ok {
			return nil, false
		}
		switch m.Type {
		case typeConnectionInit:
			init = m
		case typePing:
			if !c.send(message{Type: typePong, Payload: m.Payload}) {
				return nil, false
			}
		case typePong:
		default:
			c.close(closeUnauthorized, "Unauthorized")
			return nil, false
		}
	}
	if !timer.Stop() {
		return nil, false // the timeout has closed it
	}
	var payload map[string]any
	if len(init.Payload) > 0 && json.Unmarshal(init.Payload, &payload) != nil {
		c.close(closeBadRequest, "Invalid connection_init payload")
		return nil, false
	}
	ctx, ok := c.authorize(ctx, payload)
	return ctx, ok && c.send(message{Type: typeConnectionAck})
}

func (c *socket) authorize(ctx context.Context, payload map[string]any) (context.Context, bool) {
	connected, err := c.s.config.Stream.OnConnect(ctx, payload)
	if err == nil {
		return connected, true
	}
	if e, ok := errors.AsType[*fault.Error](err); ok && e.Code != fault.Internal {
		c.close(closeForbidden, e.Message)
		return nil, false
	}
	c.s.config.Log.ErrorContext(ctx, "websocket connect failed", "error", err, "request_id", c.s.config.RequestID(ctx))
	c.close(closeInternalError, "Internal error")
	return nil, false
}

// ping keeps the connection alive in the eyes of proxies, and finds out that
// the client is gone.
func (c *socket) ping(ctx context.Context) {
	ticker := time.NewTicker(c.s.config.Stream.KeepAlive)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(c.s.config.Stream.WriteTimeout)) != nil {
				c.cancel(errSlow)
				return
			}
		}
	}
}

// closeFor ends the connection for the reason its context ended.
func (c *socket) closeFor(cause error) {
	switch {
	case errors.Is(cause, errRevoked):
		c.close(closeForbidden, "The credential no longer holds")
	case errors.Is(cause, errShutdown):
		c.close(websocket.CloseGoingAway, "The server shuts down")
	default:
		c.close(websocket.CloseNormalClosure, "")
	}
	_ = c.ws.Close()
}

// close sends a close frame, once; nothing is sent after it.
func (c *socket) close(code int, reason string) {
	c.write.Lock()
	defer c.write.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	const frame = 123 // bytes of reason that a control frame can hold
	if len(reason) > frame {
		reason = strings.ToValidUTF8(reason[:frame], "")
	}
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason),
		time.Now().Add(c.s.config.Stream.WriteTimeout))
}

// send writes one message. It reports whether the connection still stands.
func (c *socket) send(m message) bool {
	b := marshal(m)
	c.write.Lock()
	defer c.write.Unlock()
	if c.closed {
		return false
	}
	_ = c.ws.SetWriteDeadline(time.Now().Add(c.s.config.Stream.WriteTimeout))
	if c.ws.WriteMessage(websocket.TextMessage, b) != nil {
		c.closed = true
		c.cancel(errSlow)
		return false
	}
	return true
}
