package load_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/tools/bench/load"
)

func TestPool(t *testing.T) {
	var asked atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("GET /short", func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		fmt.Fprint(w, `{"data":1}`)
	})
	mux.HandleFunc("GET /chunked", func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			fmt.Fprint(w, strings.Repeat("x", 1000))
			_ = http.NewResponseController(w).Flush()
		}
	})
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.Header.Get("X-Api-Key"), body)
	})
	mux.HandleFunc("GET /errors", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"errors":[]}`) })
	server := httptest.NewServer(mux)
	defer server.Close()
	addr := strings.TrimPrefix(server.URL, "http://")
	pool, err := load.Open(t.Context(), addr, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()

	if body, err := pool.Once(load.Get(addr, "/chunked")); err != nil || len(body) != 3000 {
		t.Errorf("chunked answer: %d bytes, %v", len(body), err)
	}
	echo := load.Post(addr, "/echo", http.Header{"X-Api-Key": {"k"}}, []byte("{}"))
	if body, err := pool.Once(echo); err != nil || string(body) != "k {}" {
		t.Errorf("echo: %q, %v", body, err)
	}
	for _, path := range []string{"/errors", "/missing"} {
		if _, err := pool.Once(load.Get(addr, path)); err == nil {
			t.Errorf("%s passed for an answer", path)
		}
	}
	run, err := pool.For(t.Context(), 50*time.Millisecond, [][]byte{load.Get(addr, "/short")})
	if err != nil || run.Requests == 0 || int64(run.Requests) != asked.Load() {
		t.Errorf("counted %d of %d requests, %v", run.Requests, asked.Load(), err)
	}
	if run.Quantile(0.5) > run.Quantile(0.99) {
		t.Error("the median is above the 99th percentile")
	}
	if _, err := pool.For(t.Context(), time.Second, [][]byte{load.Get(addr, "/errors")}); err == nil {
		t.Error("a run of wrong answers passed")
	}
}
