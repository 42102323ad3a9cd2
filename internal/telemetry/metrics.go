package telemetry

import (
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/felixge/httpsnoop"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	// maxOperationNames and maxJobKinds bound the series that names from
	// outside can make; what comes later is counted as "other".
	maxOperationNames = 200
	maxJobKinds       = 200

	other = "other"
)

// Metrics are the process's Prometheus metrics, in a registry of their own. It
// is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	requests   *prometheus.HistogramVec
	open       *prometheus.GaugeVec
	operations *prometheus.HistogramVec
	statements *prometheus.HistogramVec
	jobs       *prometheus.HistogramVec
	enrolments *prometheus.CounterVec

	operationNames *names
	jobKinds       *names
}

// NewMetrics returns the metrics; version is this program's.
func NewMetrics(version string) *Metrics {
	fast := []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}
	slow := []float64{.01, .05, .1, .5, 1, 5, 10, 30, 60, 300, 1800}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "bailiwick_http_request_duration_seconds",
			Help:    "Time to answer HTTP requests, without streams.",
			Buckets: fast,
		}, []string{"route", "method", "status"}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "bailiwick_http_requests_open",
			Help: "HTTP requests and streams being served now.",
		}, []string{"route"}),
		operations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "bailiwick_graphql_operation_duration_seconds",
			Help:    "Time to execute GraphQL operations, by name and the code of the first error.",
			Buckets: fast,
		}, []string{"operation", "type", "code"}),
		statements: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "bailiwick_sql_statement_duration_seconds",
			Help:    "Time to run SQL statements.",
			Buckets: fast,
		}, []string{"verb", "outcome"}),
		jobs: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "bailiwick_job_duration_seconds",
			Help:    "Time to work jobs.",
			Buckets: slow,
		}, []string{"kind", "outcome"}),
		enrolments: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bailiwick_mdm_enrolment_steps_total",
			Help: "What people and devices asked for to be enrolled, by step and outcome.",
		}, []string{"step", "outcome"}),
		operationNames: newNames(maxOperationNames),
		jobKinds:       newNames(maxJobKinds),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "bailiwick_build_info", Help: "Always 1; the label tells the version.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.open, m.operations, m.statements, m.jobs, m.enrolments, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics in Prometheus's format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, MaxRequestsInFlight: 4})
}

// ObservePool adds the figures of a connection pool, under a name of its own.
func (m *Metrics) ObservePool(name string, pool *sql.DB) error {
	if err := m.registry.Register(collectors.NewDBStatsCollector(pool, name)); err != nil {
		return fmt.Errorf("telemetry: pool %s: %w", name, err)
	}
	return nil
}

// HTTP measures a route. The route is its pattern, never the request's path.
func (m *Metrics) HTTP(route string, next http.Handler) http.Handler {
	open := m.open.WithLabelValues(route)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open.Inc()
		defer open.Dec()
		seen := httpsnoop.CaptureMetrics(next, w, r)
		upgraded := r.Header.Get("Upgrade") != "" && seen.Code < http.StatusBadRequest
		if upgraded || strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
			return // how long a stream stays open says nothing about speed
		}
		m.requests.WithLabelValues(route, method(r.Method), status(seen.Code)).Observe(seen.Duration.Seconds())
	})
}

// Operation counts a GraphQL operation: its type (query, mutation or
// subscription) and the code of its first error, empty if there was none. Call
// it for validated documents only, or junk uses up the names.
func (m *Metrics) Operation(name, kind, code string, took time.Duration) {
	if name == "" {
		name = "anonymous"
	}
	if code == "" {
		code = "OK"
	}
	m.operations.WithLabelValues(m.operationNames.bound(name), kind, code).Observe(took.Seconds())
}

// Statement counts an SQL statement, by its first word.
func (m *Metrics) Statement(statement string, took time.Duration, err error) {
	m.statements.WithLabelValues(verb(statement), outcome(err)).Observe(took.Seconds())
}

// Job counts an attempt to work a job.
func (m *Metrics) Job(kind string, took time.Duration, err error) {
	m.jobs.WithLabelValues(m.jobKinds.bound(kind), outcome(err)).Observe(took.Seconds())
}

// Enrolment counts a step of a device's enrolment, and how it ended. Both are
// words of the program's, never of who asks.
func (m *Metrics) Enrolment(step, outcome string) {
	m.enrolments.WithLabelValues(step, outcome).Inc()
}

func outcome(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}

func status(code int) string {
	if code < 100 || code > 599 {
		return other
	}
	return string([]byte{byte('0' + code/100), 'x', 'x'})
}

func method(name string) string {
	switch name {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions:
		return name
	default:
		return other
	}
}

func verb(statement string) string {
	statement = strings.TrimLeft(statement, " \t\r\n(")
	end := strings.IndexAny(statement, " \t\r\n(;")
	if end < 0 {
		end = len(statement)
	}
	switch word := strings.ToUpper(statement[:min(end, 10)]); word {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT":
		return word
	default:
		return other
	}
}

// names is a set of labels that stops growing.
type names struct {
	limit int
	mu    sync.RWMutex
	known map[string]bool
}

func newNames(limit int) *names { return &names{limit: limit, known: map[string]bool{}} }

func (n *names) bound(name string) string {
	n.mu.RLock()
	known := n.known[name]
	n.mu.RUnlock()
	if known {
		return name
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.known[name] && (len(n.known) >= n.limit || !ValidRequestID(name)) {
		return other
	}
	n.known[name] = true
	return name
}
