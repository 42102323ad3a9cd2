// Command limit answers what the benchmark asks as directly as Go can: one
// prepared, indexed statement for each query, rows written as JSON, nothing
// else. It is what Bailiwick's server is measured against, and of no use
// otherwise: it knows no callers, and its tenant comes from the command line.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"
)

// databaseVariable holds the database's URL, which may hold a password and so
// is no flag.
const databaseVariable = "BAILIWICK_BENCH_DATABASE"

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on")
	provider := flag.String("provider", "", "id of the provider whose rows are served")
	conns := flag.Int("connections", 16, "most connections to PostgreSQL")
	flag.Parse()
	if err := run(*addr, *provider, *conns); err != nil {
		fmt.Fprintln(os.Stderr, "limit:", err)
		os.Exit(1)
	}
}

func run(addr, provider string, conns int) error {
	ctx := context.Background()
	s, err := open(ctx, os.Getenv(databaseVariable), provider, conns)
	if err != nil {
		return err
	}
	server := &http.Server{Addr: addr, Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	err = server.ListenAndServe()
	return errors.Join(err, s.db.Close())
}
