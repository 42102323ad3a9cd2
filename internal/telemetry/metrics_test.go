package telemetry_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/telemetry"
)

func scrape(t *testing.T, metrics *telemetry.Metrics) string {
	t.Helper()
	response := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, response.Code)
	return response.Body.String()
}

func TestHTTPMetrics(t *testing.T) {
	metrics := telemetry.NewMetrics("1.2.3")
	handler := metrics.HTTP("/devices/{id}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/devices/none" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	for _, path := range []string{"/devices/1", "/devices/2", "/devices/none"} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("BREW", "/devices/1", nil))
	page := scrape(t, metrics)
	const name = "bailiwick_http_request_duration_seconds_count"
	require.Contains(t, page, name+`{method="GET",route="/devices/{id}",status="2xx"} 2`)
	require.Contains(t, page, name+`{method="GET",route="/devices/{id}",status="4xx"} 1`)
	require.Contains(t, page, name+`{method="other",route="/devices/{id}",status="2xx"} 1`)
	require.Contains(t, page, `bailiwick_http_requests_open{route="/devices/{id}"} 0`)
	require.Contains(t, page, `bailiwick_build_info{version="1.2.3"} 1`)
	require.Contains(t, page, "go_goroutines")
}

func TestStreamsAreServedAndNotTimed(t *testing.T) {
	metrics := telemetry.NewMetrics("test")
	end := make(chan struct{})
	server := httptest.NewServer(metrics.HTTP("/graphql", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintln(w, "event: next")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("flush: %v", err)
		}
		<-end
	})))
	defer server.Close()
	response, err := server.Client().Get(server.URL)
	require.NoError(t, err)
	line, err := bufio.NewReader(response.Body).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "event: next\n", line)
	require.Contains(t, scrape(t, metrics), `bailiwick_http_requests_open{route="/graphql"} 1`)
	close(end)
	_, _ = io.Copy(io.Discard, response.Body)
	require.NoError(t, response.Body.Close())
	require.Eventually(t, func() bool {
		return strings.Contains(scrape(t, metrics), `bailiwick_http_requests_open{route="/graphql"} 0`)
	}, 10*time.Second, 5*time.Millisecond)
	require.NotContains(t, scrape(t, metrics), "bailiwick_http_request_duration_seconds_count")
}

func TestLabelsFromOutsideAreBounded(t *testing.T) {
	metrics := telemetry.NewMetrics("test")
	metrics.Operation("Alerts", "query", "", time.Millisecond)
	metrics.Operation("", "mutation", "NOT_FOUND", time.Millisecond)
	metrics.Operation("bad\nname", "query", "", time.Millisecond)
	metrics.Operation(strings.Repeat("x", 65), "query", "", time.Millisecond)
	for i := range 5000 {
		metrics.Operation(fmt.Sprintf("Junk%d", i), "query", "", time.Millisecond)
		metrics.Statement(fmt.Sprintf("JUNK%d x", i), time.Millisecond, nil)
		metrics.Job(fmt.Sprintf("junk_%d", i), time.Millisecond, nil)
	}
	metrics.Operation("Alerts", "query", "", time.Millisecond)
	page := scrape(t, metrics)
	const operation = "bailiwick_graphql_operation_duration_seconds_count"
	require.Contains(t, page, operation+`{code="OK",operation="Alerts",type="query"} 2`)
	require.Contains(t, page, operation+`{code="NOT_FOUND",operation="anonymous",type="mutation"} 1`)
	require.LessOrEqual(t, strings.Count(page, operation+"{"), 202)
	require.LessOrEqual(t, strings.Count(page, "bailiwick_job_duration_seconds_count{"), 201)
	require.Equal(t, 1, strings.Count(page, "bailiwick_sql_statement_duration_seconds_count{"))
}

func TestStatementsAndJobs(t *testing.T) {
	metrics := telemetry.NewMetrics("test")
	metrics.Statement("SELECT 1", time.Millisecond, nil)
	metrics.Statement("\n  select(1)", time.Millisecond, nil)
	metrics.Statement("INSERT INTO x", time.Millisecond, errors.New("x"))
	metrics.Statement("", time.Millisecond, nil)
	metrics.Job("deliver_ticket", time.Second, errors.New("x"))
	page := scrape(t, metrics)
	const statement = "bailiwick_sql_statement_duration_seconds_count"
	require.Contains(t, page, statement+`{outcome="ok",verb="SELECT"} 2`)
	require.Contains(t, page, statement+`{outcome="error",verb="INSERT"} 1`)
	require.Contains(t, page, statement+`{outcome="ok",verb="other"} 1`)
	require.Contains(t, page, `bailiwick_job_duration_seconds_count{kind="deliver_ticket",outcome="error"} 1`)
}
