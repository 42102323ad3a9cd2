// Package tenancy says who is asking and which organizations they may reach.
//
// A [Scope] is resolved once per request, carried in the context, and read by
// every wall behind it: the permission gate, the tenant filter of the entities
// and PostgreSQL's row-level security. A context without a scope is an error
// everywhere; it never means "all".
package tenancy

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// Header names the organization that a request acts in.
const Header = "x-org-id"

// ErrNoScope reports work on tenant data in a context that carries no scope.
var ErrNoScope = errors.New("tenancy: no scope in context")

// ErrNotOne reports work for one organization in a scope that reaches none, or
// several.
var ErrNotOne = errors.New("tenancy: the scope is not one organization's")

// Kind tells what sort of principal acts.
type Kind string

// The kinds of principal.
const (
	Administrator Kind = "ADMINISTRATOR" // a signed-in technician
	APIKey        Kind = "API_KEY"       // an administrator's API key
	Service       Kind = "SERVICE"       // Bailiwick itself, on a tenant's behalf
)

// Principal is who acts. AdministratorID is set for technicians and their keys;
// APIKeyID for keys only. Name is for people to read: an e-mail address, or
// the service's name.
type Principal struct {
	Kind            Kind
	AdministratorID string
	APIKeyID        string
	Name            string
}

// Scope is a principal together with the organizations in reach. The zero
// Scope reaches nothing. A Scope is immutable.
type Scope struct {
	principal     Principal
	provider      string
	all           bool
	organizations []string // sorted, unique
	reason        string   // set for System only
}

// ForProvider reaches every organization of a provider.
func ForProvider(p Principal, provider string) Scope {
	return Scope{principal: p, provider: provider, all: true}
}

// ForOrganizations reaches the named organizations of a provider, and only
// those; with none it reaches provider-level data only.
func ForOrganizations(p Principal, provider string, organizations ...string) Scope {
	ids := slices.Clone(organizations)
	slices.Sort(ids)
	return Scope{principal: p, provider: provider, organizations: slices.Compact(ids)}
}

// ServicePrincipal is Bailiwick acting for a tenant; name says which part.
func ServicePrincipal(name string) Principal { return Principal{Kind: Service, Name: name} }

// Narrow keeps one organization. The caller has verified that it belongs to
// the scope's provider; one outside an enumerated reach yields ok = false.
func (s Scope) Narrow(organization string) (narrowed Scope, ok bool) {
	if organization == "" || s.IsSystem() || !s.all && !s.Reaches(organization) {
		return Scope{}, false
	}
	return ForOrganizations(s.principal, s.provider, organization), true
}

// Principal is who acts.
func (s Scope) Principal() Principal { return s.principal }

// Provider is the provider's id; empty for the zero and the system scope.
func (s Scope) Provider() string { return s.provider }

// All reports whether every organization of the provider is in reach.
func (s Scope) All() bool { return s.all }

// Organizations lists the organizations in reach, sorted; it is empty when
// [Scope.All] holds. The caller must not change it.
func (s Scope) Organizations() []string { return s.organizations }

// Organization is the single organization in reach, if there is exactly one.
func (s Scope) Organization() (id string, ok bool) {
	if s.all || len(s.organizations) != 1 {
		return "", false
	}
	return s.organizations[0], true
}

// Reaches reports whether an organization is within an enumerated reach. A
// scope over all of a provider cannot tell, and answers false: membership is
// then the database's to decide.
func (s Scope) Reaches(organization string) bool {
	_, found := slices.BinarySearch(s.organizations, organization)
	return found
}

// Covers reports whether everything that another scope reaches is in reach.
func (s Scope) Covers(other Scope) bool {
	if s.IsSystem() {
		return true
	}
	if s.provider != other.provider || other.IsSystem() {
		return false
	}
	if s.all {
		return true
	}
	if other.all {
		return false
	}
	for _, id := range other.organizations {
		if !s.Reaches(id) {
			return false
		}
	}
	return true
}

// IsSystem reports whether the scope is outside every tenant.
func (s Scope) IsSystem() bool { return s.reason != "" }

// Reason says why system work needs to stand outside every tenant.
func (s Scope) Reason() string { return s.reason }

// IsZero reports whether the scope was never set.
func (s Scope) IsZero() bool { return s.reason == "" && s.provider == "" }

// Key identifies the data in reach, whoever asks: equal keys see equal rows.
func (s Scope) Key() string {
	switch {
	case s.IsSystem():
		return "system"
	case s.all:
		return s.provider + "/*"
	default:
		return s.provider + "/" + strings.Join(s.organizations, ",")
	}
}

type contextKey struct{}

// With returns a context that carries the scope.
func With(ctx context.Context, s Scope) context.Context {
	return context.WithValue(ctx, contextKey{}, s)
}

// From returns the context's scope, or [ErrNoScope].
func From(ctx context.Context) (Scope, error) {
	s, _ := ctx.Value(contextKey{}).(Scope)
	if s.IsZero() {
		return Scope{}, ErrNoScope
	}
	return s, nil
}

// One returns the one organization that the context's scope reaches, and its
// provider; or [ErrNoScope], or [ErrNotOne].
func One(ctx context.Context) (provider, organization string, err error) {
	s, err := From(ctx)
	if err != nil {
		return "", "", err
	}
	organization, ok := s.Organization()
	if !ok {
		return "", "", ErrNotOne
	}
	return s.provider, organization, nil
}

// System returns a context for work that belongs to no tenant: schedulers,
// migrations, the look-up of a credential before its tenant is known. The
// reason is mandatory, and a test pins the places that call this.
func System(ctx context.Context, reason string) context.Context {
	if strings.TrimSpace(reason) == "" {
		return ctx
	}
	return With(ctx, Scope{reason: reason, principal: ServicePrincipal(reason)})
}
