package access

import (
	"context"
	"fmt"
	"slices"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/administratororganizationlink"
	"github.com/bailiwick/bailiwick/internal/access/policy"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// Nobody grants what they do not hold: no role that may more than theirs, no
// organization out of their reach. What a caller holds is their snapshot's to
// say; the header narrows where they act, and so where they can grant.

// holds reports whether the caller may do all that a role may, in a domain: the
// provider or one of its organizations.
func (c *Caller) holds(role, domain string) bool {
	own := c.account.role
	if domain != c.account.provider {
		own = c.account.roleIn(domain)
	}
	if !c.realm.engine.Covers(own, role, domain) {
		return false
	}
	for _, p := range c.realm.engine.Permissions(role, domain) {
		if !c.keyLists(p) {
			return false
		}
	}
	return true
}

// keyLists reports whether a narrowed API key lists a permission.
func (c *Caller) keyLists(p policy.Permission) bool {
	return c.key == nil || len(c.key.permissions) == 0 || slices.Contains(c.key.permissions, p)
}

// holdsPermission is holds for a single permission.
func (c *Caller) holdsPermission(p policy.Permission, domain string) bool {
	own := c.account.role
	if domain != c.account.provider {
		own = c.account.roleIn(domain)
	}
	return c.realm.engine.Allows(own, domain, p) && c.keyLists(p)
}

// holdsEverywhere reports whether the caller reaches every organization, and
// in each may do all that a role may.
func (c *Caller) holdsEverywhere(role string) bool {
	if !c.unrestricted() || !c.holds(role, c.account.provider) {
		return false
	}
	for organizationID, linked := range c.account.links {
		if linked != "" && !c.holds(role, organizationID) {
			return false
		}
	}
	return true
}

// mayGrantIn refuses a role in an organization that the caller does not hold
// there. An organization out of reach is NOT_FOUND.
func (c *Caller) mayGrantIn(ctx context.Context, role, organizationID string) error {
	in, err := c.reaches(ctx, organizationID)
	switch {
	case err != nil:
		return err
	case !in:
		return fault.Missing(organizationID)
	case !c.holds(role, organizationID):
		return exceeds()
	}
	return nil
}

// mayGrant refuses a role at provider level, over an organization each or over
// all, that the caller does not hold there.
func (c *Caller) mayGrant(ctx context.Context, role string, all bool, organizations []string) error {
	if !c.holds(role, c.account.provider) || all && !c.holdsEverywhere(role) {
		return exceeds()
	}
	for _, id := range organizations {
		if err := c.mayGrantIn(ctx, role, id); err != nil {
			return err
		}
	}
	return nil
}

func exceeds() error {
	return fault.New(fault.Forbidden, "nobody grants what they do not hold: the role or the organizations exceed your own")
}

// assignable is a role by its id that can be given at provider level or, with
// an organization, there.
func (s *Service) assignable(ctx context.Context, roleID, organizationID string) error {
	r, err := s.client.Role.Get(ctx, roleID)
	switch {
	case ent.IsNotFound(err):
		return fault.Missing(roleID)
	case err != nil:
		return fmt.Errorf("read role: %w", err)
	case r.OrganizationID != nil && *r.OrganizationID != organizationID:
		return fault.Invalid("input.roleId", "the role belongs to one organization, and has no meaning elsewhere")
	}
	return nil
}

// GrantAccess lets an administrator into an organization, with a role there or,
// without one, with their own. Granted before, it changes the role.
func (s *Service) GrantAccess(ctx context.Context, administratorID, organizationID string, roleID *string) (*ent.AdministratorOrganizationLink, error) {
	c, err := From(ctx)
	if err != nil {
		return nil, err
	}
	var link *ent.AdministratorOrganizationLink
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		a, err := s.administrator(ctx, administratorID)
		if err != nil {
			return err
		}
		role := a.RoleID
		if roleID != nil {
			role = *roleID
			if err := s.assignable(ctx, role, organizationID); err != nil {
				return err
			}
		}
		if err := c.mayGrantIn(ctx, role, organizationID); err != nil {
			return err
		}
		link, err = s.client.AdministratorOrganizationLink.Query().Where(
			administratororganizationlink.AdministratorID(administratorID),
			administratororganizationlink.OrganizationID(organizationID)).Only(ctx)
		switch {
		case ent.IsNotFound(err):
			link, err = s.client.AdministratorOrganizationLink.Create().
				SetAdministratorID(administratorID).SetOrganizationID(organizationID).SetNillableRoleID(roleID).Save(ctx)
		case err == nil && roleID == nil:
			link, err = link.Update().ClearRoleID().Save(ctx)
		case err == nil:
			link, err = link.Update().SetRoleID(*roleID).Save(ctx)
		}
		if err != nil {
			return fmt.Errorf("grant access: %w", err)
		}
		return s.Announce(ctx, a.ProviderID, a.ID)
	})
	return link, err
}

// RevokeAccess takes an administrator's link to an organization away, and
// answers the link's id.
func (s *Service) RevokeAccess(ctx context.Context, administratorID, organizationID string) (string, error) {
	var id string
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		link, err := s.client.AdministratorOrganizationLink.Query().Where(
			administratororganizationlink.AdministratorID(administratorID),
			administratororganizationlink.OrganizationID(organizationID)).Only(ctx)
		switch {
		case ent.IsNotFound(err):
			return fault.New(fault.NotFound, "the administrator has no link to this organization, or it is not in reach")
		case err != nil:
			return fmt.Errorf("read organization link: %w", err)
		}
		id = link.ID
		if err := s.client.AdministratorOrganizationLink.DeleteOne(link).Exec(ctx); err != nil {
			return fmt.Errorf("revoke access: %w", err)
		}
		return s.Announce(ctx, link.ProviderID, administratorID)
	})
	return id, err
}
