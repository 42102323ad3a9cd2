package graph

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/idempotencyrecord"
	"github.com/bailiwick/bailiwick/internal/access"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/tenancy"
)

// IdempotencyHeader names a mutation, so that a repeat answers the first
// result instead of acting again.
const IdempotencyHeader = "Idempotency-Key"

// idempotencyWindow is how long a key is remembered.
const idempotencyWindow = 24 * time.Hour

// maxIdempotencyKey is the longest key taken, in bytes.
const maxIdempotencyKey = 200

// Replay makes mutations that carry an Idempotency-Key happen once. The key is
// recorded in the mutation's own transaction; the response is kept sealed, for
// it may show a secret. A request that failed leaves no record, and may be
// sent again.
type Replay struct {
	client *ent.Client
	vault  *secret.Vault
	clock  func() time.Time
	logger *slog.Logger
}

// NewReplay returns the memory of mutations.
func NewReplay(client *ent.Client, vault *secret.Vault, clock func() time.Time, logger *slog.Logger) *Replay {
	return &Replay{client: client, vault: vault, clock: clock, logger: logger}
}

// claimed is one request's hold on its key.
type claimed struct {
	principal, key string
	hash           []byte
	scope          tenancy.Scope
	record         string // the record's id, once it is written
}

type claimKey struct{}

// ExtensionName implements gqlgen's extension.
func (*Replay) ExtensionName() string { return "Replay" }

// Validate implements gqlgen's extension.
func (*Replay) Validate(graphql.ExecutableSchema) error { return nil }

// InterceptResponse answers a repeat, and remembers the response of a first.
func (r *Replay) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	oc := graphql.GetOperationContext(ctx)
	key := oc.Headers.Get(IdempotencyHeader)
	caller, err := access.From(ctx)
	if key == "" || oc.Operation.Operation != ast.Mutation || err != nil {
		return next(ctx)
	}
	if len(key) > maxIdempotencyKey {
		return refuse(ctx, fault.Invalid(IdempotencyHeader, "at most %d characters", maxIdempotencyKey))
	}
	if !utf8.ValidString(key) {
		return refuse(ctx, fault.Invalid(IdempotencyHeader, "text in UTF-8"))
	}
	p := caller.Principal()
	c := &claimed{principal: p.AdministratorID + "/" + p.APIKeyID, key: key, hash: hashOf(oc, caller), scope: providerScope(caller)}
	stored, err := r.stored(ctx, c)
	switch {
	case err != nil:
		return refuse(ctx, err)
	case stored != nil:
		return stored
	}
	response := next(context.WithValue(ctx, claimKey{}, c))
	if response != nil && c.record != "" {
		r.keep(context.WithoutCancel(ctx), c, response)
	}
	return response
}

// stored is the first result, nil if this is the first request.
func (r *Replay) stored(ctx context.Context, c *claimed) (*graphql.Response, error) {
	ctx = tenancy.With(ctx, c.scope)
	record, err := r.client.IdempotencyRecord.Query().
		Where(idempotencyrecord.Principal(c.principal), idempotencyrecord.Key(c.key), idempotencyrecord.ExpiresAtGT(r.clock())).
		Only(ctx)
	if ent.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up idempotency key: %w", err)
	}
	if !bytes.Equal(record.RequestHash, c.hash) {
		return nil, fault.Invalid(IdempotencyHeader, "this key was used for another request")
	}
	if record.Result == nil || len(*record.Result) == 0 { // a null column is read as no bytes
		return nil, fault.New(fault.Conflict, "the first request with this %s has not answered; what it did is in the system log", IdempotencyHeader)
	}
	plain, err := r.vault.Open(ctx, place(c.scope, record.ID), *record.Result)
	if err != nil {
		return nil, fmt.Errorf("open the kept response: %w", err)
	}
	var response graphql.Response
	if err := json.Unmarshal(plain, &response); err != nil {
		return nil, fmt.Errorf("decode the kept response: %w", err)
	}
	return &response, nil
}

// claims reports whether the request has a key.
func (*Replay) claims(ctx context.Context) bool {
	c, _ := ctx.Value(claimKey{}).(*claimed)
	return c != nil
}

// claim records the request's key, if it has one, before the first mutation.
func (r *Replay) claim(ctx context.Context) error {
	c, _ := ctx.Value(claimKey{}).(*claimed)
	if c == nil || c.record != "" {
		return nil
	}
	ctx = guard.WithoutTrail(ctx)
	// Stale keys are cleared by their owner's next use, so that a record that
	// the cleaner has not reached yet does not stand in the way.
	_, err := r.client.IdempotencyRecord.Delete().
		Where(idempotencyrecord.Principal(c.principal), idempotencyrecord.Key(c.key), idempotencyrecord.ExpiresAtLTE(r.clock())).
		Exec(ctx)
	if err != nil {
		return fmt.Errorf("clear expired idempotency key: %w", err)
	}
	record, err := r.client.IdempotencyRecord.Create().
		SetPrincipal(c.principal).SetKey(c.key).SetRequestHash(c.hash).
		SetExpiresAt(r.clock().Add(idempotencyWindow)).
		Save(ctx)
	if ent.IsConstraintError(err) {
		return fault.New(fault.Conflict, "a request with this %s is under way", IdempotencyHeader).Wrap(err)
	}
	if err != nil {
		return fmt.Errorf("record idempotency key: %w", err)
	}
	// Only now is it sure: the transaction may run again before it commits.
	database.AfterCommit(ctx, func() { c.record = record.ID })
	return nil
}

// release forgets the key of a request that changed nothing.
func (r *Replay) release(ctx context.Context) {
	c, _ := ctx.Value(claimKey{}).(*claimed)
	if c == nil || c.record == "" {
		return
	}
	if err := r.client.IdempotencyRecord.DeleteOneID(c.record).Exec(context.WithoutCancel(ctx)); err != nil {
		r.logger.ErrorContext(ctx, "forget idempotency key", "error", err)
	}
	c.record = ""
}

// keep stores the response for repeats. A response that is an error for every
// field left no record to keep it in.
func (r *Replay) keep(ctx context.Context, c *claimed, response *graphql.Response) {
	ctx = tenancy.With(ctx, c.scope)
	plain, err := json.Marshal(response)
	if err == nil {
		var sealed []byte
		if sealed, err = r.vault.Seal(ctx, place(c.scope, c.record), plain); err == nil {
			err = r.client.IdempotencyRecord.Update().Where(idempotencyrecord.ID(c.record)).SetResult(sealed).Exec(ctx)
		}
	}
	if err != nil {
		r.logger.ErrorContext(ctx, "keep the response of an idempotent mutation", "error", err)
	}
}

func place(scope tenancy.Scope, id string) secret.Place {
	return secret.Place{Tenant: scope.Provider(), Table: idempotencyrecord.Table, Column: idempotencyrecord.FieldResult, Row: id}
}

func hashOf(oc *graphql.OperationContext, caller *access.Caller) []byte {
	variables, err := json.Marshal(oc.Variables)
	if err != nil { // uploads have no JSON form, and are not taken
		variables = nil
	}
	h := sha256.New()
	for _, part := range []string{oc.RawQuery, oc.OperationName, string(variables), caller.OrganizationHeader()} {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return h.Sum(nil)
}

func providerScope(caller *access.Caller) tenancy.Scope {
	return tenancy.ForProvider(caller.Principal(), caller.ProviderID())
}

func refuse(ctx context.Context, err error) *graphql.Response {
	graphql.AddError(ctx, err)
	return &graphql.Response{Errors: graphql.GetErrors(ctx)}
}
