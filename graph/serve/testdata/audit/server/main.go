// Command server serves the sample schema on a loopback port, for the audit
// beside it: it prints the URL on a line of its own and runs until killed.
package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/bailiwick/bailiwick/graph/serve"
	"github.com/bailiwick/bailiwick/graph/serve/internal/sample"
)

func main() {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	server, err := serve.New(sample.New(), serve.Config{Log: log, Clock: time.Now, Introspection: true})
	if err != nil {
		log.Error("configure", "error", err)
		os.Exit(1)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Error("listen", "error", err)
		os.Exit(1)
	}
	mux := http.NewServeMux()
	mux.Handle("/graphql", server)
	mux.Handle("/", serve.GraphiQL("/graphql"))
	fmt.Printf("http://%s/graphql\n", listener.Addr())
	log.Error("serve", "error", (&http.Server{Handler: mux, ReadTimeout: 10 * time.Second}).Serve(listener))
}
