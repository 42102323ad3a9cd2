package serve_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/bailiwick/bailiwick/graph/serve"
	"github.com/bailiwick/bailiwick/internal/fault"
)

func TestErrorsAreFaultsOrInternal(t *testing.T) {
	server, logged, _ := newServer(t, func(c *serve.Config) {
		c.RequestID = func(context.Context) string { return "req_7" }
	})
	for _, code := range fault.Codes() {
		got := ask(t, server, `query($c:String){fail(code:$c)}`, map[string]any{"c": string(code)})
		if got.code() != string(code) || got.extension("requestId") != "req_7" || string(got.Data) != `{"fail":null}` || got.Status != 200 {
			t.Errorf("%s: %d %s", code, got.Status, got.Raw)
		}
		if got.extension("field") != "code" || got.Errors[0].Extensions["retryAfter"] != 2.0 {
			t.Errorf("%s: %s", code, got.Raw)
		}
		if strings.Contains(got.Raw, "secret_table") {
			t.Errorf("%s shows its cause: %s", code, got.Raw)
		}
	}
	before := strings.Count(logged.String(), "level=ERROR")
	got := ask(t, server, `{fail}`, nil)
	if got.code() != "INTERNAL" || strings.Contains(got.Raw, "pq:") || got.Errors[0].Path[0] != "fail" {
		t.Error(got.Raw)
	}
	if n := strings.Count(logged.String(), "level=ERROR") - before; n != 1 || !strings.Contains(logged.String(), "secret_table") || !strings.Contains(logged.String(), "req_7") {
		t.Errorf("logged %d times: %s", n, logged)
	}
}

func TestPanicIsLoggedOnceAndShownAsInternal(t *testing.T) {
	server, logged, _ := newServer(t, nil)
	got := ask(t, server, `{panics hello}`, nil)
	if got.code() != "INTERNAL" || strings.Contains(got.Raw, "burst") || !strings.Contains(string(got.Data), `"hello":"hello"`) {
		t.Error(got.Raw)
	}
	if text := logged.String(); strings.Count(text, "level=ERROR") != 1 || !strings.Contains(text, "secret_table burst") || !strings.Contains(text, "sample.go") {
		t.Errorf("log: %s", text)
	}
}

func TestInputErrorsNameTheField(t *testing.T) {
	server, _, _ := newServer(t, nil)
	echo := `query($in: EchoInput!) {echo(input: $in)}`
	for _, c := range []struct {
		name, query string
		variables   map[string]any
		field       string
	}{
		{"missing variable", echo, nil, "in"},
		{"unknown field", echo, map[string]any{"in": map[string]any{"x": 1}}, "in.x"},
		{"enum", echo, map[string]any{"in": map[string]any{"colour": "BLUE"}}, "in.colour"},
		{"enum in another case", echo, map[string]any{"in": map[string]any{"colour": "red"}}, "in.colour"},
		{"nested", echo, map[string]any{"in": map[string]any{"inner": map[string]any{"flag": "yes"}}}, "in.inner.flag"},
		{"number for a string", echo, map[string]any{"in": map[string]any{"text": 5}}, "in.text"},
		{"string for an int", echo, map[string]any{"in": map[string]any{"count": "5"}}, "in.count"},
		{"an int beyond 32 bits", echo, map[string]any{"in": map[string]any{"count": 1 << 40}}, "in.count"},
		{"in a list", echo, map[string]any{"in": map[string]any{"ids": []any{"a", 1.5}}}, "in.ids[1]"},
		{"null in a list", echo, map[string]any{"in": map[string]any{"ids": []any{"a", nil}}}, "in.ids[1]"},
		{"scalar within input", echo, map[string]any{"in": map[string]any{"at": "yesterday"}}, "input.at"},
		{"scalar as a variable", `query($t: Time!) {at(time: $t)}`, map[string]any{"t": "yesterday"}, "time"},
		{"scalar as a literal", `{at(time: "yesterday")}`, nil, "time"},
	} {
		got := ask(t, server, c.query, c.variables)
		if len(got.Errors) != 1 || got.code() != "INVALID_ARGUMENT" || got.extension("field") != c.field {
			t.Errorf("%s: want field %s: %s", c.name, c.field, got.Raw)
		}
	}
	got := ask(t, server, echo, map[string]any{"in": map[string]any{
		"text": "x", "count": 5, "colour": "RED", "at": "2024-01-02T03:04:05Z", "ids": "a", "ratio": 1, "flag": true, "inner": nil,
	}})
	if len(got.Errors) != 0 {
		t.Errorf("valid input: %s", got.Raw)
	}
}

func TestSuggestionsAndIntrospectionCanBeOff(t *testing.T) {
	server, _, _ := newServer(t, func(c *serve.Config) { c.Introspection = false })
	if got := ask(t, server, `{__schema{types{name}}}`, nil); got.code() != "INVALID_ARGUMENT" || !strings.Contains(got.Raw, "introspection is turned off") {
		t.Error(got.Raw)
	}
	if got := ask(t, server, `{...f} fragment f on Query {__type(name:"Item"){name}}`, nil); got.code() != "INVALID_ARGUMENT" {
		t.Error(got.Raw)
	}
	if got := ask(t, server, `{helo}`, nil); got.code() != "INVALID_ARGUMENT" || strings.Contains(got.Raw, "hello") {
		t.Error(got.Raw)
	}
	if got := ask(t, server, `{__typename}`, nil); got.code() != "" {
		t.Error(got.Raw)
	}
}

func TestTimeoutIsUnavailable(t *testing.T) {
	server, _, _ := newServer(t, func(c *serve.Config) { c.Timeout = 30 * time.Millisecond })
	got := ask(t, server, `{wait}`, nil)
	if got.code() != "UNAVAILABLE" || strings.Contains(got.Raw, "pq:") {
		t.Error(got.Raw)
	}
}

func TestObserve(t *testing.T) {
	var mu sync.Mutex
	var seen []serve.Observation
	server, _, _ := newServer(t, func(c *serve.Config) {
		now := time.Unix(0, 0)
		c.Clock = func() time.Time { mu.Lock(); defer mu.Unlock(); now = now.Add(time.Second); return now }
		c.Observe = func(_ context.Context, o serve.Observation) { mu.Lock(); defer mu.Unlock(); seen = append(seen, o) }
	})
	ask(t, server, `query Greet {hello}`, nil)
	ask(t, server, `{fail(code:"CONFLICT")}`, nil)
	ask(t, server, `{nothing}`, nil)
	do(t, request(t, http.MethodPost, server.URL, `{`, "Content-Type", "application/json"))
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 3 || seen[0].Operation != "Greet" || seen[0].Kind != "query" || seen[0].Duration != time.Second || len(seen[0].Codes) != 0 ||
		!slices.Equal(seen[1].Codes, []fault.Code{fault.Conflict}) || !slices.Equal(seen[2].Codes, []fault.Code{fault.InvalidArgument}) {
		t.Errorf("%+v", seen)
	}
}

// verdict is an extension that refuses every operation.
type verdict struct{ err error }

func (verdict) ExtensionName() string                   { return "Verdict" }
func (verdict) Validate(graphql.ExecutableSchema) error { return nil }

func (v verdict) MutateOperationContext(context.Context, *graphql.OperationContext) *gqlerror.Error {
	return gqlerror.Wrap(v.err)
}

func TestStatusFollowsTheErrorOfARefusedOperation(t *testing.T) {
	for code, status := range map[fault.Code]int{
		fault.Unauthenticated: 401, fault.Forbidden: 403, fault.RateLimited: 429,
		fault.Unavailable: 503, fault.Internal: 500, fault.InvalidArgument: 400, fault.QueryTooComplex: 400,
	} {
		server, _, _ := newServer(t, func(c *serve.Config) {
			err := fault.New(code, "as configured")
			err.RetryAfter = 3 * time.Second
			c.Around = []graphql.HandlerExtension{verdict{err: err}}
		})
		got := ask(t, server, "{hello}", nil)
		if got.Status != status || got.code() != string(code) || got.Header.Get("Retry-After") != "3" || got.Data != nil {
			t.Errorf("%s: %d %s %v", code, got.Status, got.Raw, got.Header)
		}
		if code == fault.Internal && strings.Contains(got.Raw, "as configured") {
			t.Errorf("INTERNAL shows its message: %s", got.Raw)
		}
	}
}
