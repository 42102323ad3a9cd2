package serve_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/graph/serve"
	"github.com/bailiwick/bailiwick/internal/fault"
)

const (
	plain    = "application/json; charset=utf-8"
	response = "application/graphql-response+json; charset=utf-8"
)

func TestGraphQLOverHTTP(t *testing.T) {
	server, _, _ := newServer(t, func(c *serve.Config) { c.Limits.BodyBytes = 4096 })
	hello := `{"query":"{hello}"}`
	for _, c := range []struct {
		name, method, query, body string
		headers                   []string
		status                    int
		contentType               string
		code                      string // "" wants data and no errors
	}{
		{name: "post", body: hello, status: 200, contentType: plain},
		{name: "post, new media type", body: hello, headers: []string{"Accept", "application/graphql-response+json"}, status: 200, contentType: response},
		{name: "the better quality wins", body: hello, headers: []string{"Accept", "application/json;q=0.5, application/graphql-response+json"}, status: 200, contentType: response},
		{name: "any", body: hello, headers: []string{"Accept", "*/*"}, status: 200, contentType: plain},
		{name: "a browser", body: hello, headers: []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}, status: 200, contentType: plain},
		{name: "not acceptable", body: hello, headers: []string{"Accept", "text/html"}, status: 406, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "charset", body: hello, headers: []string{"Content-Type", "application/json; charset=UTF-8"}, status: 200, contentType: plain},
		{name: "other charset", body: hello, headers: []string{"Content-Type", "application/json; charset=iso-8859-1"}, status: 415, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "no content type", body: hello, headers: []string{"Content-Type", ""}, status: 415, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "a form", body: "query={hello}", headers: []string{"Content-Type", "application/x-www-form-urlencoded"}, status: 415, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "text", body: hello, headers: []string{"Content-Type", "text/plain"}, status: 415, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "multipart when off", body: "--x--", headers: []string{"Content-Type", "multipart/form-data; boundary=x"}, status: 415, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "compressed", body: hello, headers: []string{"Content-Encoding", "gzip"}, status: 415, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "no body", body: "", status: 400, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "no JSON", body: "{", headers: []string{"Accept", "application/graphql-response+json"}, status: 400, contentType: response, code: "INVALID_ARGUMENT"},
		{name: "something after it", body: hello + "{}", status: 400, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "a key twice", body: `{"query":"{hello}","query":"{panics}"}`, status: 400, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "keys in another case are other keys", body: `{"query":"{hello}","Query":"{panics}"}`, status: 200, contentType: plain},
		{name: "not UTF-8", body: "{\"query\":\"{hello}\",\"x\":\"\xff\"}", status: 400, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "a batch", body: "[" + hello + "]", status: 400, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "no query", body: `{}`, status: 400, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "query not a string", body: `{"query":1}`, status: 400, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "operationName not a string", body: `{"query":"{hello}","operationName":{}}`, status: 400, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "variables not an object", body: `{"query":"{hello}","variables":[]}`, status: 400, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "extensions not an object", body: `{"query":"{hello}","extensions":"x"}`, status: 400, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "nulls", body: `{"query":"{hello}","operationName":null,"variables":null,"extensions":null}`, status: 200, contentType: plain},
		{name: "too large", body: `{"query":"{hello}","x":"` + strings.Repeat("x", 5000) + `"}`, status: 413, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "syntax, old media type", body: `{"query":"{"}`, status: 200, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "syntax, new media type", body: `{"query":"{"}`, headers: []string{"Accept", "application/graphql-response+json"}, status: 400, contentType: response, code: "INVALID_ARGUMENT"},
		{name: "validation, new media type", body: `{"query":"{nothing}"}`, headers: []string{"Accept", "application/graphql-response+json"}, status: 400, contentType: response, code: "INVALID_ARGUMENT"},
		{name: "no such operation", body: `{"query":"query A {hello}","operationName":"B"}`, headers: []string{"Accept", "application/graphql-response+json"}, status: 400, contentType: response, code: "INVALID_ARGUMENT"},
		{name: "a comment only", body: `{"query":"# nothing"}`, headers: []string{"Accept", "application/graphql-response+json"}, status: 400, contentType: response, code: "INVALID_ARGUMENT"},
		{name: "subscription without a stream", body: `{"query":"subscription {open}"}`, status: 406, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "get", method: "GET", query: "query={hello}", status: 200, contentType: plain},
		{name: "get with variables", method: "GET", query: "query=" + url.QueryEscape("query($n:String){hello(name:$n)}") + "&variables=" + url.QueryEscape(`{"n":"x"}`), status: 200, contentType: plain},
		{name: "get, parameter twice", method: "GET", query: "query={hello}&query={panics}", status: 400, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "get, bad variables", method: "GET", query: "query={hello}&variables={}{}", status: 400, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "get without a query", method: "GET", status: 400, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "mutation by get", method: "GET", query: "query=" + url.QueryEscape(`mutation {set(value:"x")}`), status: 405, contentType: plain, code: "INVALID_ARGUMENT"},
		{name: "put", method: "PUT", body: hello, status: 405, contentType: plain, code: "INVALID_ARGUMENT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.method == "" {
				c.method = http.MethodPost
			}
			headers := append([]string{"Content-Type", "application/json"}, c.headers...)
			got := do(t, request(t, c.method, server.URL+"?"+c.query, c.body, headers...))
			if got.Status != c.status || got.Header.Get("Content-Type") != c.contentType || got.code() != c.code {
				t.Errorf("got %d %q %q, want %d %q %q: %s", got.Status, got.Header.Get("Content-Type"), got.code(),
					c.status, c.contentType, c.code, got.Raw)
			}
			if c.code != "" && strings.Contains(got.Raw, `"data"`) {
				t.Errorf("a refused request has data: %s", got.Raw)
			}
			if c.status == http.StatusMethodNotAllowed && got.Header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
		})
	}
}

func TestBatchingIsRefusedClearly(t *testing.T) {
	server, _, _ := newServer(t, nil)
	got := do(t, request(t, http.MethodPost, server.URL, `[]`, "Content-Type", "application/json"))
	if !strings.Contains(got.Raw, "batching is not supported") {
		t.Error(got.Raw)
	}
}

func TestOptions(t *testing.T) {
	server, _, _ := newServer(t, nil)
	got := do(t, request(t, http.MethodOptions, server.URL, ""))
	if got.Status != http.StatusNoContent || got.Header.Get("Allow") != "GET, POST, OPTIONS" {
		t.Error(got.Status, got.Header)
	}
}

func TestPersistedQueries(t *testing.T) {
	server, _, _ := newServer(t, nil)
	sum := sha256.Sum256([]byte("{hello}"))
	send := func(query, hash string) reply {
		body, err := json.Marshal(map[string]any{"query": query, "extensions": map[string]any{
			"persistedQuery": map[string]any{"version": 1, "sha256Hash": hash},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return do(t, request(t, http.MethodPost, server.URL, string(body), "Content-Type", "application/json"))
	}
	hash := hex.EncodeToString(sum[:])
	if got := send("", hash); len(got.Errors) != 1 || got.Errors[0].Message != "PersistedQueryNotFound" {
		t.Errorf("before it is known: %s", got.Raw)
	}
	if got := send("{panics}", hash); got.code() != "INVALID_ARGUMENT" {
		t.Errorf("another query's hash: %s", got.Raw)
	}
	if got := send("{hello}", hash); got.code() != "" {
		t.Errorf("with the query: %s", got.Raw)
	}
	if got := send("", hash); string(got.Data) != `{"hello":"hello"}` {
		t.Errorf("by its hash: %s", got.Raw)
	}
}

func TestUploads(t *testing.T) {
	server, _, _ := newServer(t, func(c *serve.Config) { c.Uploads = true; c.Limits.UploadBytes = 2048 })
	form := func(operations, places, file string) string {
		return "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n" + operations +
			"\r\n--x\r\nContent-Disposition: form-data; name=\"map\"\r\n\r\n" + places +
			"\r\n--x\r\nContent-Disposition: form-data; name=\"0\"; filename=\"a.txt\"\r\n\r\n" + file + "\r\n--x--\r\n"
	}
	operations := `{"query":"{hello}","variables":{"a":{"files":[null]}}}`
	for _, c := range []struct {
		name, body string
		preflight  bool
		status     int
	}{
		{"accepted", form(operations, `{"0":["variables.a.files.0"]}`, "content"), true, 200},
		{"forged by a page", form(operations, `{"0":["variables.a.files.0"]}`, "content"), false, 400},
		{"a path to nowhere", form(operations, `{"0":["variables.a.files.7"]}`, "content"), true, 400},
		{"a path through a value", form(operations, `{"0":["query.x"]}`, "content"), true, 400},
		{"a file that is not there", form(operations, `{"1":["variables.a.files.0"]}`, "content"), true, 400},
		{"too large", form(operations, `{"0":["variables.a.files.0"]}`, strings.Repeat("x", 4096)), true, 413},
		{"nothing", "--x--\r\n", true, 400},
	} {
		headers := []string{"Content-Type", "multipart/form-data; boundary=x"}
		if c.preflight {
			headers = append(headers, serve.PreflightHeader, "1")
		}
		if got := do(t, request(t, http.MethodPost, server.URL, c.body, headers...)); got.Status != c.status {
			t.Errorf("%s: got %d, want %d: %s", c.name, got.Status, c.status, got.Raw)
		}
	}
}

func TestWriteError(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set(serve.RequestIDHeader, "req_1")
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", nil)
	r.Header.Set("Accept", "application/graphql-response+json")
	serve.WriteError(w, r, http.StatusTooManyRequests, fault.Throttled(1500*time.Millisecond, "slow down"))
	want := `{"errors":[{"message":"slow down","extensions":{"code":"RATE_LIMITED","requestId":"req_1","retryAfter":2}}]}`
	if w.Code != 429 || w.Body.String() != want || w.Header().Get("Content-Type") != response || w.Header().Get("Retry-After") != "2" {
		t.Error(w.Code, w.Header(), w.Body)
	}
}

func TestGraphiQLNeedsNoInternet(t *testing.T) {
	server := httptest.NewServer(serve.GraphiQL("/graphql"))
	defer server.Close()
	page := do(t, request(t, http.MethodGet, server.URL+"/", ""))
	if page.Status != 200 || !strings.Contains(page.Raw, `content="/graphql"`) || strings.Contains(page.Raw, "//") {
		t.Errorf("%d %s", page.Status, page.Raw)
	}
	for _, name := range []string{"react.production.min.js", "react-dom.production.min.js", "graphiql.min.js", "page.js", "graphiql.min.css", "page.css"} {
		if got := do(t, request(t, http.MethodGet, server.URL+"/"+name, "")); got.Status != 200 || len(got.Raw) < 20 || !strings.Contains(page.Raw, `"`+name+`"`) {
			t.Errorf("%s: %d", name, got.Status)
		}
	}
	for _, path := range []string{"/nothing", "/nothing.js", "/index.html", "/LICENSE.react"} {
		if got := do(t, request(t, http.MethodGet, server.URL+path, "")); got.Status != 404 {
			t.Errorf("%s: %d", path, got.Status)
		}
	}
}
