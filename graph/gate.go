package graph

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/systemlogevent"
	"github.com/bailiwick/bailiwick/internal/access"
	"github.com/bailiwick/bailiwick/internal/access/policy"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Gate is what every root field passes: it decides whether the caller may,
// confines what follows to the organizations in which they may, runs a
// mutation in a transaction, and writes the system log. It is the runtime of
// the directives requires and public.
type Gate struct {
	db     *database.DB
	client *ent.Client
	log    *audit.Log
	replay *Replay
	logger *slog.Logger
}

// NewGate returns the gate over a database.
func NewGate(db *database.DB, client *ent.Client, log *audit.Log, replay *Replay, logger *slog.Logger) *Gate {
	return &Gate{db: db, client: client, log: log, replay: replay, logger: logger}
}

// Public lets a field through that needs no credential. What it does outside
// of any tenant, its service does under a system scope of its own.
func (g *Gate) Public(ctx context.Context, _ any, next graphql.Resolver, _ string) (any, error) {
	res, err := next(ctx)
	return res, translate(err, "")
}

// Requires lets a field through whose caller holds a permission. A mutation runs
// in a transaction that also holds its system-log event and its Idempotency-Key,
// with two exceptions. Without transaction it sees to its own, and what it does
// is logged when it has succeeded. With shared its domain may do it in one
// transaction with others that come at the same time, and then records the
// event, which the context carries ([audit.Take]), in that one; what it leaves
// unrecorded is logged here. A mutation with an Idempotency-Key shares none: the
// key and the change are to be one.
func (g *Gate) Requires(ctx context.Context, _ any, next graphql.Resolver, permission string, transaction, shared bool) (any, error) {
	caller, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	fc := graphql.GetFieldContext(ctx)
	scope, err := caller.Authorize(ctx, policy.Permission(permission))
	if err != nil {
		if isRoot(fc) && fault.CodeOf(err) == fault.Forbidden {
			g.denied(ctx, caller, fc)
		}
		return nil, err
	}
	root := rootOf(fc)
	if !isRoot(fc) {
		if above, ok := stateFrom(ctx).reach(root); ok && !scope.Covers(above) {
			return nil, fault.New(fault.Forbidden,
				"%s takes %s, which is not held in every organization asked about: name one with the %s header",
				fc.Field.Name, permission, tenancy.Header)
		}
		return next(tenancy.With(ctx, scope))
	}
	stateFrom(ctx).enter(root, scope)
	ctx = tenancy.With(ctx, scope)
	id := idOf(fc.Args)
	var res any
	if fc.Object == "Mutation" {
		res, err = g.mutate(ctx, caller, fc, next, mode{transaction, shared}, id)
	} else {
		res, err = next(ctx)
		err = translate(err, id)
	}
	if err != nil {
		return nil, g.forbiddenIfReadable(ctx, caller, scope, err)
	}
	return res, nil
}

// mode is what requires says of a mutation's transaction.
type mode struct{ transaction, shared bool }

func (g *Gate) mutate(ctx context.Context, caller *access.Caller, fc *graphql.FieldContext, next graphql.Resolver, m mode, id string) (any, error) {
	ctx, trail := guard.WithTrail(ctx)
	var res any
	entry := audit.Entry{EventType: fc.Field.Name, Outcome: systemlogevent.OutcomeSuccess, Actor: caller.Principal()}
	record := func(ctx context.Context) error {
		return g.log.RecordAll(ctx, audit.Split(entry, trail.Touched()))
	}
	run := func(ctx context.Context) (err error) {
		if res, err = next(ctx); err != nil {
			return err
		}
		return record(ctx)
	}
	var err error
	switch {
	case m.shared && !g.replay.claims(ctx):
		var pending *audit.Pending
		if ctx, pending, err = audit.WithPending(ctx, entry); err != nil {
			break
		}
		if res, err = next(ctx); err == nil && (!pending.Recorded() || len(trail.Touched()) > 0) {
			err = record(ctx)
		}
	case m.transaction:
		err = g.db.InTx(ctx, func(ctx context.Context) error {
			if err := g.replay.claim(ctx); err != nil {
				return err
			}
			return run(ctx)
		})
	default:
		if err = g.replay.claim(ctx); err != nil {
			break
		}
		if err = run(ctx); err != nil {
			g.replay.release(ctx)
		}
	}
	if err == nil {
		return res, nil
	}
	err = translate(err, id)
	entry.Outcome, entry.Reason, entry.Targets = systemlogevent.OutcomeFailure, string(fault.CodeOf(err)), named(id)
	if recordErr := g.log.Record(context.WithoutCancel(ctx), entry); recordErr != nil {
		g.logger.ErrorContext(ctx, "record a failed mutation", "operation", fc.Field.Name, "error", recordErr)
	}
	return nil, err
}

// denied records that a permission was missing.
func (g *Gate) denied(ctx context.Context, caller *access.Caller, fc *graphql.FieldContext) {
	err := g.log.Record(tenancy.With(context.WithoutCancel(ctx), caller.Scope()), audit.Entry{
		EventType: fc.Field.Name, Outcome: systemlogevent.OutcomeDenied, Reason: string(fault.Forbidden),
		Actor: caller.Principal(), Targets: named(idOf(fc.Args)),
	})
	if err != nil {
		g.logger.ErrorContext(ctx, "record a denied operation", "operation", fc.Field.Name, "error", err)
	}
}

// forbiddenIfReadable tells "not yours to do" from "not there": an object that
// is in the caller's reach, but not in an organization where they hold the
// permission, is FORBIDDEN; anything else stays NOT_FOUND.
func (g *Gate) forbiddenIfReadable(ctx context.Context, caller *access.Caller, scope tenancy.Scope, err error) error {
	missing, ok := errors.AsType[*fault.Error](err)
	if !ok || missing.Code != fault.NotFound || missing.ID == "" || scope.Covers(caller.Scope()) {
		return err
	}
	prefix, _, _ := strings.Cut(missing.ID, "_")
	table, ok := ent.TypeOf(prefix)
	if !ok {
		return err
	}
	there, lookupErr := g.client.Exists(tenancy.With(ctx, caller.Scope()), table, missing.ID)
	if lookupErr != nil || !there {
		return err
	}
	return fault.New(fault.Forbidden, "the permission is not held in this object's organization")
}

func isRoot(fc *graphql.FieldContext) bool {
	return fc.Object == "Query" || fc.Object == "Mutation" || fc.Object == "Subscription"
}

// rootOf is the alias of the root field above.
func rootOf(fc *graphql.FieldContext) string {
	alias := ""
	for ; fc != nil; fc = fc.Parent {
		if fc.Field.Field != nil {
			alias = fc.Field.Alias
		}
	}
	return alias
}

// idOf is the id of the object that a field is about, by convention its
// argument id or the field of that name in its input, or the device that the
// input names; "" if there is none.
func idOf(args map[string]any) string {
	if id, ok := args["id"].(string); ok {
		return id
	}
	input := reflect.ValueOf(args["input"])
	if input.Kind() != reflect.Struct {
		return ""
	}
	for _, name := range []string{"ID", "DeviceID"} {
		if f := input.FieldByName(name); f.IsValid() && f.Kind() == reflect.String {
			return f.String()
		}
	}
	return ""
}
