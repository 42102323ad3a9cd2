package serve_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzRequest: whatever arrives, the answer is well-formed GraphQL over HTTP
// and nothing is our fault.
func FuzzRequest(f *testing.F) {
	for _, body := range []string{
		`{"query":"{hello}"}`, `{"query":"{items(first:2){nodes{id}}}","variables":{"a":[1,{"b":null}]}}`, `[{}]`, `{`, ``, `null`,
		`{"query":"query($i:EchoInput!){echo(input:$i)}","variables":{"i":{"ids":["a"],"inner":{"count":1}}}}`,
		`{"query":"{...A} fragment A on Query{...A}"}`, `{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}`,
		`{"query":"query($t:Time!){at(time:$t)}","variables":{"t":"2024"}}`, `{"query":"{hello @skip(if:true)}","operationName":""}`,
	} {
		f.Add(body, "application/json", "*/*", "")
		f.Add(body, "application/json; charset=utf-8", "application/graphql-response+json", "query={hello}")
	}
	_, logged, server := newServer(f, nil)
	f.Fuzz(func(t *testing.T, body, contentType, accept, query string) {
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			r := httptest.NewRequestWithContext(t.Context(), method, "/graphql", strings.NewReader(body))
			r.URL.RawQuery = query
			r.Header.Set("Content-Type", contentType)
			r.Header.Set("Accept", accept)
			w := httptest.NewRecorder()
			if strings.Contains(body+query, "wait") || strings.Contains(body+query, "open") || strings.Contains(body+query, "fail") || strings.Contains(body+query, "panics") {
				return // these end only with the request, or fail on purpose
			}
			server.ServeHTTP(w, r)
			if strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
				continue
			}
			var got reply
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%d %q: %v", w.Code, w.Body, err)
			}
			if w.Code >= 500 || got.code() == "INTERNAL" {
				t.Fatalf("%d %s\n%s", w.Code, w.Body, logged)
			}
			if w.Code != http.StatusOK && got.Data != nil {
				t.Fatalf("%d with data: %s", w.Code, w.Body)
			}
		}
	})
}
