package connectwise_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/psatest"
)

// judge compares requests with the vendor's own description.
type judge struct {
	router routers.Router

	mu       sync.Mutex
	judged   map[string]int
	findings []string
}

const judgeBase = "/v2025_1/apis/3.0"

// newJudge reads the description that may lie beside the project, and proves
// on bad requests that the judge is awake.
func newJudge(t *testing.T) *judge {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(root) == root {
			t.Fatal("no go.mod above this package")
		}
		root = filepath.Dir(root)
	}
	raw, err := os.ReadFile(filepath.Join(root, "..", "shared", "reference", "psa-specs", "connectwise-subset.json"))
	if os.IsNotExist(err) {
		t.Skip("the vendor's description is not beside the project")
	}
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = openapi3.Servers{{URL: "http://judge" + judgeBase}}
	router, err := legacy.NewRouter(doc, openapi3.DisableExamplesValidation(), openapi3.DisableSchemaDefaultsValidation())
	if err != nil {
		t.Fatal(err)
	}
	j := &judge{router: router, judged: map[string]int{}}
	const ticket = `{"summary":"x","company":{"id":1}}`
	for name, canary := range map[string]struct{ method, path, client, body string }{
		"a company that is text":   {http.MethodPost, "/service/tickets", clientID, `{"summary":"x","company":{"id":"1"}}`},
		"a ticket without company": {http.MethodPost, "/service/tickets", clientID, `{"summary":"x"}`},
		"a field nobody knows":     {http.MethodPost, "/service/tickets", clientID, `{"summary":"x","company":{"id":1},"dueDays":3}`},
		"a summary that is long":   {http.MethodPost, "/service/tickets", clientID, `{"summary":"` + strings.Repeat("x", 101) + `","company":{"id":1}}`},
		"a severity of its own":    {http.MethodPost, "/service/tickets", clientID, `{"summary":"x","company":{"id":1},"severity":"Severe"}`},
		"no client id":             {http.MethodPost, "/service/tickets", "", ticket},
		"an object as PATCH":       {http.MethodPatch, "/service/tickets/1", clientID, `{"status":{"id":1}}`},
		"an operation of its own":  {http.MethodPatch, "/service/tickets/1", clientID, `[{"op":"set","path":"status","value":1}]`},
		"a note with a title":      {http.MethodPost, "/service/tickets/1/notes", clientID, `{"title":"x","text":"y"}`},
		"a callback of nothing":    {http.MethodPost, "/system/callbacks", clientID, `{"url":"https://x.example","type":"ticket","level":"owner"}`},
		"a path that is not":       {http.MethodPost, "/service/ticket", clientID, ticket},
	} {
		r, err := http.NewRequestWithContext(t.Context(), canary.method, "http://judge"+judgeBase+canary.path, strings.NewReader(canary.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if canary.client != "" {
			r.Header.Set("clientId", canary.client)
		}
		if j.check(r, []byte(canary.body)) == nil {
			t.Fatalf("the judge sleeps: it accepts %s", name)
		}
	}
	return j
}

func (j *judge) check(r *http.Request, body []byte) error {
	judged := r.Clone(context.Background())
	judged.URL.Scheme, judged.URL.Host, judged.Host = "http", "judge", "judge"
	judged.Body = io.NopCloser(bytes.NewReader(body))
	route, params, err := j.router.FindRoute(judged)
	if err != nil {
		return err
	}
	j.mu.Lock()
	j.judged[route.Method+" "+route.Path]++
	j.mu.Unlock()
	return openapi3filter.ValidateRequest(context.Background(), &openapi3filter.RequestValidationInput{
		Request: judged, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true, SkipSettingDefaults: true},
	})
}

// TestRequestsFollowTheDescription runs the whole suite under the judge.
func TestRequestsFollowTheDescription(t *testing.T) {
	j := newJudge(t)
	clear(j.judged)
	wrap := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/login/") || strings.Contains(r.URL.Path, "/system/callbacks/") { // not described
				next.ServeHTTP(w, r)
				return
			}
			body, err := io.ReadAll(r.Body)
			if err == nil {
				described := r.Clone(r.Context())
				if below, ok := strings.CutPrefix(r.URL.Path, "/v4_6_release/apis/3.0"); ok {
					described.URL.Path = judgeBase + below
				}
				err = j.check(described, body)
			}
			if err != nil {
				j.mu.Lock()
				j.findings = append(j.findings, r.Method+" "+r.URL.String()+": "+err.Error())
				j.mu.Unlock()
			}
			if _, _, ok := r.BasicAuth(); !ok {
				t.Errorf("%s %s carries no credentials", r.Method, r.URL.Path)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		})
	}
	psatest.Run(t, fixture(wrap))
	for _, finding := range j.findings {
		t.Error(finding)
	}
	for _, want := range []string{
		"GET /service/tickets", "POST /service/tickets", "GET /service/tickets/{id}", "PATCH /service/tickets/{id}",
		"GET /service/tickets/{parentId}/notes", "POST /service/tickets/{parentId}/notes", "GET /service/boards",
		"GET /service/boards/{parentId}/statuses", "GET /service/priorities", "GET /service/sources", "GET /company/companies",
		"GET /system/callbacks", "POST /system/callbacks",
	} {
		if j.judged[want] == 0 {
			t.Errorf("the judge saw no %s", want)
		}
	}
	t.Logf("judged: %v", j.judged)
}
