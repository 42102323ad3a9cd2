package access

import (
	"context"
	"log/slog"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Caller is the principal of a request, with what it may reach and do. It is a
// snapshot taken when the request came in, immutable and safe for concurrent
// use; [Caller.Renew] takes another.
type Caller struct {
	service   *Service
	account   *account
	realm     *realm
	key       *apiKey // nil for a session
	session   string  // id of the session; empty for a key
	principal tenancy.Principal
	scope     tenancy.Scope // full reach, narrowed by the header
	header    string        // the organization that the header names, verified
	renew     func(context.Context) (*Caller, error)
}

type callerKey struct{}

// With returns a context that carries the caller. It does not set a scope:
// what the request may touch is [Caller.Authorize]'s to say.
func With(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// From returns the context's caller, or UNAUTHENTICATED when nobody is signed in.
func From(ctx context.Context) (*Caller, error) {
	if c, _ := ctx.Value(callerKey{}).(*Caller); c != nil {
		return c, nil
	}
	return nil, fault.New(fault.Unauthenticated, "sign in, or send an API key")
}

// Scope is all that the caller reaches, narrowed to the organization that the
// x-org-id header names.
func (c *Caller) Scope() tenancy.Scope { return c.scope }

// Principal is who acts.
func (c *Caller) Principal() tenancy.Principal { return c.principal }

// ProviderID is the caller's provider.
func (c *Caller) ProviderID() string { return c.account.provider }

// AdministratorID is who signed in, or whose API key is used.
func (c *Caller) AdministratorID() string { return c.account.id }

// APIKeyID is the API key that is used; empty for a session.
func (c *Caller) APIKeyID() string { return c.principal.APIKeyID }

// SessionID is the session that is used; empty for an API key.
func (c *Caller) SessionID() string { return c.session }

// OrganizationHeader is the organization that the x-org-id header named, which
// is verified to be in reach; empty without the header.
func (c *Caller) OrganizationHeader() string { return c.header }

// Renew authenticates the caller's credentials again, for a connection that
// outlives a request: it errs once they have expired or been taken away.
func (c *Caller) Renew(ctx context.Context) (*Caller, error) { return c.renew(ctx) }

// LogValue names the caller in logs.
func (c *Caller) LogValue() slog.Value {
	return slog.GroupValue(slog.String("kind", string(c.principal.Kind)),
		slog.String("administrator", c.principal.AdministratorID), slog.String("key", c.principal.APIKeyID))
}

// narrowedKey reports whether an API key is narrowed to organizations.
func (c *Caller) narrowedKey() bool { return c.key != nil && len(c.key.organizations) > 0 }

// unrestricted reports whether every organization of the provider is in reach,
// the header aside.
func (c *Caller) unrestricted() bool { return c.account.all && !c.narrowedKey() }
