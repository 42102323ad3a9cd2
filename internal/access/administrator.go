package access

import (
	"context"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"entgo.io/ent/dialect/sql/sqlgraph"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/administrator"
	"github.com/bailiwick/bailiwick/ent/provider"
	"github.com/bailiwick/bailiwick/ent/role"
	"github.com/bailiwick/bailiwick/internal/access/credential"
	"github.com/bailiwick/bailiwick/internal/access/policy"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/schema"
)

const (
	activationLifetime = 7 * 24 * time.Hour
	maxOrganizations   = 500 // named in one input
)

// NewAdministrator is who is to be created.
type NewAdministrator struct {
	Email               string
	Firstname, Lastname *string
	RoleID              string
	AllOrganizations    bool
	OrganizationIDs     []string
	APIKeyAllowed       bool
}

// CreateAdministrator creates an administrator, and answers the activation
// link's token, which is never shown again.
func (s *Service) CreateAdministrator(ctx context.Context, in NewAdministrator) (*ent.Administrator, string, error) {
	c, err := From(ctx)
	if err != nil {
		return nil, "", err
	}
	email, err := checkEmail(in.Email)
	if err != nil {
		return nil, "", err
	}
	organizations, err := distinctOrganizations(in.OrganizationIDs)
	if err != nil {
		return nil, "", err
	}
	token, _, hash := credential.ActivationLink.New()
	var a *ent.Administrator
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.assignable(ctx, in.RoleID, ""); err != nil {
			return err
		}
		if err := c.mayGrant(ctx, in.RoleID, in.AllOrganizations, organizations); err != nil {
			return err
		}
		a, err = s.client.Administrator.Create().
			SetID(schema.NewID("adm")()).SetEmail(email).SetNillableFirstname(in.Firstname).SetNillableLastname(in.Lastname).
			SetRoleID(in.RoleID).SetAllOrganizations(in.AllOrganizations).SetAPIKeyAllowed(in.APIKeyAllowed).
			SetActivationHash(hash).SetActivationExpiresAt(s.now().Add(activationLifetime)).
			Save(ctx)
		if err != nil {
			return emailTaken(err)
		}
		links := make([]*ent.AdministratorOrganizationLinkCreate, 0, len(organizations))
		for _, id := range organizations {
			links = append(links, s.client.AdministratorOrganizationLink.Create().SetAdministratorID(a.ID).SetOrganizationID(id))
		}
		if err := s.client.AdministratorOrganizationLink.CreateBulk(links...).Exec(ctx); err != nil {
			return fmt.Errorf("link organizations: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	return a, token, nil
}

// emailTaken says that an address is in use, and nothing of by whom: it may be
// another provider's.
func emailTaken(err error) error {
	if sqlgraph.IsUniqueConstraintError(err) {
		taken := fault.New(fault.Conflict, "an administrator with this e-mail address exists already").Wrap(err)
		taken.Field = "input.email"
		return taken
	}
	return err
}

func checkEmail(given string) (string, error) {
	email := normalEmail(given)
	if len(email) > 255 {
		return "", fault.Invalid("input.email", "an e-mail address has at most 255 bytes")
	}
	if parsed, err := mail.ParseAddress(email); err != nil || parsed.Address != email || strings.ContainsAny(email, " \"<>") {
		return "", fault.Invalid("input.email", "this is not an e-mail address")
	}
	return email, nil
}

func distinctOrganizations(ids []string) ([]string, error) {
	if len(ids) > maxOrganizations {
		return nil, fault.Invalid("input.organizationIds", "at most %d organizations", maxOrganizations)
	}
	return slices.Compact(slices.Sorted(slices.Values(ids))), nil
}

// AdministratorChange is what to change of an administrator; nil leaves it.
type AdministratorChange struct {
	ID                  string
	Firstname, Lastname *string
	RoleID              *string
	AllOrganizations    *bool
	APIKeyAllowed       *bool
}

// UpdateAdministrator changes an administrator. The last Administrator With
// Billing keeps role and reach.
func (s *Service) UpdateAdministrator(ctx context.Context, in AdministratorChange) (*ent.Administrator, error) {
	c, err := From(ctx)
	if err != nil {
		return nil, err
	}
	return s.change(ctx, in.ID, func(ctx context.Context, a *ent.Administrator) (*ent.AdministratorUpdateOne, error) {
		role, all := a.RoleID, a.AllOrganizations
		if in.RoleID != nil {
			role = *in.RoleID
		}
		if in.AllOrganizations != nil {
			all = *in.AllOrganizations
		}
		if role != a.RoleID || all && !a.AllOrganizations {
			if err := s.mayChange(ctx, c, a, role, all); err != nil {
				return nil, err
			}
		}
		return s.client.Administrator.UpdateOne(a).
			SetNillableFirstname(in.Firstname).SetNillableLastname(in.Lastname).
			SetRoleID(role).SetAllOrganizations(all).SetNillableAPIKeyAllowed(in.APIKeyAllowed), nil
	})
}

// mayChange refuses a role and a reach that would give an administrator what
// the caller does not hold. To take some away is always allowed.
func (s *Service) mayChange(ctx context.Context, c *Caller, a *ent.Administrator, role string, all bool) error {
	if err := s.assignable(ctx, role, ""); err != nil {
		return err
	}
	if (a.AllOrganizations || !all) && c.realm.engine.Covers(a.RoleID, role, a.ProviderID) {
		return nil
	}
	known, err := s.account(ctx, a.ProviderID, a.ID)
	if err != nil {
		return err
	}
	var inherited []string
	for organizationID, linked := range known.links {
		if linked == "" {
			inherited = append(inherited, organizationID)
		}
	}
	return c.mayGrant(ctx, role, all, inherited)
}

// SuspendAdministrator refuses every sign-in, token and key of an administrator
// from now on, and ends their sessions.
func (s *Service) SuspendAdministrator(ctx context.Context, id string) (*ent.Administrator, error) {
	if err := notSelf(ctx, id, "suspends"); err != nil {
		return nil, err
	}
	return s.change(ctx, id, func(ctx context.Context, a *ent.Administrator) (*ent.AdministratorUpdateOne, error) {
		if _, err := s.endSessions(ctx, a.ProviderID, a.ID); err != nil {
			return nil, err
		}
		return s.client.Administrator.UpdateOne(a).SetSuspended(true), nil
	})
}

// ResumeAdministrator lets a suspended administrator in again, who signs in
// anew; their API keys work again.
func (s *Service) ResumeAdministrator(ctx context.Context, id string) (*ent.Administrator, error) {
	return s.change(ctx, id, func(_ context.Context, a *ent.Administrator) (*ent.AdministratorUpdateOne, error) {
		return s.client.Administrator.UpdateOne(a).SetSuspended(false), nil
	})
}

// ResetTOTP removes the second factor of an administrator who lost it. One's
// own is not removed this way: a stolen session could.
func (s *Service) ResetTOTP(ctx context.Context, id string) (*ent.Administrator, error) {
	if err := notSelf(ctx, id, "resets the second factor of"); err != nil {
		return nil, err
	}
	return s.change(ctx, id, func(_ context.Context, a *ent.Administrator) (*ent.AdministratorUpdateOne, error) {
		return s.client.Administrator.UpdateOne(a).
			SetEnableMultiFactor(false).ClearTotpSecret().ClearRecoveryHashes(), nil
	})
}

// DeleteAdministrator deletes an administrator with links, sessions and keys.
func (s *Service) DeleteAdministrator(ctx context.Context, id string) error {
	if err := notSelf(ctx, id, "deletes"); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		a, err := s.guarded(ctx, id)
		if err != nil {
			return err
		}
		if err := s.client.Administrator.DeleteOne(a).Exec(ctx); err != nil {
			return fmt.Errorf("delete administrator: %w", err)
		}
		return s.changed(ctx, a)
	})
}

// change updates an administrator while nobody else updates one of the
// provider's, and keeps the last Administrator With Billing.
func (s *Service) change(ctx context.Context, id string, how func(context.Context, *ent.Administrator) (*ent.AdministratorUpdateOne, error)) (*ent.Administrator, error) {
	var a *ent.Administrator
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		before, err := s.guarded(ctx, id)
		if err != nil {
			return err
		}
		update, err := how(ctx, before)
		if err != nil {
			return err
		}
		if a, err = update.Save(ctx); err != nil {
			return fmt.Errorf("change administrator: %w", err)
		}
		return s.changed(ctx, a)
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// guarded reads an administrator and locks the provider: of two who take each
// other's role away, the second sees what the first has done.
func (s *Service) guarded(ctx context.Context, id string) (*ent.Administrator, error) {
	c, err := From(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.lockProvider(ctx, c.ProviderID()); err != nil {
		return nil, err
	}
	return s.administrator(ctx, id)
}

func (s *Service) lockProvider(ctx context.Context, id string) error {
	if _, err := s.client.Provider.Query().Where(provider.ID(id), database.ForUpdate).OnlyID(ctx); err != nil {
		return fmt.Errorf("lock provider: %w", err)
	}
	return nil
}

func (s *Service) administrator(ctx context.Context, id string) (*ent.Administrator, error) {
	a, err := s.client.Administrator.Get(ctx, id)
	if ent.IsNotFound(err) {
		return nil, fault.Missing(id)
	}
	return a, err
}

// changed announces a change, unless it leaves the provider without an
// Administrator With Billing who can sign in and reaches everything.
func (s *Service) changed(ctx context.Context, a *ent.Administrator) error {
	left, err := s.client.Administrator.Query().Where(
		administrator.Suspended(false), administrator.Registered(true), administrator.AllOrganizations(true),
		administrator.HasRoleWith(role.Key(string(policy.AdministratorWithBilling)))).Exist(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("look for another Administrator With Billing: %w", err)
	case !left:
		return fault.New(fault.PreconditionFailed,
			"the provider's last active Administrator With Billing over all organizations keeps role and reach")
	}
	return s.Announce(ctx, a.ProviderID, a.ID)
}

func notSelf(ctx context.Context, id, verb string) error {
	c, err := From(ctx)
	if err == nil && c.AdministratorID() == id {
		err = fault.New(fault.PreconditionFailed, "nobody %s themselves: ask another administrator", verb)
	}
	return err
}
