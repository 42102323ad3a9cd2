package app

import (
	"context"
	"fmt"

	"github.com/99designs/gqlgen/graphql"

	"github.com/bailiwick/bailiwick/ent/idempotencyrecord"
	"github.com/bailiwick/bailiwick/graph"
	"github.com/bailiwick/bailiwick/graph/exec"
	"github.com/bailiwick/bailiwick/graph/serve"
	"github.com/bailiwick/bailiwick/internal/httpd"
	"github.com/bailiwick/bailiwick/internal/telemetry"
	"github.com/bailiwick/bailiwick/tenancy"
)

func (a *App) openHTTP(context.Context) (err error) {
	c := a.config
	replay := graph.NewReplay(a.Client, a.Vault, c.Clock, c.Logger)
	gate := graph.NewGate(a.DB, a.Client, a.log, replay, c.Logger)
	executable := exec.NewExecutableSchema(exec.Config{
		Resolvers: &graph.Resolver{
			Client: a.Client, Access: a.Access, Organizations: a.Organizations, Directory: a.Directory,
			Commands: a.Commands, Members: a.Members, Inventory: a.Inventory,
			Alerts: a.Alerts, Tickets: a.Tickets, Billing: a.Billing, AppleMDM: a.AppleMDM,
		},
		Directives: exec.DirectiveRoot{Requires: gate.Requires, Public: gate.Public},
	})
	a.graphql, err = serve.New(executable, serve.Config{
		Log: c.Logger, Clock: c.Clock,
		RequestID:     telemetry.RequestID,
		Introspection: c.Introspection(),
		Timeout:       c.RequestTimeout,
		Around:        []graphql.HandlerExtension{graph.Sharing{}, replay},
		Observe: func(ctx context.Context, o serve.Observation) {
			code := ""
			if len(o.Codes) > 0 {
				code = string(o.Codes[0])
			}
			telemetry.SetOperation(ctx, o.Operation)
			a.Metrics.Operation(o.Operation, o.Kind, code, o.Duration)
		},
		Limits: serve.Limits{
			BodyBytes: c.MaxBodyBytes, Tokens: c.GraphQLMaxTokens, Depth: c.GraphQLMaxDepth,
			Aliases: c.GraphQLMaxAliases, Cost: c.GraphQLMaxComplexity,
		},
		Stream: serve.Stream{Origins: c.WebSocketOrigins, OnConnect: httpd.Connect(a.Access), Revoked: a.Access.Revoked},
	})
	if err != nil {
		return err
	}
	desk, err := a.Tickets.Webhooks()
	if err != nil {
		return err
	}
	devices, err := a.deviceRoutes()
	if err != nil {
		return err
	}
	managed, err := a.managedRoutes()
	if err != nil {
		return err
	}
	if c.TLSCertificate != "" {
		if a.tls, err = httpd.TLS(c.TLSCertificate, c.TLSKey, c.MDMClientCertificates); err != nil {
			return fmt.Errorf("--tls-certificate and --tls-key: %w", err)
		}
	}
	a.handler = httpd.New(c.Config, httpd.Parts{
		Devices: append(devices, managed...), Desk: desk,
		GraphQL: a.graphql, Access: a.Access, JWKS: a.keys.Handler(), Ready: a.checks,
		Metrics: a.Metrics, Tracing: a.tracing, Logger: c.Logger,
	})
	return nil
}

// forgetIdempotencyKeys deletes the keys whose time is over.
func (a *App) forgetIdempotencyKeys(ctx context.Context) error {
	ctx = tenancy.System(ctx, "forget expired idempotency keys of every provider")
	_, err := a.Client.IdempotencyRecord.Delete().Where(idempotencyrecord.ExpiresAtLTE(a.config.Clock())).Exec(ctx)
	return err
}
