package access

import (
	"context"
	"fmt"

	"entgo.io/ent/dialect/sql/sqlgraph"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/predicate"
	"github.com/bailiwick/bailiwick/ent/role"
	"github.com/bailiwick/bailiwick/internal/access/policy"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// NewRole is a custom role to be created.
type NewRole struct {
	Name           string
	Description    *string
	Permissions    []string
	OrganizationID *string // nil for the provider as a whole
}

// CreateRole creates a custom role.
func (s *Service) CreateRole(ctx context.Context, in NewRole) (*ent.Role, error) {
	c, err := From(ctx)
	if err != nil {
		return nil, err
	}
	var r *ent.Role
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if err := c.mayShape(ctx, "access.add_role", in.OrganizationID); err != nil {
			return err
		}
		if err := c.mayList(in.OrganizationID, in.Permissions); err != nil {
			return err
		}
		if err := s.nameFree(ctx, c, in.Name, in.OrganizationID, ""); err != nil {
			return err
		}
		r, err = s.client.Role.Create().
			SetName(in.Name).SetNillableDescription(in.Description).SetPermissions(in.Permissions).
			SetNillableOrganizationID(in.OrganizationID).Save(ctx)
		if err != nil {
			return fmt.Errorf("create role: %w", err)
		}
		return s.Announce(ctx, r.ProviderID, r.ProviderID)
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// RoleChange is what to change of a role; nil leaves it.
type RoleChange struct {
	ID                string
	Name, Description *string
	Permissions       []string
}

// UpdateRole changes a custom role. Whoever has it feels it at once.
func (s *Service) UpdateRole(ctx context.Context, in RoleChange) (*ent.Role, error) {
	c, err := From(ctx)
	if err != nil {
		return nil, err
	}
	var r *ent.Role
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		before, err := s.custom(ctx, in.ID)
		if err != nil {
			return err
		}
		if err := c.mayShape(ctx, "access.change_role", before.OrganizationID); err != nil {
			return err
		}
		update := s.client.Role.UpdateOne(before).SetNillableDescription(in.Description)
		if in.Name != nil && *in.Name != before.Name {
			if err := s.nameFree(ctx, c, *in.Name, before.OrganizationID, before.ID); err != nil {
				return err
			}
			update.SetName(*in.Name)
		}
		if in.Permissions != nil {
			if err := c.mayList(before.OrganizationID, in.Permissions); err != nil {
				return err
			}
			update.SetPermissions(in.Permissions)
		}
		if r, err = update.Save(ctx); err != nil {
			return fmt.Errorf("change role: %w", err)
		}
		return s.Announce(ctx, r.ProviderID, r.ProviderID)
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// DeleteRole deletes a custom role that nobody has.
func (s *Service) DeleteRole(ctx context.Context, id string) error {
	c, err := From(ctx)
	if err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		r, err := s.custom(ctx, id)
		if err != nil {
			return err
		}
		if err := c.mayShape(ctx, "access.delete_role", r.OrganizationID); err != nil {
			return err
		}
		err = s.client.Role.DeleteOne(r).Exec(ctx)
		switch {
		case sqlgraph.IsForeignKeyConstraintError(err):
			return fault.New(fault.PreconditionFailed, "somebody has this role: give them another one first").Wrap(err)
		case err != nil:
			return fmt.Errorf("delete role: %w", err)
		}
		return s.Announce(ctx, r.ProviderID, r.ProviderID)
	})
}

// custom is a role that can be changed.
func (s *Service) custom(ctx context.Context, id string) (*ent.Role, error) {
	r, err := s.client.Role.Get(ctx, id)
	switch {
	case ent.IsNotFound(err):
		return nil, fault.Missing(id)
	case err != nil:
		return nil, fmt.Errorf("read role: %w", err)
	case r.Key != nil:
		return nil, fault.New(fault.PreconditionFailed, "a built-in role cannot be changed")
	}
	return r, nil
}

// mayShape refuses to shape a role where the caller does not hold the
// permission: in its organization, or for one of the provider, which counts in
// every organization, in all of them.
func (c *Caller) mayShape(ctx context.Context, p policy.Permission, organizationID *string) error {
	if organizationID == nil {
		if !c.unrestricted() || !c.holdsPermission(p, c.account.provider) {
			return fault.New(fault.Forbidden, "a role of the provider takes %s over all organizations", p)
		}
		return nil
	}
	in, err := c.reaches(ctx, *organizationID)
	switch {
	case err != nil:
		return err
	case !in:
		return fault.Missing(*organizationID)
	case !c.holdsPermission(p, *organizationID):
		return forbidden(p)
	}
	return nil
}

// mayList refuses a list of permissions that a role cannot have, or that the
// caller does not hold.
func (c *Caller) mayList(organizationID *string, names []string) error {
	level, domain := policy.ProviderLevel, c.account.provider
	if organizationID != nil {
		level, domain = policy.OrganizationLevel, *organizationID
	}
	permissions := permissionsOf(names)
	if err := policy.CheckPermissions("input.permissions", level, permissions); err != nil {
		return err
	}
	for _, p := range permissions {
		if !c.holdsPermission(p, domain) {
			return fault.New(fault.Forbidden, "nobody grants what they do not hold: %s", p)
		}
	}
	return nil
}

// nameFree refuses a name that another role has where the role belongs. It
// locks the provider, so that no two take a name at once.
func (s *Service) nameFree(ctx context.Context, c *Caller, name string, organizationID *string, except string) error {
	if err := s.lockProvider(ctx, c.ProviderID()); err != nil {
		return err
	}
	where := []predicate.Role{role.Name(name), role.IDNEQ(except), role.OrganizationIDIsNil()}
	if organizationID != nil {
		where[2] = role.OrganizationID(*organizationID)
	}
	taken, err := s.client.Role.Query().Where(where...).Exist(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("look for the role's name: %w", err)
	case taken:
		conflict := fault.New(fault.Conflict, "a role with this name exists already")
		conflict.Field = "input.name"
		return conflict
	}
	return nil
}
