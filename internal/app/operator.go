package app

import (
	"context"
	"fmt"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/systemlogevent"
	"github.com/bailiwick/bailiwick/internal/access"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/tenancy"
)

// CreateProvider creates a provider, its built-in roles and its first
// Administrator With Billing, as the deployment's operator.
func (a *App) CreateProvider(ctx context.Context, name, email, password string) (*ent.Provider, *ent.Administrator, error) {
	ctx, trail := guard.WithTrail(ctx)
	provider, administrator, err := a.Access.Bootstrap(ctx, name, email, password)
	if err != nil {
		return nil, nil, fmt.Errorf("create the provider: %w", err)
	}
	if err := a.enter(operating(ctx, provider.ID), "createProvider", trail); err != nil {
		return nil, nil, fmt.Errorf("the provider %s was created, but not entered in the system log: %w", provider.ID, err)
	}
	return provider, administrator, nil
}

// CreateKey creates an API key of an administrator, named by e-mail address, as
// the deployment's operator. With allow it turns the administrator's API
// access on first; without, PRECONDITION_FAILED where it is off.
func (a *App) CreateKey(ctx context.Context, email string, allow bool, key access.NewAPIKey) (id, secret string, err error) {
	caller, err := a.Access.ActAs(ctx, email)
	if err != nil {
		return "", "", err
	}
	ctx, trail := guard.WithTrail(operating(access.With(ctx, caller), caller.ProviderID()))
	err = a.DB.InTx(ctx, func(ctx context.Context) error {
		if allow {
			_, err := a.Access.UpdateAdministrator(ctx, access.AdministratorChange{ID: caller.AdministratorID(), APIKeyAllowed: &allow})
			if err != nil {
				return fmt.Errorf("turn API access on: %w", err)
			}
		}
		created, shown, err := a.Access.CreateAPIKey(ctx, key)
		if err != nil {
			return fmt.Errorf("create the key: %w", err)
		}
		id, secret = created.ID, shown
		return a.enter(ctx, "createApiKey", trail)
	})
	return id, secret, err
}

// operating is a context in which the operator works in a provider.
func operating(ctx context.Context, provider string) context.Context {
	return tenancy.With(ctx, tenancy.ForProvider(operator(), provider))
}

// operator is who acts at the command line, in the system log.
func operator() tenancy.Principal { return tenancy.ServicePrincipal("operator") }

// enter puts what the operator did into the system log of the context's provider.
func (a *App) enter(ctx context.Context, event string, trail *guard.Trail) error {
	return a.log.Record(ctx, audit.Entry{
		EventType: event, Outcome: systemlogevent.OutcomeSuccess, Actor: operator(), Targets: audit.Targets(trail.Touched()),
	})
}
