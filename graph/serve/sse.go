package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// serveEvents answers with server-sent events: the distinct connections mode
// of the GraphQL over SSE protocol. What is wrong with the document is an
// event too, since the client asked for nothing else.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request, params *graphql.RawParams) {
	ctx, cancel, leave, admitted := s.enter(r.Context())
	if !admitted {
		s.refuse(w, r, http.StatusServiceUnavailable, fault.New(fault.Unavailable, "the server shuts down"))
		return
	}
	defer leave()
	s.watch(ctx, cancel)

	prepareCtx, prepared := context.WithTimeout(ctx, s.config.Timeout)
	defer prepared()
	op := s.prepare(prepareCtx, params)
	if op.kind() == ast.Subscription {
		op.ctx = graphql.WithOperationContext(graphql.StartOperationTrace(ctx), op.op) // a subscription outlives the timeout
	}
	if r.Method == http.MethodGet && op.refused == nil && op.kind() == ast.Mutation {
		op.observe()
		s.refuseMutation(w, r)
		return
	}
	// Begun before the answer: a client that reads the status has subscribed.
	op.begin()
	events := &eventWriter{w: w, control: http.NewResponseController(w), timeout: s.config.Stream.WriteTimeout}
	if !events.open() {
		op.observe()
		cancel(errSlow)
		return
	}
	s.pump(op, events, cancel)

	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errRevoked):
		response := s.exec.DispatchError(op.ctx, gqlerror.List{refusal(fault.New(fault.Unauthenticated, "the credential no longer holds"))})
		op.note(response)
		_ = events.next(response) && events.complete()
	case errors.Is(op.ctx.Err(), context.DeadlineExceeded):
		response := s.exec.DispatchError(op.ctx, gqlerror.List{refusal(fault.New(fault.Unavailable, timeoutMessage))})
		op.note(response)
		_ = events.next(response) && events.complete()
	case cause == nil:
		events.complete()
	default: // no complete: on a shutdown the client then comes back, to another replica
	}
	op.observe()
}

// pump writes every response as an event, with keep-alives between them.
func (s *Server) pump(op *operation, events *eventWriter, cancel context.CancelCauseFunc) {
	var pinging sync.WaitGroup
	defer pinging.Wait()
	finished := make(chan struct{})
	defer close(finished)
	pinging.Go(func() { events.keepAlive(s.config.Stream.KeepAlive, finished, cancel) })
	op.each(func(response *graphql.Response) bool {
		if !events.next(response) {
			cancel(errSlow)
			return false
		}
		return true
	})
}

// eventWriter writes events, each whole and within the write timeout.
type eventWriter struct {
	mu      sync.Mutex
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (e *eventWriter) open() bool {
	header := e.w.Header()
	header.Set("Content-Type", eventStream+"; charset=utf-8")
	header.Set("Cache-Control", "no-cache, no-store, no-transform")
	header.Set("X-Accel-Buffering", "no") // nginx would hold events back
	header.Set("X-Content-Type-Options", "nosniff")
	// The server's read timeout would end the stream; a recorder has none.
	_ = e.control.SetReadDeadline(time.Time{})
	e.w.WriteHeader(http.StatusOK)
	return e.write([]byte(":\n\n"))
}

func (e *eventWriter) next(response *graphql.Response) bool {
	var event bytes.Buffer
	event.WriteString("event: next\ndata: ")
	// A scalar may have written a line break, which would end the event.
	if err := json.Compact(&event, encode(response)); err != nil {
		panic(err) // a scalar that writes no JSON: a defect, logged as one
	}
	event.WriteString("\n\n")
	return e.write(event.Bytes())
}

// complete carries data because EventSource drops an event without it.
func (e *eventWriter) complete() bool { return e.write([]byte("event: complete\ndata: \n\n")) }

func (e *eventWriter) write(b []byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_ = e.control.SetWriteDeadline(time.Now().Add(e.timeout)) // of the socket, so in real time
	if _, err := e.w.Write(b); err != nil {
		return false
	}
	return e.control.Flush() == nil
}

func (e *eventWriter) keepAlive(every time.Duration, finished <-chan struct{}, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-finished:
			return
		case <-ticker.C:
			if !e.write([]byte(":\n\n")) {
				cancel(errSlow)
				return
			}
		}
	}
}
