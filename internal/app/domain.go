package app

import (
	"context"
	"time"

	"github.com/bailiwick/bailiwick/internal/directory"
	"github.com/bailiwick/bailiwick/internal/organization"
)

// openDomains wires what the service is for, and its recurring work.
func (a *App) openDomains(ctx context.Context) error {
	c := a.config
	a.Organizations = organization.New(a.DB, a.Client, a.Access, c.Clock)
	a.Directory = directory.New(a.DB, a.Client)
	if err := a.openTicketing(ctx); err != nil {
		return err
	}
	if err := a.openBilling(ctx); err != nil {
		return err
	}
	if err := a.openAppleMDM(ctx); err != nil {
		return err
	}
	if err := a.openDevices(ctx); err != nil {
		return err
	}
	for _, periodic := range []struct {
		name     string
		interval time.Duration
		run      func(context.Context) error
	}{
		{"access.rotate-signing-keys", time.Hour, a.keys.Rotate},
		{"access.sweep", time.Hour, a.Access.Sweep},
		{"applemdm.warn-of-expiry", time.Hour, a.AppleMDM.WarnOfExpiry},
		{"applemdm.prune", time.Hour, a.AppleMDM.Prune},
		{"graph.forget-idempotency-keys", time.Hour, a.forgetIdempotencyKeys},
		{"organization.erase", time.Hour, func(ctx context.Context) error {
			_, err := a.Organizations.Erase(ctx)
			return err
		}},
	} {
		if err := a.Queue.Every(periodic.name, periodic.interval, periodic.interval/20, periodic.run); err != nil {
			return err
		}
	}
	return nil
}
