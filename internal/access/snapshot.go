package access

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/administrator"
	"github.com/bailiwick/bailiwick/ent/administratororganizationlink"
	"github.com/bailiwick/bailiwick/ent/apikey"
	"github.com/bailiwick/bailiwick/ent/organization"
	"github.com/bailiwick/bailiwick/ent/provider"
	"github.com/bailiwick/bailiwick/ent/role"
	"github.com/bailiwick/bailiwick/ent/session"
	"github.com/bailiwick/bailiwick/internal/access/policy"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/tenancy"
)

// What is cached is shared by requests without a lock: it does not change.

// account is what counts of an administrator.
type account struct {
	id, provider, email, role    string
	all, suspended, registered   bool
	secondFactor, apiKeysAllowed bool
	links                        map[string]string // organization to role; "" for the own one
}

// roleIn is the administrator's role in an organization.
func (a *account) roleIn(organization string) string {
	if linked := a.links[organization]; linked != "" {
		return linked
	}
	return a.role
}

// realm is what counts of a provider.
type realm struct {
	engine             *policy.Engine
	secondFactorNeeded bool
	inactive           map[string]bool // organizations that are suspended or being deleted
}

// login is what counts of a session.
type login struct {
	id, administrator string
	expires           time.Time
	over              bool // revoked, or still owing the second factor
}

// apiKey is what counts of an API key.
type apiKey struct {
	id, name, provider, administrator string
	hash                              []byte
	expires                           *time.Time
	revoked                           bool
	organizations                     []string // sorted; empty for no narrowing
	permissions                       []policy.Permission
	lastUsed                          *atomic.Int64 // microseconds; the one thing here that changes
}

func (s *Service) account(ctx context.Context, providerID, id string) (*account, error) {
	return cached(ctx, s.cache, "administrator/"+providerID+"/"+id, func(ctx context.Context) (*account, tag, error) {
		ctx = s.within(ctx, providerID)
		found, err := s.client.Administrator.Query().
			Where(administrator.ID(id)).
			Select(
				administrator.FieldID, administrator.FieldProviderID, administrator.FieldEmail, administrator.FieldRoleID,
				administrator.FieldAllOrganizations, administrator.FieldSuspended, administrator.FieldRegistered,
				administrator.FieldEnableMultiFactor, administrator.FieldAPIKeyAllowed,
			).Only(ctx)
		if err != nil {
			return nil, tag{}, err
		}
		links, err := s.client.AdministratorOrganizationLink.Query().
			Where(administratororganizationlink.AdministratorID(id)).
			Select(administratororganizationlink.FieldOrganizationID, administratororganizationlink.FieldRoleID).
			All(ctx)
		if err != nil {
			return nil, tag{}, fmt.Errorf("read organization links: %w", err)
		}
		a := &account{
			id: found.ID, provider: found.ProviderID, email: found.Email, role: found.RoleID,
			all: found.AllOrganizations, suspended: found.Suspended, registered: found.Registered,
			secondFactor: found.EnableMultiFactor, apiKeysAllowed: found.APIKeyAllowed,
			links: make(map[string]string, len(links)),
		}
		for _, l := range links {
			a.links[l.OrganizationID] = ""
			if l.RoleID != nil {
				a.links[l.OrganizationID] = *l.RoleID
			}
		}
		return a, tag{provider: providerID, id: id}, nil
	})
}

func (s *Service) realm(ctx context.Context, providerID string) (*realm, error) {
	return cached(ctx, s.cache, "provider/"+providerID, func(ctx context.Context) (*realm, tag, error) {
		ctx = s.within(ctx, providerID)
		found, err := s.client.Provider.Query().Where(provider.ID(providerID)).
			Select(provider.FieldID, provider.FieldRequireAdminMfa).Only(ctx)
		if err != nil {
			return nil, tag{}, fmt.Errorf("read provider: %w", err)
		}
		engine, err := s.engine(ctx, providerID)
		if err != nil {
			return nil, tag{}, err
		}
		ids, err := s.client.Organization.Query().
			Where(organization.ProviderID(providerID), organization.StatusNEQ(organization.StatusActive)).IDs(ctx)
		if err != nil {
			return nil, tag{}, fmt.Errorf("read suspended organizations: %w", err)
		}
		r := &realm{engine: engine, secondFactorNeeded: found.RequireAdminMfa, inactive: make(map[string]bool, len(ids))}
		for _, id := range ids {
			r.inactive[id] = true
		}
		return r, tag{provider: providerID, id: providerID}, nil
	})
}

// engine compiles the roles that the context sees.
func (s *Service) engine(ctx context.Context, providerID string) (*policy.Engine, error) {
	rows, err := s.client.Role.Query().Where(role.ProviderID(providerID)).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read roles: %w", err)
	}
	roles := make([]policy.Role, 0, len(rows))
	for _, row := range rows {
		roles = append(roles, compilable(row))
	}
	engine, err := policy.New(providerID, roles)
	if err != nil {
		return nil, fmt.Errorf("compile roles: %w", err)
	}
	return engine, nil
}

// compilable is a role as the policy knows it: what a built-in one grants is
// the program's to say, whatever its row lists.
func compilable(row *ent.Role) policy.Role {
	r := policy.Role{ID: row.ID}
	if row.OrganizationID != nil {
		r.OrganizationID = *row.OrganizationID
	}
	if row.Key != nil {
		r.Key = policy.Key(*row.Key)
		return r
	}
	r.Permissions = permissionsOf(row.Permissions)
	return r
}

func permissionsOf(names []string) []policy.Permission {
	out := make([]policy.Permission, len(names))
	for i, name := range names {
		out[i] = policy.Permission(name)
	}
	return out
}

func (s *Service) login(ctx context.Context, providerID, id string) (*login, error) {
	key := "session/" + providerID + "/" + id
	read := func(ctx context.Context) (*login, tag, error) {
		found, err := s.client.Session.Query().Where(session.ID(id)).
			Select(session.FieldID, session.FieldAdministratorID, session.FieldExpiresAt, session.FieldRevokedAt, session.FieldPending).
			Only(s.within(ctx, providerID))
		if err != nil {
			return nil, tag{}, err
		}
		l := &login{
			id: id, administrator: found.AdministratorID, expires: found.ExpiresAt,
			over: found.Pending || found.RevokedAt != nil,
		}
		return l, tag{provider: providerID, id: id, administrator: found.AdministratorID}, nil
	}
	l, err := cached(ctx, s.cache, key, read)
	if err == nil && !s.now().Before(l.expires) {
		// Refreshed meanwhile, perhaps, which is announced to nobody.
		l, _, err = read(ctx)
	}
	return l, err
}

func (s *Service) apiKey(ctx context.Context, prefix string) (*apiKey, error) {
	return cached(ctx, s.cache, "key/"+prefix, func(ctx context.Context) (*apiKey, tag, error) {
		ctx = tenancy.System(database.Detached(ctx), "look an API key up before its provider is known")
		found, err := s.client.ApiKey.Query().Where(apikey.Prefix(prefix)).Only(ctx)
		if err != nil {
			return nil, tag{}, err
		}
		k := &apiKey{
			id: found.ID, name: found.Name, provider: found.ProviderID, administrator: found.AdministratorID,
			hash: found.SecretHash, expires: found.ExpiresAt, revoked: found.RevokedAt != nil,
			organizations: slices.Sorted(slices.Values(found.OrganizationIds)), permissions: permissionsOf(found.Permissions),
			lastUsed: lastUse(found),
		}
		return k, tag{provider: k.provider, id: k.id, administrator: k.administrator}, nil
	})
}

// hasOrganization reports whether an organization is a provider's. It is asked
// of the database in the provider's scope, so that an unknown and a foreign
// organization take the same way.
func (s *Service) hasOrganization(ctx context.Context, providerID, id string) (bool, error) {
	_, err := cached(ctx, s.cache, "organization/"+providerID+"/"+id, func(ctx context.Context) (struct{}, tag, error) {
		_, err := s.client.Organization.Query().
			Where(organization.ProviderID(providerID), organization.ID(id)).OnlyID(s.within(ctx, providerID))
		return struct{}{}, tag{provider: providerID, id: id}, err
	})
	if ent.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// organizations lists a provider's organizations. Only those need it who reach
// all but a few of them.
func (s *Service) organizations(ctx context.Context, providerID string) ([]string, error) {
	return cached(ctx, s.cache, "organizations/"+providerID, func(ctx context.Context) ([]string, tag, error) {
		ids, err := s.client.Organization.Query().
			Where(organization.ProviderID(providerID)).Order(organization.ByID()).IDs(s.within(ctx, providerID))
		if err != nil {
			return nil, tag{}, fmt.Errorf("list organizations: %w", err)
		}
		return ids, tag{provider: providerID, id: providerID}, nil
	})
}
