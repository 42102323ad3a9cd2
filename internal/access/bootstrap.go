package access

import (
	"context"
	"fmt"
	"slices"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/administrator"
	"github.com/bailiwick/bailiwick/ent/role"
	"github.com/bailiwick/bailiwick/internal/access/policy"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Bootstrap creates a provider, its built-in roles, and its first Administrator
// With Billing, who reaches every organization. It is the deployment's
// operator's: no API operation leads here.
func (s *Service) Bootstrap(ctx context.Context, providerName, email, password string) (*ent.Provider, *ent.Administrator, error) {
	email, err := checkEmail(email)
	if err != nil {
		return nil, nil, err
	}
	phc, err := s.newPassword(ctx, "password", password, email)
	if err != nil {
		return nil, nil, err
	}
	var p *ent.Provider
	var a *ent.Administrator
	ctx = tenancy.System(database.Detached(ctx), "create a provider, which no provider can")
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if p, err = s.client.Provider.Create().SetName(providerName).Save(ctx); err != nil {
			return fmt.Errorf("create provider: %w", err)
		}
		if err := s.syncRoles(ctx, p.ID, nil); err != nil {
			return err
		}
		billing, err := s.client.Role.Query().
			Where(role.ProviderID(p.ID), role.Key(string(policy.AdministratorWithBilling))).OnlyID(ctx)
		if err != nil {
			return fmt.Errorf("find the first administrator's role: %w", err)
		}
		a, err = s.client.Administrator.Create().
			SetID(schema.NewID("adm")()).SetProviderID(p.ID).SetEmail(email).SetRoleID(billing).
			SetAllOrganizations(true).SetRegistered(true).SetPasswordHash(phc).Save(ctx)
		return emailTaken(err)
	})
	if err != nil {
		return nil, nil, err
	}
	return p, a, nil
}

// SyncBuiltInRoles gives every provider the built-in roles of this version, so
// that the rows say what the roles grant. It is to be called at start.
func (s *Service) SyncBuiltInRoles(ctx context.Context) error {
	ctx = tenancy.System(database.Detached(ctx), "bring the built-in roles of every provider up to date")
	providers, err := s.client.Provider.Query().IDs(ctx)
	if err != nil {
		return fmt.Errorf("list providers: %w", err)
	}
	for _, id := range providers {
		err := s.db.InTx(ctx, func(ctx context.Context) error {
			if err := s.lockProvider(ctx, id); err != nil { // another replica may be starting too
				return err
			}
			rows, err := s.client.Role.Query().Where(role.ProviderID(id), role.KeyNotNil()).All(ctx)
			if err != nil {
				return fmt.Errorf("read built-in roles: %w", err)
			}
			return s.syncRoles(ctx, id, rows)
		})
		if err != nil {
			return fmt.Errorf("built-in roles of %s: %w", id, err)
		}
	}
	return nil
}

// syncRoles creates the built-in roles that are missing among the rows, and
// brings the others up to date.
func (s *Service) syncRoles(ctx context.Context, providerID string, rows []*ent.Role) error {
	have := map[string]*ent.Role{}
	for _, row := range rows {
		have[*row.Key] = row
	}
	touched := false
	for _, b := range policy.BuiltIns() {
		names := make([]string, 0, len(b.Grants))
		for _, p := range b.Permissions() {
			names = append(names, string(p))
		}
		row, exists := have[string(b.Key)]
		var err error
		switch {
		case !exists:
			err = s.client.Role.Create().SetProviderID(providerID).SetKey(string(b.Key)).
				SetName(b.Name).SetDescription(b.Description).SetPermissions(names).Exec(ctx)
		case row.Name != b.Name || row.Description != b.Description || !slices.Equal(row.Permissions, names):
			err = s.client.Role.UpdateOne(row).SetName(b.Name).SetDescription(b.Description).SetPermissions(names).Exec(ctx)
		default:
			continue
		}
		if err != nil {
			return fmt.Errorf("built-in role %s: %w", b.Key, err)
		}
		touched = true
	}
	if !touched {
		return nil
	}
	return s.Announce(ctx, providerID, providerID)
}

// ActAs is the caller that an administrator would be, for the deployment's
// operator at the command line, who has the database anyway. No request leads
// here.
func (s *Service) ActAs(ctx context.Context, email string) (*Caller, error) {
	system := tenancy.System(database.Detached(ctx), "find the administrator whom the operator names")
	found, err := s.client.Administrator.Query().Where(administrator.Email(normalEmail(email))).Only(system)
	switch {
	case ent.IsNotFound(err):
		return nil, fault.New(fault.NotFound, "there is no administrator with the address %s", normalEmail(email))
	case err != nil:
		return nil, fmt.Errorf("find administrator: %w", err)
	}
	c, err := s.caller(ctx, found.ProviderID, found.ID)
	if err != nil {
		return nil, err
	}
	c.renew = func(ctx context.Context) (*Caller, error) { return s.ActAs(ctx, email) }
	return c.as(tenancy.Principal{Kind: tenancy.Administrator, AdministratorID: found.ID, Name: found.Email}), nil
}
