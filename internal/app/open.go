package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entgo.io/ent/dialect"

	"github.com/bailiwick/bailiwick/internal/access"
	"github.com/bailiwick/bailiwick/internal/access/credential"
	"github.com/bailiwick/bailiwick/internal/access/token"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/event"
	"github.com/bailiwick/bailiwick/internal/httpd"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/keystore"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/telemetry"
)

// audience is whom access tokens are for.
const audience = "bailiwick"

func (a *App) openDatabase(ctx context.Context) (err error) {
	c := a.config
	a.tracing, err = telemetry.NewTracing(ctx, telemetry.TraceConfig{
		Endpoint: c.OTLPEndpoint, Ratio: c.TraceRatio, Version: c.Version, Logger: c.Logger,
	})
	if err != nil {
		return err
	}
	a.DB, err = database.Open(ctx, database.Config{
		URL: c.Database().Reveal(), SystemURL: c.DatabaseSystemURL.Reveal(),
		MaxConns: c.DatabaseMaxConnections, Logger: c.Logger,
		Observe: func(_ context.Context, query string, took time.Duration, err error) {
			a.Metrics.Statement(query, took, err)
		},
	})
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	migrator, err := a.DB.Migrator()
	if err != nil {
		return err
	}
	if a.DB.Dialect() == dialect.SQLite {
		if err := migrator.Up(ctx, nil); err != nil {
			return fmt.Errorf("migrate the embedded database: %w", err)
		}
	}
	pending := func(ctx context.Context) error {
		versions, err := migrator.Status(ctx)
		if err != nil {
			return err
		}
		for _, v := range versions {
			if v.AppliedAt.IsZero() {
				return ErrMigrations
			}
		}
		return nil
	}
	if err := pending(ctx); err != nil {
		return err
	}
	if err := a.openClock(ctx); err != nil {
		return err
	}
	a.Client = a.DB.Client()
	a.log = audit.New(a.Client)
	a.checks = append(a.checks, httpd.Check{Name: "database", Run: a.DB.Ping}, httpd.Check{Name: "migrations", Run: pending})
	if err := a.Metrics.ObservePool("app", a.DB.App()); err != nil {
		return err
	}
	if a.DB.System() != a.DB.App() {
		return a.Metrics.ObservePool("system", a.DB.System())
	}
	return nil
}

func (a *App) openEvents(context.Context) (err error) {
	var notify event.Notifier
	if a.DB.Dialect() == dialect.Postgres {
		notify = a.DB.Notify
	}
	if a.Bus, err = event.NewBus(func(ctx context.Context, run func()) { database.AfterCommit(ctx, run) }, notify); err != nil {
		return err
	}
	if notify == nil {
		return nil
	}
	url := a.config.DatabaseSystemURL
	if url.IsZero() {
		url = a.config.Database()
	}
	a.listener, err = event.NewListener(a.Bus, event.ListenerConfig{URL: url.Reveal(), Logger: a.config.Logger})
	a.checks = append(a.checks, httpd.Check{Name: "events", Run: func(context.Context) error {
		if !a.listener.Healthy() {
			return errors.New("what other replicas change is not heard of")
		}
		return nil
	}})
	return err
}

func (a *App) openAccess(ctx context.Context) error {
	c := a.config
	masters, created, err := c.Masters()
	if err != nil {
		return err
	}
	if created != "" {
		c.Logger.WarnContext(ctx, "made a master key; whoever loses it loses every stored secret", "file", created)
	}
	if a.Vault, err = secret.New(keystore.NewKeysets(a.DB), masters, secret.Config{}); err != nil {
		return err
	}
	schedule := token.DefaultSchedule()
	schedule.Lifetime = c.AccessTokenTTL
	if a.keys, err = token.NewKeySet(keystore.NewSigningKeys(a.DB, a.Vault), schedule, c.Clock, c.Logger); err != nil {
		return err
	}
	if err := a.keys.Rotate(ctx); err != nil {
		return fmt.Errorf("prepare the signing keys: %w", err)
	}
	authority, err := token.NewAuthority(a.keys, c.URL(), audience)
	if err != nil {
		return err
	}
	hasher, err := credential.NewHasher(credential.DefaultHashConfig())
	if err != nil {
		return err
	}
	settings := access.Config{
		DB: a.DB, Bus: a.Bus, Tokens: authority, Vault: a.Vault, Hasher: hasher, Auditor: a.log,
		Logger: c.Logger, Clock: c.Clock, SessionLifetime: c.SessionIdle,
	}
	if a.listener != nil {
		settings.Healthy = a.listener.Healthy
	}
	if a.Access, err = access.New(settings); err != nil {
		return err
	}
	return a.Access.SyncBuiltInRoles(ctx)
}

func (a *App) openJobs(context.Context) (err error) {
	c := a.config
	a.Queue, err = job.New(a.DB, job.Config{
		Logger: c.Logger, Clock: c.Clock, PollInterval: c.JobPollInterval,
		Workers: map[string]int{job.DefaultQueue: c.JobWorkers},
		Notify: func(ctx context.Context, queue string) error {
			return a.Bus.Publish(ctx, event.Event{Topic: event.JobEnqueued, Payload: queue})
		},
		Observe: func(kind string, outcome job.Outcome, took time.Duration) {
			var failure error
			if outcome != job.Succeeded && outcome != job.Snoozed {
				failure = fmt.Errorf("job %s", outcome)
			}
			a.Metrics.Job(kind, took, failure)
		},
	})
	if err != nil {
		return err
	}
	a.Bus.Handle(event.JobEnqueued, func(e event.Event) {
		if e.Resync {
			a.Queue.Wake()
			return
		}
		a.Queue.Wake(e.Payload)
	})
	a.checks = append(a.checks, httpd.Check{Name: "jobs", Run: a.Queue.Healthy})
	return nil
}

// openClock has replicas agree on the time: leases and what is due are told by
// it.
func (a *App) openClock(ctx context.Context) error {
	a.clock = a.DB.Clock(time.Now)
	if _, err := a.clock.Read(ctx); err != nil {
		return err
	}
	if a.config.Clock == nil {
		a.config.Clock = a.clock.Now
	}
	return nil
}
