package access

import (
	"context"
	"fmt"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/administrator"
	"github.com/bailiwick/bailiwick/ent/administratororganizationlink"
	"github.com/bailiwick/bailiwick/ent/apikey"
	"github.com/bailiwick/bailiwick/internal/access/policy"
)

// Viewer is who is signed in.
type Viewer struct {
	Administrator *ent.Administrator
	APIKey        *ent.ApiKey // nil for a session
	Provider      *ent.Provider
	Organization  *ent.Organization // that the x-org-id header names; nil without one
}

// Viewer answers who is signed in.
func (s *Service) Viewer(ctx context.Context) (v Viewer, err error) {
	c, err := From(ctx)
	if err != nil {
		return Viewer{}, err
	}
	if v.Administrator, err = s.client.Administrator.Get(ctx, c.AdministratorID()); err != nil {
		return Viewer{}, absent(err)
	}
	if v.Provider, err = s.client.Provider.Get(ctx, c.ProviderID()); err != nil {
		return Viewer{}, fmt.Errorf("read provider: %w", err)
	}
	if c.key != nil {
		if v.APIKey, err = s.client.ApiKey.Get(ctx, c.key.id); err != nil {
			return Viewer{}, absent(err)
		}
	}
	if c.header != "" {
		if v.Organization, err = s.client.Organization.Get(ctx, c.header); err != nil {
			return Viewer{}, fmt.Errorf("read organization: %w", err)
		}
	}
	return v, nil
}

// Can is [Caller.Can] of the context's caller.
func (s *Service) Can(ctx context.Context, permission string, organizationID *string) (bool, error) {
	c, err := From(ctx)
	if err != nil {
		return false, err
	}
	if organizationID == nil {
		return c.Can(ctx, policy.Permission(permission), "")
	}
	return c.Can(ctx, policy.Permission(permission), *organizationID)
}

// Reaches counts the organizations in each administrator's reach, whatever
// part of them the caller reaches.
func (s *Service) Reaches(ctx context.Context, administratorIDs []string) (map[string]int, error) {
	c, err := From(ctx)
	if err != nil {
		return nil, err
	}
	ctx = s.within(ctx, c.ProviderID())
	var linked []struct {
		AdministratorID string `json:"administrator_id"`
		Count           int    `json:"count"`
	}
	err = s.client.AdministratorOrganizationLink.Query().
		Where(administratororganizationlink.AdministratorIDIn(administratorIDs...)).
		GroupBy(administratororganizationlink.FieldAdministratorID).Aggregate(ent.Count()).Scan(ctx, &linked)
	if err != nil {
		return nil, fmt.Errorf("count organization links: %w", err)
	}
	reach := make(map[string]int, len(administratorIDs))
	for _, id := range administratorIDs {
		reach[id] = 0
	}
	for _, l := range linked {
		reach[l.AdministratorID] = l.Count
	}
	everywhere, err := s.client.Administrator.Query().
		Where(administrator.IDIn(administratorIDs...), administrator.AllOrganizations(true)).IDs(ctx)
	if err != nil || len(everywhere) == 0 {
		return reach, err
	}
	all, err := s.client.Organization.Query().Count(ctx)
	if err != nil {
		return nil, fmt.Errorf("count organizations: %w", err)
	}
	for _, id := range everywhere {
		reach[id] = all
	}
	return reach, nil
}

// HaveKeys says of each administrator whether they have an API key that works.
func (s *Service) HaveKeys(ctx context.Context, administratorIDs []string) (map[string]bool, error) {
	c, err := From(ctx)
	if err != nil {
		return nil, err
	}
	now := s.now()
	owners, err := s.client.ApiKey.Query().Where(
		apikey.AdministratorIDIn(administratorIDs...), apikey.RevokedAtIsNil(),
		apikey.Or(apikey.ExpiresAtIsNil(), apikey.ExpiresAtGT(now)),
		apikey.HasAdministratorWith(administrator.APIKeyAllowed(true), administrator.Suspended(false)),
		func(sel *sql.Selector) { sel.Distinct() },
	).Select(apikey.FieldAdministratorID).Strings(s.within(ctx, c.ProviderID()))
	if err != nil {
		return nil, fmt.Errorf("look for API keys: %w", err)
	}
	have := make(map[string]bool, len(owners))
	for _, id := range administratorIDs {
		have[id] = false
	}
	for _, id := range owners {
		have[id] = true
	}
	return have, nil
}
