package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// Config is what a server is told. Log and Clock are required; the zero value
// of everything else means the default named beside it.
type Config struct {
	Log   *slog.Logger
	Clock func() time.Time

	// RequestID reads the id of the request that a context belongs to; it is
	// shown in errors and logged with them. Default: none.
	RequestID func(context.Context) string
	// Observe is told of every operation that ended. Default: nobody.
	Observe func(context.Context, Observation)
	// Around are further extensions, run after this package's own checks.
	Around []graphql.HandlerExtension

	// Introspection opens __schema and __type, and suggestions in errors.
	Introspection bool
	// Timeout bounds a query or mutation. Default 30 seconds.
	Timeout time.Duration
	// Uploads accepts multipart/form-data up to Limits.UploadBytes, from
	// requests that carry PreflightHeader.
	Uploads bool

	Limits Limits
	Stream Stream
}

// Limits bound what one request may ask for.
type Limits struct {
	BodyBytes   int64 // of a JSON body or a WebSocket message. Default 1 MiB
	UploadBytes int64 // of a multipart body. Default 32 MiB

	Tokens     int // in a document. Default 2,000
	Depth      int // of fields; introspection has its own. Default 12
	Aliases    int // after fragments are expanded, like the next three. Default 30
	RootFields int // Default 20
	Directives int // Default 30
	Fields     int // Default 1,000

	// Cost of an operation: every field 1, a connection 1 + page × child, a
	// list by ids 1 + ids × child. Default 20,000: a page of 500 rows × 30
	// fields costs 16,000, 20 organizations × 50 devices × 10 fields 12,000.
	Cost int
	// Page is the size of a page when neither first nor last is given, MaxPage
	// the largest that may be asked for. Default 50 and 500.
	Page, MaxPage int

	CachedDocuments  int // parsed and validated, least recently used go. Default 1,000
	PersistedQueries int // automatic persisted queries kept. Default 1,000
}

// Stream configures what stays open: server-sent events and WebSocket.
type Stream struct {
	// KeepAlive is the interval of pings; a WebSocket silent for two of them
	// is closed. Default 15 seconds.
	KeepAlive time.Duration
	// WriteTimeout bounds one write to a client that does not read. Default 10 seconds.
	WriteTimeout time.Duration
	// InitTimeout is how long a WebSocket may stay without connection_init. Default 5 seconds.
	InitTimeout time.Duration
	// Operations run at once on one WebSocket. Default 50.
	Operations int
	// Origins, such as https://console.example, that may open a WebSocket
	// beside the server's own.
	Origins []string
	// OnConnect turns the payload of connection_init (nil if it has none) into
	// the context of every operation on the socket, which must derive from ctx; an error refuses the
	// socket. Default: the request's context.
	OnConnect func(ctx context.Context, payload map[string]any) (context.Context, error)
	// Revoked returns a channel that is closed once the context's credential
	// no longer holds, which ends the stream. Called once per stream, after
	// OnConnect; a nil channel never ends it. Default: never.
	Revoked func(context.Context) <-chan struct{}
}

// Observation is one operation that ended, as metrics want it.
type Observation struct {
	Operation string // the name the client gave: unbounded, so no label; may be empty
	Kind      string // query, mutation, subscription, or empty if it was never known
	Duration  time.Duration
	Codes     []fault.Code // of its errors, in order; empty if all went well
}

// Validate reports what is missing or senseless.
func (c Config) Validate() error {
	if c.Log == nil || c.Clock == nil {
		return errors.New("serve: a logger and a clock are required")
	}
	l := c.Limits
	for name, n := range map[string]int{
		"tokens": l.Tokens, "depth": l.Depth, "aliases": l.Aliases, "root fields": l.RootFields,
		"directives": l.Directives, "fields": l.Fields, "cost": l.Cost, "page": l.Page,
		"cached documents": l.CachedDocuments, "persisted queries": l.PersistedQueries,
		"operations per socket": c.Stream.Operations, "body bytes": int(l.BodyBytes), "upload bytes": int(l.UploadBytes),
		"timeout": int(c.Timeout), "keep-alive": int(c.Stream.KeepAlive),
		"write timeout": int(c.Stream.WriteTimeout), "init timeout": int(c.Stream.InitTimeout),
	} {
		if n < 0 {
			return fmt.Errorf("serve: the limit of %s is negative", name)
		}
	}
	if l.MaxPage != 0 && l.MaxPage < l.Page {
		return fmt.Errorf("serve: the largest page, %d, is smaller than the default page, %d", l.MaxPage, l.Page)
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.RequestID == nil {
		c.RequestID = func(context.Context) string { return "" }
	}
	if c.Observe == nil {
		c.Observe = func(context.Context, Observation) {}
	}
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)

	l := &c.Limits
	l.BodyBytes = cmp.Or(l.BodyBytes, 1<<20)
	l.UploadBytes = cmp.Or(l.UploadBytes, 32<<20)
	l.Tokens = cmp.Or(l.Tokens, 2000)
	l.Depth = cmp.Or(l.Depth, 12)
	l.Aliases = cmp.Or(l.Aliases, 30)
	l.RootFields = cmp.Or(l.RootFields, 20)
	l.Directives = cmp.Or(l.Directives, 30)
	l.Fields = cmp.Or(l.Fields, 1000)
	l.Cost = cmp.Or(l.Cost, 20_000)
	l.Page = cmp.Or(l.Page, 50)
	l.MaxPage = cmp.Or(l.MaxPage, 500)
	l.CachedDocuments = cmp.Or(l.CachedDocuments, 1000)
	l.PersistedQueries = cmp.Or(l.PersistedQueries, 1000)

	st := &c.Stream
	st.KeepAlive = cmp.Or(st.KeepAlive, 15*time.Second)
	st.WriteTimeout = cmp.Or(st.WriteTimeout, 10*time.Second)
	st.InitTimeout = cmp.Or(st.InitTimeout, 5*time.Second)
	st.Operations = cmp.Or(st.Operations, 50)
	if st.OnConnect == nil {
		st.OnConnect = func(ctx context.Context, _ map[string]any) (context.Context, error) { return ctx, nil }
	}
	if st.Revoked == nil {
		st.Revoked = func(context.Context) <-chan struct{} { return nil }
	}
	return c
}
