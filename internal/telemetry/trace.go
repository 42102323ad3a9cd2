package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// TraceConfig says where traces go. Without an endpoint there are none.
type TraceConfig struct {
	Endpoint string  // URL of an OTLP/HTTP collector; without a path, /v1/traces
	Ratio    float64 // share of requests to trace, 0 to 1
	Version  string  // of this program
	Logger   *slog.Logger
}

// Validate reports what is missing or wrong.
func (c TraceConfig) Validate() error {
	if c.Logger == nil {
		return errors.New("telemetry: tracing without a logger")
	}
	if c.Ratio < 0 || c.Ratio > 1 {
		return errors.New("telemetry: trace ratio must lie between 0 and 1")
	}
	return nil
}

// Tracing makes spans and sends them.
type Tracing struct {
	provider trace.TracerProvider
	shutdown func(context.Context) error
	on       bool // whether spans go anywhere
}

// NewTracing starts tracing. A collector that cannot be reached is logged and
// never disturbs a request.
func NewTracing(ctx context.Context, config TraceConfig) (*Tracing, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if config.Endpoint == "" {
		return &Tracing{provider: noop.NewTracerProvider(), shutdown: func(context.Context) error { return nil }}, nil
	}
	endpoint, err := tracesURL(config.Endpoint)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx,
		otlptracehttp.WithEndpointURL(endpoint), otlptracehttp.WithTimeout(10*time.Second))
	if err != nil {
		return nil, fmt.Errorf("telemetry: trace exporter: %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(loggingExporter{exporter, config.Logger}),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(config.Ratio))),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "bailiwick"),
			attribute.String("service.version", config.Version))),
	)
	return &Tracing{provider: provider, shutdown: provider.Shutdown, on: true}, nil
}

func tracesURL(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", errors.New("telemetry: trace endpoint must be an http or https URL")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	return u.String(), nil
}

// Tracer returns a tracer for a package.
func (t *Tracing) Tracer(name string) trace.Tracer { return t.provider.Tracer(name) }

// Shutdown sends what is left and ends tracing.
func (t *Tracing) Shutdown(ctx context.Context) error {
	if err := t.shutdown(ctx); err != nil {
		return fmt.Errorf("telemetry: end tracing: %w", err)
	}
	return nil
}

// HTTP traces a route. A trace that the caller sends along is linked, not
// joined: otherwise any client could decide what is sampled. Without a collector
// a request is spared what describing it takes.
func (t *Tracing) HTTP(route string, next http.Handler) http.Handler {
	if !t.on {
		return next
	}
	return otelhttp.NewHandler(next, route,
		otelhttp.WithTracerProvider(t.provider),
		otelhttp.WithMeterProvider(metricnoop.NewMeterProvider()), // Prometheus has them
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithSpanNameFormatter(func(route string, _ *http.Request) string { return route }),
		otelhttp.WithPublicEndpointFn(func(*http.Request) bool { return true }))
}

// Transport traces outgoing requests. Unlike otelhttp's it keeps the URL to
// itself, whose path and query may hold credentials, and does not pass the
// trace on: what is called belongs to others.
func (t *Tracing) Transport(base http.RoundTripper) http.RoundTripper {
	return transport{base, t.Tracer("bailiwick/http")}
}

type transport struct {
	base   http.RoundTripper
	tracer trace.Tracer
}

// RoundTrip implements [http.RoundTripper]. The span ends with the headers.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, span := t.tracer.Start(r.Context(), "HTTP "+r.Method, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(
			attribute.String("http.request.method", r.Method),
			attribute.String("server.address", r.URL.Host)))
	defer span.End()
	response, err := t.base.RoundTrip(r.WithContext(ctx))
	if err != nil {
		span.SetStatus(codes.Error, "no response") // the error may quote the URL
		return nil, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", response.StatusCode))
	if response.StatusCode >= http.StatusBadRequest {
		span.SetStatus(codes.Error, "")
	}
	return response, nil
}

// loggingExporter logs failures where the SDK would hand them to a handler that
// is global to the process.
type loggingExporter struct {
	sdktrace.SpanExporter
	logger *slog.Logger
}

// ExportSpans implements [sdktrace.SpanExporter].
func (e loggingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		e.logger.WarnContext(ctx, "traces not sent", "error", err, "spans", len(spans))
	}
	return nil
}
