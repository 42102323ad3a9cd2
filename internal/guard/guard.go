// Package guard keeps entities inside their tenant: it filters every query,
// stamps every creation, and denies whatever arrives without a scope.
//
// The tenancy mixins of the schema call it. It knows nothing of generated
// code: queries and mutations are reached through [Predicator] and ent's own
// mutation interface, and a type that does not offer them is refused.
package guard

import (
	"context"
	"fmt"

	"entgo.io/ent"
	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/tenancy"
)

// The tenancy columns.
const (
	OrganizationColumn = "organization_id"
	ProviderColumn     = "provider_id"
	idColumn           = "id"
)

// Class says how the rows of an entity belong to tenants.
type Class int

// The classes. Every entity has exactly one; the ones without tenancy are on
// an explicit list with a reason (schema.Global).
const (
	Organization     Class = iota + 1 // each row belongs to one organization
	Shared                            // to one organization, or to the provider as a whole
	Log                               // as Shared, but only ever added to; what concerns the whole provider is for whoever reaches all of it
	Provider                          // to one provider
	RootOrganization                  // the organizations themselves
	RootProvider                      // the providers themselves
)

// Predicator is what a query or mutation must offer to be filtered.
type Predicator interface {
	WhereP(...func(*sql.Selector))
}

// Interceptor filters every query of an entity by the scope in the context.
func Interceptor(c Class) ent.Interceptor {
	return ent.TraverseFunc(func(ctx context.Context, q ent.Query) error {
		scope, err := tenancy.From(ctx)
		if err != nil {
			return err
		}
		if scope.IsSystem() {
			return nil
		}
		p, ok := q.(Predicator)
		if !ok {
			return fmt.Errorf("guard: %T cannot be filtered", q)
		}
		p.WhereP(Filter(c, scope))
		return nil
	})
}

// Filter is the predicate that keeps the rows a scope may reach.
func Filter(c Class, scope tenancy.Scope) func(*sql.Selector) {
	return func(s *sql.Selector) {
		switch c {
		case Organization, Log:
			s.Where(reach(s, scope, OrganizationColumn, ProviderColumn))
		case RootOrganization:
			s.Where(reach(s, scope, idColumn, ProviderColumn))
		case Shared:
			s.Where(sql.And(
				sql.EQ(s.C(ProviderColumn), scope.Provider()),
				sql.Or(sql.IsNull(s.C(OrganizationColumn)), reach(s, scope, OrganizationColumn, ProviderColumn)),
			))
		case Provider:
			s.Where(sql.EQ(s.C(ProviderColumn), scope.Provider()))
		case RootProvider:
			s.Where(sql.EQ(s.C(idColumn), scope.Provider()))
		default:
			s.Where(sql.False())
		}
	}
}

func reach(s *sql.Selector, scope tenancy.Scope, organization, provider string) *sql.Predicate {
	if scope.All() {
		return sql.EQ(s.C(provider), scope.Provider())
	}
	if id, one := scope.Organization(); one {
		return sql.And(sql.EQ(s.C(organization), id), sql.EQ(s.C(provider), scope.Provider()))
	}
	ids := scope.Organizations()
	if len(ids) == 0 {
		return sql.False()
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	return sql.And(sql.In(s.C(organization), args...), sql.EQ(s.C(provider), scope.Provider()))
}

// Hook stamps creations with the scope's tenant and confines updates and
// deletions to the rows in reach.
func Hook(c Class) ent.Hook {
	return func(next ent.Mutator) ent.Mutator {
		return ent.MutateFunc(func(ctx context.Context, m ent.Mutation) (ent.Value, error) {
			scope, err := tenancy.From(ctx)
			if err != nil {
				return nil, err
			}
			if !scope.IsSystem() {
				if err := confine(c, scope, m); err != nil {
					return nil, err
				}
			}
			return next.Mutate(ctx, m)
		})
	}
}

func confine(c Class, scope tenancy.Scope, m ent.Mutation) error {
	if m.Op().Is(ent.OpCreate) {
		return stamp(c, scope, m)
	}
	if c == Log {
		return fault.New(fault.Forbidden, "%s is only ever added to", m.Type())
	}
	p, ok := m.(Predicator)
	if !ok {
		return fmt.Errorf("guard: %T cannot be filtered", m)
	}
	p.WhereP(Filter(c, scope))
	return nil
}

func stamp(c Class, scope tenancy.Scope, m ent.Mutation) error {
	switch c {
	case RootProvider:
		return fault.New(fault.Forbidden, "a provider is created by the deployment's operator")
	case RootOrganization:
		if !scope.All() {
			return fault.New(fault.Forbidden, "an organization is created with the whole provider in reach")
		}
		return stampField(m, ProviderColumn, scope.Provider())
	}
	if err := stampField(m, ProviderColumn, scope.Provider()); err != nil || c == Provider {
		return err
	}
	given, set := m.Field(OrganizationColumn)
	switch {
	case set && scope.All():
		return nil // the composite foreign key and row-level security hold it to the provider
	case set:
		if id, _ := given.(string); !scope.Reaches(id) {
			return fault.Missing(id)
		}
		return nil
	case c == Shared || c == Log:
		return nil
	}
	id, one := scope.Organization()
	if !one {
		return fault.Invalid(tenancy.Header, "name the organization to act in with the %s header", tenancy.Header)
	}
	return m.SetField(OrganizationColumn, id)
}

func stampField(m ent.Mutation, column, value string) error {
	if given, set := m.Field(column); set && given != value {
		id, _ := given.(string)
		return fault.Missing(id)
	}
	return m.SetField(column, value)
}
