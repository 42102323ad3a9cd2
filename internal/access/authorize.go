package access

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bailiwick/bailiwick/internal/access/policy"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Self is the permission that everyone who is signed in has: to what concerns
// themselves.
const Self policy.Permission = "SELF"

// Authorize returns the scope in which the caller holds a permission, or
// FORBIDDEN if nowhere.
//
// A permission at provider level is held by the administrator's own role, and
// the scope is the caller's. One at organization level is held where the role
// there grants it: the scope is narrowed to those organizations. Organizations
// that are suspended or being deleted are left out where the permission is to
// change something, unless it is to change organizations themselves; if the
// x-org-id header names one, that is PRECONDITION_FAILED.
func (c *Caller) Authorize(ctx context.Context, p policy.Permission) (tenancy.Scope, error) {
	if p == Self {
		return c.scope, nil
	}
	entry, known := policy.Find(p)
	if !known {
		return tenancy.Scope{}, fmt.Errorf("access: there is no permission %q", p)
	}
	if c.owesSecondFactor() {
		return tenancy.Scope{}, fault.New(fault.Forbidden,
			"the provider asks administrators for a second factor: enrol one with enrollTotp and confirmTotp first")
	}
	if !c.keyGrants(entry) {
		return tenancy.Scope{}, forbidden(p)
	}
	scope, err := c.granted(ctx, entry)
	if err != nil || !changes(p) {
		return scope, err
	}
	return c.usable(ctx, entry, scope)
}

// Can reports whether a permission is held in an organization; without one, in
// the organization of the x-org-id header, else at provider level. A permission
// that does not exist is INVALID_ARGUMENT; an organization out of reach is one
// in which nothing is held.
func (c *Caller) Can(ctx context.Context, p policy.Permission, organizationID string) (bool, error) {
	entry, known := policy.Find(p)
	if !known {
		return false, fault.Invalid("permission", "there is no permission %q", string(p))
	}
	if organizationID == "" {
		organizationID = c.header
	}
	switch {
	case c.owesSecondFactor() || !c.keyGrants(entry):
		return false, nil
	case organizationID != "":
		if in, err := c.reaches(ctx, organizationID); !in || err != nil {
			return false, err
		}
	}
	if entry.Level == policy.ProviderLevel || organizationID == "" {
		return c.realm.engine.Allows(c.account.role, c.account.provider, p), nil
	}
	return c.allowed(organizationID, p), nil
}

// reaches reports whether an organization is within the caller's scope.
func (c *Caller) reaches(ctx context.Context, organizationID string) (bool, error) {
	if c.scope.All() {
		return c.service.hasOrganization(ctx, c.account.provider, organizationID)
	}
	return c.scope.Reaches(organizationID), nil
}

func (c *Caller) owesSecondFactor() bool {
	return c.realm.secondFactorNeeded && !c.account.secondFactor
}

// keyGrants reports whether an API key's narrowing leaves a permission. One
// narrowed to organizations changes nothing at provider level but these
// organizations: what is changed there concerns the others too.
func (c *Caller) keyGrants(entry policy.Entry) bool {
	switch {
	case c.key == nil:
		return true
	case len(c.key.permissions) > 0 && !slices.Contains(c.key.permissions, entry.Permission):
		return false
	case len(c.key.organizations) > 0 && entry.Reserved():
		return entry.Permission.Object() == "tenancy.organization" && entry.Permission.Action() != "add"
	}
	return true
}

// allowed reports whether the caller's role in an organization grants a
// permission there.
func (c *Caller) allowed(organizationID string, p policy.Permission) bool {
	return c.realm.engine.Allows(c.account.roleIn(organizationID), organizationID, p)
}

// granted is the part of the caller's scope where a permission is held.
func (c *Caller) granted(ctx context.Context, entry policy.Entry) (tenancy.Scope, error) {
	p, engine := entry.Permission, c.realm.engine
	if entry.Level == policy.ProviderLevel {
		if !engine.Allows(c.account.role, c.account.provider, p) {
			return tenancy.Scope{}, forbidden(p)
		}
		return c.scope, nil
	}
	if !c.scope.All() {
		return c.keep(c.scope.Organizations(), func(id string) bool { return c.allowed(id, p) }, p)
	}
	byOwnRole := engine.Allows(c.account.role, c.account.provider, p)
	less := false
	var more []string
	for id, linked := range c.account.links {
		switch granted := c.allowed(id, p); {
		case linked != "" && byOwnRole && !granted:
			less = true
		case granted:
			more = append(more, id)
		}
	}
	switch {
	case byOwnRole && !less:
		return c.scope, nil
	case !byOwnRole:
		return c.keep(more, func(string) bool { return true }, p)
	}
	all, err := c.service.organizations(ctx, c.account.provider)
	if err != nil {
		return tenancy.Scope{}, err
	}
	return c.keep(all, func(id string) bool { return c.allowed(id, p) }, p)
}

// keep narrows the scope to some organizations; none left is FORBIDDEN.
func (c *Caller) keep(ids []string, keep func(string) bool, p policy.Permission) (tenancy.Scope, error) {
	kept := make([]string, 0, len(ids))
	for _, id := range ids {
		if keep(id) {
			kept = append(kept, id)
		}
	}
	if len(kept) == 0 {
		return tenancy.Scope{}, forbidden(p)
	}
	return tenancy.ForOrganizations(c.principal, c.account.provider, kept...), nil
}

// usable leaves out the organizations in which nothing can be changed.
func (c *Caller) usable(ctx context.Context, entry policy.Entry, scope tenancy.Scope) (tenancy.Scope, error) {
	if len(c.realm.inactive) == 0 {
		return scope, nil
	}
	ids := scope.Organizations()
	if scope.All() {
		all, err := c.service.organizations(ctx, c.account.provider)
		if err != nil {
			return tenancy.Scope{}, err
		}
		ids = all
	}
	active := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return c.realm.inactive[id] })
	switch {
	case len(active) == len(ids) && !scope.All():
		return scope, nil
	case len(active) == 0 && (c.header != "" || entry.Level == policy.OrganizationLevel):
		return tenancy.Scope{}, fault.New(fault.PreconditionFailed,
			"the organization is suspended or being deleted: nothing in it can be changed")
	}
	return tenancy.ForOrganizations(c.principal, c.account.provider, active...), nil
}

// changes reports whether a permission is to change something that a suspended
// organization keeps from being changed.
func changes(p policy.Permission) bool {
	return p.Action() != "view" && !strings.HasPrefix(string(p), "tenancy.")
}

func forbidden(p policy.Permission) error {
	return fault.New(fault.Forbidden, "the permission %s is not held", p)
}
