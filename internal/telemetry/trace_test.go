package telemetry_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/bailiwick/bailiwick/internal/telemetry"
)

// newCollector is an OTLP/HTTP collector on loopback; spans are the names of
// those that it has received.
func newCollector(t *testing.T) (url string, spans func() []string) {
	t.Helper()
	var (
		mu    sync.Mutex
		names []string
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
			t.Errorf("%s: not an export", r.URL.Path)
		}
		if bytes.Contains(body, []byte("hunter2")) {
			t.Error("a credential was traced")
		}
		mu.Lock()
		defer mu.Unlock()
		for _, r := range request.GetResourceSpans() {
			for _, s := range r.GetScopeSpans() {
				for _, span := range s.GetSpans() {
					names = append(names, span.GetName())
				}
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return names
	}
}

func TestTracesReachTheCollector(t *testing.T) {
	url, spans := newCollector(t)
	var log bytes.Buffer
	logger, err := telemetry.NewLogger(&log, "info", "text")
	require.NoError(t, err)
	tracing, err := telemetry.NewTracing(t.Context(), telemetry.TraceConfig{Endpoint: url, Ratio: 1, Logger: logger})
	require.NoError(t, err)

	vendor := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Traceparent") != "" {
			t.Error("the trace was passed on")
		}
	}))
	defer vendor.Close()
	client := &http.Client{Transport: tracing.Transport(http.DefaultTransport)}
	handler := tracing.HTTP("POST /graphql", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		logger.InfoContext(r.Context(), "traced")
		out, err := http.NewRequestWithContext(r.Context(), http.MethodGet, vendor.URL+"/x?api_key=hunter2", nil)
		if err != nil {
			t.Error(err)
			return
		}
		response, err := client.Do(out)
		if err != nil {
			t.Error(err)
			return
		}
		_ = response.Body.Close()
	}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/graphql?token=hunter2", nil))
	require.NoError(t, tracing.Shutdown(t.Context()))
	require.ElementsMatch(t, []string{"POST /graphql", "HTTP GET"}, spans())
	require.Contains(t, log.String(), "trace_id=")
}

func TestWithoutAnEndpointNothingIsSent(t *testing.T) {
	tracing, err := telemetry.NewTracing(t.Context(), telemetry.TraceConfig{Ratio: 1, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	_, span := tracing.Tracer("x").Start(t.Context(), "x")
	require.False(t, span.IsRecording())
	require.NoError(t, tracing.Shutdown(t.Context()))
}

func TestTraceFailureIsLogged(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
	}))
	defer refusing.Close()
	var log bytes.Buffer
	tracing, err := telemetry.NewTracing(t.Context(), telemetry.TraceConfig{
		Endpoint: refusing.URL, Ratio: 1, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.NoError(t, err)
	_, span := tracing.Tracer("x").Start(t.Context(), "x")
	span.End()
	require.NoError(t, tracing.Shutdown(t.Context()))
	require.Contains(t, log.String(), "traces not sent")
}

func TestTraceConfigIsChecked(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	for _, config := range []telemetry.TraceConfig{
		{}, {Ratio: 2, Logger: logger}, {Endpoint: "localhost:4318", Logger: logger}, {Endpoint: "ftp://x", Logger: logger},
	} {
		_, err := telemetry.NewTracing(t.Context(), config)
		require.Error(t, err)
	}
}
