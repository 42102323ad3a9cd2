package autotask_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
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
	raw, err := os.ReadFile(filepath.Join(root, "..", "shared", "reference", "psa-specs", "autotask-subset.json"))
	if os.IsNotExist(err) {
		t.Skip("the vendor's description is not beside the project")
	}
	if err != nil {
		t.Fatal(err)
	}
	var old openapi2.T
	if err := json.Unmarshal(raw, &old); err != nil {
		t.Fatal(err)
	}
	doc, err := openapi2conv.ToV3(&old)
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = openapi3.Servers{{URL: "http://judge/atservicesrest"}}
	router, err := legacy.NewRouter(doc, openapi3.DisableExamplesValidation(), openapi3.DisableSchemaDefaultsValidation())
	if err != nil {
		t.Fatal(err)
	}
	j := &judge{router: router, judged: map[string]int{}}
	headers := http.Header{"Apiintegrationcode": {"c"}, "Username": {"u"}, "Secret": {"s"}, "Content-Type": {"application/json"}}
	const good = `{"companyID":0,"title":"x","status":1,"priority":2,"queueID":8,"dueDateTime":"2026-12-01T00:00:00Z"}`
	for name, c := range map[string]struct {
		method, path, body, without string
		good                        bool
	}{
		"a good ticket":               {method: "POST", path: "/Tickets", body: good, good: true},
		"a ticket without the code":   {method: "POST", path: "/Tickets", body: good, without: "Apiintegrationcode"},
		"a ticket without the secret": {method: "POST", path: "/Tickets", body: good, without: "Secret"},
		"a ticket without priority":   {method: "POST", path: "/Tickets", body: `{"companyID":0,"title":"x","status":1}`},
		"a field nobody knows":        {method: "POST", path: "/Tickets", body: strings.Replace(good, "queueID", "queueId", 1)},
		"a date as due time":          {method: "POST", path: "/Tickets", body: strings.Replace(good, "T00:00:00Z", "", 1)},
		"a status as text":            {method: "POST", path: "/Tickets", body: strings.Replace(good, `"status":1`, `"status":"1"`, 1)},
		"a title too long":            {method: "POST", path: "/Tickets", body: strings.Replace(good, `"x"`, `"`+strings.Repeat("x", 256)+`"`, 1)},
		"a change without id":         {method: "PATCH", path: "/Tickets", body: `{"status":5}`},
		"a note without publish":      {method: "POST", path: "/Tickets/1/Notes", body: `{"description":"x","noteType":1}`},
		"a query of nothing":          {method: "POST", path: "/Tickets/query", body: `{"filter":[]}`},
		"a query of 501":              {method: "POST", path: "/Tickets/query", body: `{"filter":[{"op":"exist","field":"id"}],"MaxRecords":501}`},
		"an operator nobody knows":    {method: "POST", path: "/Tickets/query", body: `{"filter":[{"op":"is","field":"id"}]}`},
		"a path that is not":          {method: "POST", path: "/Ticket", body: good},
	} {
		r, err := http.NewRequest(c.method, "http://judge/atservicesrest/v1.0"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = headers.Clone()
		r.Header.Del(c.without)
		if err := j.check(r, []byte(c.body)); (err == nil) != c.good {
			t.Fatalf("the judge sleeps: on %s it says %v", name, err)
		}
	}
	return j
}

// check judges one request at the root of the service.
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

// see judges what the description covers of a call to a zone: everything about
// tickets that is written, and queries, which by GET carry in a parameter what
// by POST is the body.
func (j *judge) see(r *http.Request, body []byte) error {
	_, path, inZone := strings.Cut(strings.ToLower(r.URL.Path), "/atservicesrest/v1.0")
	if !inZone || !strings.HasPrefix(path, "/tickets") {
		return nil
	}
	judged := r.Clone(context.Background())
	_, path, _ = strings.Cut(r.URL.Path, "/v1.0")
	judged.URL.Path = "/atservicesrest/v1.0" + path
	switch {
	case r.Method == http.MethodGet && path == "/Tickets/query":
		body = []byte(r.URL.Query().Get("search"))
		judged.Method, judged.URL.RawQuery = http.MethodPost, ""
		judged.Header.Set("Content-Type", "application/json")
	case r.Method == http.MethodGet:
		return nil
	}
	return j.check(judged, body)
}

// TestRequestsFollowTheDescription runs the whole suite under the judge.
func TestRequestsFollowTheDescription(t *testing.T) {
	j := newJudge(t)
	clear(j.judged)
	wrap := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err == nil {
				err = j.see(r, body)
			}
			if err != nil {
				j.mu.Lock()
				j.findings = append(j.findings, r.Method+" "+r.URL.Path+": "+err.Error())
				j.mu.Unlock()
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		})
	}
	psatest.Run(t, fixture(wrap))
	for _, finding := range j.findings {
		t.Error(finding)
	}
	for _, want := range []string{"POST /v1.0/Tickets", "PATCH /v1.0/Tickets", "POST /v1.0/Tickets/query", "POST /v1.0/Tickets/{parentId}/Notes"} {
		if j.judged[want] == 0 {
			t.Errorf("the judge saw no %s", want)
		}
	}
	t.Logf("judged: %v", j.judged)
}
