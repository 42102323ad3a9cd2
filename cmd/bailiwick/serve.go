package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
)

// serveCommand serves the API.
type serveCommand struct {
	settings `embed:""`
}

// Help implements kong.HelpProvider.
func (serveCommand) Help() string {
	return `On the embedded SQLite database it migrates by itself. On PostgreSQL "bailiwick migrate up" comes first; while migrations are pending it refuses to start.

SIGINT or SIGTERM stops it: requests and jobs may finish within --shutdown-grace, and jobs that have not are handed back to the queue. A further signal, half a second later or more, ends it at once with exit code 1.

Examples:

	bailiwick serve --development
	BAILIWICK_MASTER_KEY_FILE=/etc/bailiwick/master.key bailiwick serve --addr 0.0.0.0:8080 --public-url https://bailiwick.example.com
	bailiwick serve --config /etc/bailiwick/bailiwick.json

` + exitCodes
}

// gcPercent lets the heap grow to five times what is live before it is
// collected. Requests leave much short-lived garbage and little that stays, so
// memory of some hundred megabytes buys a third of the processor time. GOGC
// and GOMEMLIMIT say otherwise.
const gcPercent = 400

// Run serves until the context ends.
func (s *serveCommand) Run(ctx context.Context, c console) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	a, err := s.openApp(ctx, c)
	if err != nil {
		return err
	}
	err = a.Run(ctx)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%s is in use by another program: choose another address with --addr (BAILIWICK_ADDR): %w", s.Addr, err)
	}
	return errors.Join(err, a.Close())
}
