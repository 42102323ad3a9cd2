package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// NewLogger returns a logger that adds to every record what its context knows:
// request id, organization, operation and trace id. Level is debug, info, warn
// or error; format is text or json.
func NewLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("telemetry: log level %q is not known", level)
	}
	options := &slog.HandlerOptions{Level: least}
	switch format {
	case "text":
		return slog.New(contextHandler{slog.NewTextHandler(w, options)}), nil
	case "json":
		return slog.New(contextHandler{slog.NewJSONHandler(w, options)}), nil
	default:
		return nil, fmt.Errorf("telemetry: log format %q is not known", format)
	}
}

type contextHandler struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h contextHandler) Handle(ctx context.Context, record slog.Record) error {
	var attrs []slog.Attr
	if r := requestFrom(ctx); r != nil {
		organization, operation := r.names()
		attrs = appendNamed(attrs, "request_id", r.id)
		attrs = appendNamed(attrs, "organization", organization)
		attrs = appendNamed(attrs, "operation", operation)
	}
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		attrs = append(attrs, slog.String("trace_id", span.TraceID().String()))
	}
	if len(attrs) > 0 {
		record = record.Clone() // others may share its attributes
		record.AddAttrs(attrs...)
	}
	return h.Handler.Handle(ctx, record)
}

func appendNamed(attrs []slog.Attr, name, value string) []slog.Attr {
	if value == "" {
		return attrs
	}
	return append(attrs, slog.String(name, value))
}

// WithAttrs implements [slog.Handler].
func (h contextHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return contextHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler]. What the context adds then belongs to
// the group, too.
func (h contextHandler) WithGroup(name string) slog.Handler {
	return contextHandler{h.Handler.WithGroup(name)}
}
