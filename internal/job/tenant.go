package job

import (
	"context"

	"github.com/bailiwick/bailiwick/tenancy"
)

// Tenant is embedded in the args of a job that acts for a tenant. A query that
// groups rows by their tenant can be scanned into a list of them.
type Tenant struct {
	Provider     string `json:"provider" sql:"provider_id"`
	Organization string `json:"organization,omitempty" sql:"organization_id"` // empty for work on the provider's level
}

func (t Tenant) tenant() Tenant { return t }

type tenantArgs interface{ tenant() Tenant }

// TenantOf is the tenant of the context's scope: its provider, and the
// organization if exactly one is in reach.
func TenantOf(ctx context.Context) (Tenant, error) {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return Tenant{}, err
	}
	organization, _ := scope.Organization()
	return Tenant{Provider: scope.Provider(), Organization: organization}, nil
}

// TenantContext returns a context in which a part of Bailiwick, by its name,
// acts for a tenant and reaches nothing else.
func TenantContext(ctx context.Context, t Tenant, name string) context.Context {
	var organizations []string
	if t.Organization != "" {
		organizations = []string{t.Organization}
	}
	return tenancy.With(ctx, tenancy.ForOrganizations(tenancy.ServicePrincipal(name), t.Provider, organizations...))
}

// Visible is embedded in the args of a job that a user waits for. The queue
// marks the Job that [Queue.Track] created as running, and as finished however
// the work ends.
type Visible struct {
	Tenant
	Job string `json:"job"` // the Job's id
}

func (v Visible) visible() Visible { return v }

type visibleArgs interface{ visible() Visible }
