package serve

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"runtime/debug"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// The messages of graphql-transport-ws.
const (
	typeConnectionInit = "connection_init"
	typeConnectionAck  = "connection_ack"
	typeSubscribe      = "subscribe"
	typeNext           = "next"
	typeError          = "error"
	typeComplete       = "complete"
	typePing           = "ping"
	typePong           = "pong"
)

// messageIDBytes bounds the id that a client gives an operation.
const messageIDBytes = 128

type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// running is an operation that the client has started and not completed.
type running struct{ cancel context.CancelFunc }

// read returns the next message, or closes the connection for one that is none.
func (c *socket) read() (message, bool) {
	kind, raw, err := c.ws.ReadMessage()
	if err != nil {
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			c.close(websocket.CloseNormalClosure, "No answer to pings")
		}
		return message{}, false
	}
	m, ok := parseMessage(kind, raw)
	if !ok {
		c.close(closeBadRequest, "Invalid message")
	}
	return m, ok
}

func parseMessage(kind int, raw []byte) (message, bool) {
	var m message
	if kind != websocket.TextMessage || json.Unmarshal(raw, &m) != nil {
		return message{}, false
	}
	if string(m.Payload) == "null" {
		m.Payload = nil
	}
	switch m.Type {
	case typeConnectionInit, typePing, typePong:
		return m, true
	case typeSubscribe:
		return m, m.ID != "" && len(m.ID) <= messageIDBytes && m.Payload != nil
	case typeComplete:
		return m, m.ID != ""
	}
	return message{}, false
}

// subscribe starts an operation. It reports whether the connection goes on.
func (c *socket) subscribe(ctx context.Context, m message) bool {
	params, refused := readJSON(m.Payload)
	if refused != nil {
		c.close(closeBadRequest, "Invalid message: "+refused.err.Message)
		return false
	}
	params.Headers = c.header

	opCtx, cancel := context.WithCancel(ctx)
	self := &running{cancel: cancel}
	c.mu.Lock()
	_, duplicate := c.running[m.ID]
	full := c.count >= c.s.config.Stream.Operations
	if !duplicate && !full {
		c.running[m.ID] = self
		c.count++
	}
	c.mu.Unlock()
	switch {
	case duplicate:
		cancel()
		c.close(closeDuplicate, "Subscriber for "+m.ID+" already exists")
		return false
	case full:
		cancel()
		return c.refuse(ctx, m.ID, fault.New(fault.RateLimited,
			"at most %d operations run at once on a connection", c.s.config.Stream.Operations))
	}
	c.operations.Go(func() {
		defer func() {
			cancel()
			c.mu.Lock()
			c.count--
			if c.running[m.ID] == self {
				delete(c.running, m.ID)
			}
			c.mu.Unlock()
		}()
		c.run(opCtx, m.ID, self, params)
	})
	return true
}

// run executes an operation and sends what it yields, until it ends or the
// client has completed it.
func (c *socket) run(ctx context.Context, id string, self *running, params *graphql.RawParams) {
	defer func() {
		if p := recover(); p != nil {
			c.s.config.Log.ErrorContext(ctx, "websocket operation panicked",
				"panic", p, "stack", string(debug.Stack()), "request_id", c.s.config.RequestID(ctx))
			c.refuse(ctx, id, panicked{})
		}
	}()
	limited, release := context.WithTimeout(ctx, c.s.config.Timeout)
	defer release()
	op := c.s.prepare(limited, params)
	defer op.observe()
	if op.refused != nil {
		op.note(op.refused)
		if c.release(id, self) {
			c.send(message{ID: id, Type: typeError, Payload: marshal(op.refused.Errors)})
		}
		return
	}
	if op.kind() == ast.Subscription {
		op.ctx = graphql.WithOperationContext(graphql.StartOperationTrace(ctx), op.op) // it outlives the timeout
	}
	sent := false
	op.each(func(response *graphql.Response) bool {
		if !c.owns(id, self) {
			return false
		}
		sent = true
		return c.send(message{ID: id, Type: typeNext, Payload: encode(response)})
	})
	switch {
	case !c.release(id, self):
	case !sent && errors.Is(op.ctx.Err(), context.DeadlineExceeded):
		c.refuse(op.ctx, id, fault.New(fault.Unavailable, timeoutMessage))
	default:
		c.send(message{ID: id, Type: typeComplete})
	}
}

// refuse ends an operation with an error.
func (c *socket) refuse(ctx context.Context, id string, err error) bool {
	if !graphql.HasOperationContext(ctx) { // extensions may rely on one
		ctx = graphql.WithOperationContext(ctx, &graphql.OperationContext{Headers: c.header})
	}
	response := c.s.exec.DispatchError(ctx, gqlerror.List{refusal(err)})
	return c.send(message{ID: id, Type: typeError, Payload: marshal(response.Errors)})
}

// owns reports whether the client still waits for this operation.
func (c *socket) owns(id string, self *running) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running[id] == self
}

// release gives the id back, and reports whether the operation still held it:
// who does sends the last message.
func (c *socket) release(id string, self *running) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running[id] != self {
		return false
	}
	delete(c.running, id)
	return true
}

// forget is the client completing an operation.
func (c *socket) forget(id string) {
	c.mu.Lock()
	self := c.running[id]
	delete(c.running, id)
	c.mu.Unlock()
	if self != nil {
		self.cancel()
	}
}
