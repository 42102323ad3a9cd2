// Package app puts the process together: the one place that knows every part.
package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/graph/serve"
	"github.com/bailiwick/bailiwick/internal/access"
	"github.com/bailiwick/bailiwick/internal/access/token"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/applemdm"
	"github.com/bailiwick/bailiwick/internal/applemdm/inventory"
	"github.com/bailiwick/bailiwick/internal/applemdm/membership"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/config"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/directory"
	"github.com/bailiwick/bailiwick/internal/event"
	"github.com/bailiwick/bailiwick/internal/httpd"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/organization"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/telemetry"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/billing"
)

// Config is what a process is made from.
type Config struct {
	config.Config
	Version string
	Logger  *slog.Logger
	Clock   func() time.Time // nil means the time of the database's server, as [database.Clock] has it
	// APNSRoots certify APNSHost, in place of APNSCA. Optional.
	APNSRoots *x509.CertPool
}

// App is a process: its parts, wired up and not yet running.
type App struct {
	Client        *ent.Client
	DB            *database.DB
	Bus           *event.Bus
	Vault         *secret.Vault
	Access        *access.Service
	Organizations *organization.Service
	Directory     *directory.Service
	Alerts        *alert.Service
	Tickets       *ticket.Service
	Billing       *billing.Service
	Inventory     *inventory.Store
	Commands      *queue.Service
	Members       *membership.Service
	AppleMDM      *applemdm.Service
	Queue         *job.Queue
	Metrics       *telemetry.Metrics

	config   Config
	clock    *database.Clock
	keys     *token.KeySet
	log      *audit.Log
	listener *event.Listener // nil on SQLite
	tracing  *telemetry.Tracing
	graphql  *serve.Server
	handler  http.Handler
	tls      *tls.Config // nil where a proxy ends TLS
	checks   []httpd.Check
}

// ErrMigrations reports a PostgreSQL database whose migrations are pending.
var ErrMigrations = errors.New("the database has pending migrations: run bailiwick migrate up")

// New opens the database and wires every part. An embedded database is
// migrated; PostgreSQL must have been, or it fails with [ErrMigrations].
func New(ctx context.Context, c Config) (app *App, err error) {
	if c.Logger == nil {
		return nil, errors.New("app: a logger is required")
	}
	a := &App{config: c, Metrics: telemetry.NewMetrics(c.Version)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	steps := []func(context.Context) error{a.openDatabase, a.openEvents, a.openAccess, a.openJobs, a.openDomains, a.openHTTP}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Handler serves every route.
func (a *App) Handler() http.Handler { return a.handler }

// Run listens, works jobs and keeps caches in step until the context ends;
// then requests and jobs may finish within the grace period, and what has not
// is handed back.
func (a *App) Run(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.config.Addr)
	if err != nil {
		return fmt.Errorf("listen on %s (--addr): %w", a.config.Addr, err)
	}
	return a.Serve(ctx, listener)
}

// Serve is [App.Run] on a listener that is open already.
func (a *App) Serve(ctx context.Context, listener net.Listener) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 4)
	run := func(part func(context.Context) error) { go func() { ended <- part(background) }() }
	parts := 2
	run(a.Access.Run)
	run(a.clock.Run)
	if a.listener != nil {
		parts++
		run(a.listener.Run)
	}
	if err := a.Queue.Start(background); err != nil {
		return fmt.Errorf("start the job queue: %w", err)
	}
	server := httpd.Server(a.config.Addr, a.handler, a.config.Logger)
	server.TLSConfig = a.tls
	serve := server.Serve
	if a.tls != nil {
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	failed := make(chan error, 1)
	go func() { failed <- serve(listener) }()
	a.config.Logger.InfoContext(ctx, "serving", "addr", listener.Addr().String(), "version", a.config.Version)

	var failure error
	select {
	case <-ctx.Done():
		a.config.Logger.InfoContext(ctx, "stopping", "grace", a.config.ShutdownGrace)
	case err := <-failed:
		failure = fmt.Errorf("serve: %w", err)
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.config.ShutdownGrace)
	defer cancel()
	failure = errors.Join(failure, together(grace, a.graphql.Shutdown, server.Shutdown, a.Queue.Stop), a.Commands.Flush(grace), a.Members.Flush(grace))
	stop()
	for range parts {
		failure = errors.Join(failure, <-ended)
	}
	return errors.Join(failure, a.tracing.Shutdown(grace))
}

// together runs the parts at once, so that each has the whole of the time.
func together(ctx context.Context, parts ...func(context.Context) error) error {
	ended := make(chan error, len(parts))
	for _, part := range parts {
		go func() { ended <- part(ctx) }()
	}
	var all error
	for range parts {
		all = errors.Join(all, <-ended)
	}
	return all
}

// Close releases the database. Call it when the process is not running any more.
func (a *App) Close() error {
	if a.Access != nil {
		a.Access.Close()
	}
	if a.DB == nil {
		return nil
	}
	return a.DB.Close()
}
