package access

import (
	"context"
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/administrator"
	"github.com/bailiwick/bailiwick/ent/apikey"
	"github.com/bailiwick/bailiwick/internal/access/credential"
	"github.com/bailiwick/bailiwick/internal/access/policy"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// NewAPIKey is an API key to be created.
type NewAPIKey struct {
	Name            string
	AdministratorID *string    // nil for the caller
	ExpiresAt       *time.Time // nil for never
	OrganizationIDs []string   // nil for all that its administrator reaches
	Permissions     []string   // nil for all that its administrator holds
}

// CreateAPIKey creates an API key and answers it: once.
func (s *Service) CreateAPIKey(ctx context.Context, in NewAPIKey) (*ent.ApiKey, string, error) {
	c, err := From(ctx)
	if err != nil {
		return nil, "", err
	}
	organizations, err := s.checkKey(in)
	if err != nil {
		return nil, "", err
	}
	owner := c.AdministratorID()
	if in.AdministratorID != nil {
		owner = *in.AdministratorID
	}
	display, prefix, hash := credential.APIKey.New()
	var key *ent.ApiKey
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		a, err := s.client.Administrator.Query().Where(administrator.ID(owner), database.ForUpdate).Only(ctx)
		switch {
		case ent.IsNotFound(err):
			return fault.Missing(owner)
		case err != nil:
			return fmt.Errorf("read administrator: %w", err)
		case !a.APIKeyAllowed || a.Suspended:
			return fault.New(fault.PreconditionFailed, "the administrator may not have API keys: turn their API access on first")
		}
		if err := s.mayHand(ctx, c, a, organizations, permissionsOf(in.Permissions)); err != nil {
			return err
		}
		create := s.client.ApiKey.Create().
			SetAdministratorID(a.ID).SetName(in.Name).SetPrefix(prefix).SetSecretHash(hash).SetNillableExpiresAt(in.ExpiresAt)
		if len(organizations) > 0 {
			create.SetOrganizationIds(organizations)
		}
		if len(in.Permissions) > 0 {
			create.SetPermissions(in.Permissions)
		}
		if key, err = create.Save(ctx); err != nil {
			return fmt.Errorf("create API key: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	return key, display, nil
}

// checkKey judges what can be judged of the input alone. A narrowing to
// nothing is refused: it would read like no narrowing.
func (s *Service) checkKey(in NewAPIKey) ([]string, error) {
	switch {
	case in.ExpiresAt != nil && !s.now().Before(*in.ExpiresAt):
		return nil, fault.Invalid("input.expiresAt", "a key expires in the future")
	case in.OrganizationIDs != nil && len(in.OrganizationIDs) == 0:
		return nil, fault.Invalid("input.organizationIds", "name an organization, or leave the field out")
	case in.Permissions != nil && len(in.Permissions) == 0:
		return nil, fault.Invalid("input.permissions", "name a permission, or leave the field out")
	}
	seen := map[string]bool{}
	for _, p := range in.Permissions {
		if _, known := policy.Find(policy.Permission(p)); !known || seen[p] {
			return nil, fault.Invalid("input.permissions", "%q is no permission, or listed twice", p)
		}
		seen[p] = true
	}
	return distinctOrganizations(in.OrganizationIDs)
}

// mayHand refuses a key that may more than whoever asks for it: they are shown
// it, and can use it.
func (s *Service) mayHand(ctx context.Context, c *Caller, a *ent.Administrator, organizations []string, permissions []policy.Permission) error {
	for _, p := range permissions {
		if !c.keyLists(p) {
			return exceeds()
		}
	}
	if len(permissions) == 0 && c.key != nil && len(c.key.permissions) > 0 {
		return exceeds()
	}
	owner, err := s.account(ctx, a.ProviderID, a.ID)
	if err != nil {
		return err
	}
	if len(organizations) == 0 {
		return c.mayStandFor(ctx, owner)
	}
	for _, id := range organizations {
		_, linked := owner.links[id]
		in, err := c.reaches(ctx, id)
		switch {
		case err != nil:
			return err
		case !in || !owner.all && !linked:
			return fault.Missing(id)
		case !c.realm.engine.Covers(c.account.roleIn(id), owner.roleIn(id), id):
			return exceeds()
		}
	}
	return c.coversAt(owner)
}

// mayStandFor refuses an administrator who may more than the caller, anywhere.
func (c *Caller) mayStandFor(ctx context.Context, owner *account) error {
	if owner.id == c.account.id && !c.narrowedKey() {
		return nil
	}
	if owner.all && (!c.unrestricted() || len(c.account.links) > 0 && !c.holdsEverywhere(owner.role)) {
		return exceeds()
	}
	for id := range owner.links {
		in, err := c.reaches(ctx, id)
		switch {
		case err != nil:
			return err
		case !in || !c.realm.engine.Covers(c.account.roleIn(id), owner.roleIn(id), id):
			return exceeds()
		}
	}
	return c.coversAt(owner)
}

func (c *Caller) coversAt(owner *account) error {
	if !c.realm.engine.Covers(c.account.role, owner.role, c.account.provider) {
		return exceeds()
	}
	return nil
}

// RevokeAPIKey stops an API key at once. One that is revoked stays as it is.
func (s *Service) RevokeAPIKey(ctx context.Context, id string) (*ent.ApiKey, error) {
	var key *ent.ApiKey
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.client.ApiKey.Update().Where(apikey.ID(id), apikey.RevokedAtIsNil()).SetRevokedAt(s.now()).Exec(ctx)
		if err != nil {
			return fmt.Errorf("revoke API key: %w", err)
		}
		key, err = s.client.ApiKey.Get(ctx, id)
		switch {
		case ent.IsNotFound(err):
			return fault.Missing(id)
		case err != nil:
			return fmt.Errorf("read API key: %w", err)
		}
		return s.Announce(ctx, key.ProviderID, key.ID)
	})
	if err != nil {
		return nil, err
	}
	return key, nil
}
