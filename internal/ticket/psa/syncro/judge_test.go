package syncro_test

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

// newJudge reads the description that may lie beside the project, and proves
// on a bad request that the judge is awake. Syncro's description marks no field
// as required and forbids none: both are added, from its known habits.
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
	raw, err := os.ReadFile(filepath.Join(root, "..", "shared", "reference", "psa-specs", "syncro-subset.json"))
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
	doc.Servers = openapi3.Servers{{URL: "http://judge/api/v1"}}
	tighten(doc.Components.RequestBodies["Ticket"].Value.Content["application/json"].Schema.Value)
	comment := doc.Paths.Value("/tickets/{id}/comment").Post.RequestBody.Value.Content["application/json"].Schema.Value
	tighten(comment)
	comment.Required = []string{"subject", "body"}
	router, err := legacy.NewRouter(doc, openapi3.DisableExamplesValidation(), openapi3.DisableSchemaDefaultsValidation())
	if err != nil {
		t.Fatal(err)
	}
	j := &judge{router: router, judged: map[string]int{}}
	for name, canary := range map[string][2]string{
		"a customer that is text": {"/tickets", `{"customer_id":"one","subject":"x"}`},
		"a field nobody knows":    {"/tickets", `{"customer_id":1,"subject":"x","external_id":"bw:1"}`},
		"a time as due date":      {"/tickets", `{"customer_id":1,"subject":"x","due_date":"2026-12-01T00:00:00Z"}`},
		"a comment without text":  {"/tickets/1/comment", `{"subject":"x"}`},
		"a path that is not":      {"/ticket", `{}`},
	} {
		r, err := http.NewRequest(http.MethodPost, "http://judge/api/v1"+canary[0], strings.NewReader(canary[1]))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if j.check(r, []byte(canary[1])) == nil {
			t.Fatalf("the judge sleeps: it accepts %s", name)
		}
	}
	return j
}

// tighten forbids unknown fields, here and below.
func tighten(s *openapi3.Schema) {
	no := false
	s.AdditionalProperties = openapi3.AdditionalProperties{Has: &no}
	for name, p := range s.Properties {
		if name != "properties" && p.Value.Type.Is("array") && p.Value.Items.Value.Type.Is("object") {
			tighten(p.Value.Items.Value)
		}
	}
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
			body, err := io.ReadAll(r.Body)
			if err == nil {
				err = j.check(r, body)
			}
			if err != nil {
				j.mu.Lock()
				j.findings = append(j.findings, r.Method+" "+r.URL.String()+": "+err.Error())
				j.mu.Unlock()
			}
			if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
				t.Errorf("%s %s carries no token", r.Method, r.URL.Path)
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
		"GET /me", "GET /settings", "GET /users", "GET /customers", "GET /customers/{id}", "GET /tickets", "POST /tickets",
		"GET /tickets/settings", "GET /tickets/{id}", "PUT /tickets/{id}", "GET /tickets/{id}/comments", "POST /tickets/{id}/comment",
	} {
		if j.judged[want] == 0 {
			t.Errorf("the judge saw no %s", want)
		}
	}
	t.Logf("judged: %v", j.judged)
}
