package organization

import (
	"context"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/tenancy"
)

// ProviderChange is what to change about the provider; nil stays.
type ProviderChange struct {
	Name            *string
	ContactName     *string
	ContactEmail    *string
	RequireAdminMFA *bool
}

// UpdateProvider changes the scope's provider.
func (s *Service) UpdateProvider(ctx context.Context, c ProviderChange) (p *ent.Provider, err error) {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return nil, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		p, err = s.client.Provider.UpdateOneID(scope.Provider()).
			SetNillableName(c.Name).SetNillableContactName(c.ContactName).SetNillableContactEmail(c.ContactEmail).
			SetNillableRequireAdminMfa(c.RequireAdminMFA).
			Save(ctx)
		if err != nil {
			return err
		}
		return s.access.Announce(ctx, scope.Provider(), "")
	})
	return p, err
}
