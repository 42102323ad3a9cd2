// Package serve is everything between net/http and an executable GraphQL
// schema: the wire (GraphQL over HTTP, server-sent events, WebSocket), the
// limits that keep a hostile document cheap, and the shape of errors. It knows
// nothing of entities, tenants or resolvers.
package serve

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/gorilla/websocket"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// Server serves one schema at one path. It is safe for concurrent use.
type Server struct {
	config   Config
	exec     *executor.Executor
	upgrader websocket.Upgrader

	// life ends, with a cause, when the server shuts down; every stream hangs on it.
	life    context.Context
	end     context.CancelCauseFunc
	mu      sync.Mutex
	closed  bool
	streams sync.WaitGroup
}

// New returns a server for a schema. It fails for a configuration that
// [Config.Validate] refuses, and for an extension that refuses the schema.
func New(es graphql.ExecutableSchema, config Config) (*Server, error) {
	config = config.withDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	documents := newDocumentCache(config.Limits.CachedDocuments)
	s := &Server{config: config, exec: executor.New(es)}
	s.life, s.end = context.WithCancelCause(context.Background())
	s.upgrader = s.newUpgrader()

	s.exec.SetQueryCache(documents)
	s.exec.SetParserTokenLimit(config.Limits.Tokens)
	s.exec.SetDisableSuggestion(!config.Introspection)
	present := presenter{config: config, schema: es.Schema()}
	s.exec.SetErrorPresenter(present.present)
	s.exec.SetRecoverFunc(present.recovered)

	extensions := []graphql.HandlerExtension{
		newPersistedQueries(config.Limits.PersistedQueries),
		shapeCheck{limits: config.Limits, introspection: config.Introspection, cache: documents},
		operationCheck{limits: config.Limits, introspection: config.Introspection, schema: es},
	}
	for _, extension := range append(extensions, config.Around...) {
		if err := extension.Validate(es); err != nil {
			return nil, fmt.Errorf("serve: extension %s: %w", extension.ExtensionName(), err)
		}
		s.exec.Use(extension)
	}
	return s, nil
}

// ServeHTTP answers one request, or holds one stream.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares this very value
			panic(p)
		}
		s.config.Log.ErrorContext(r.Context(), "graphql transport panicked",
			"panic", p, "stack", string(debug.Stack()), "request_id", s.config.RequestID(r.Context()))
		s.refuse(w, r, http.StatusInternalServerError, fault.New(fault.Internal, internalMessage))
	}()
	if websocket.IsWebSocketUpgrade(r) {
		s.serveSocket(w, r)
		return
	}
	s.serveHTTP(w, r)
}

// Shutdown ends every stream, refuses new ones, and waits until they are gone
// or the context is done. Requests in flight are net/http's to drain.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end(errShutdown)
	gone := make(chan struct{})
	go func() {
		s.streams.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("serve: streams still open: %w", ctx.Err())
	}
}
