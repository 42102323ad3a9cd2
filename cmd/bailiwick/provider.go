package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/bailiwick/bailiwick/ent/systemlogevent"
	"github.com/bailiwick/bailiwick/internal/app"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

type providerGroup struct {
	Create providerCreate `cmd:"" help:"Create a provider and its first Administrator With Billing."`
}

// providerCreate creates a provider.
type providerCreate struct {
	settings         `embed:""`
	Name             string `required:"" help:"The provider's name."`
	Email            string `required:"" help:"The first administrator's e-mail address, to sign in with."`
	PasswordFile     string `xor:"password" placeholder:"FILE" help:"Read the password from this file, or from standard input if it is -. One line ending at its end does not count."`
	GeneratePassword bool   `xor:"password" help:"Make a password and print it: once."`
}

// Help implements kong.HelpProvider.
func (providerCreate) Help() string {
	return `The administrator has every permission in every organization, and creates the others. Without --password-file or --generate-password the password is asked for, twice, and not shown.

Examples:

	bailiwick provider create --name "Northwind MSP" --email ada@northwind.example
	bailiwick provider create --name "Northwind MSP" --email ada@northwind.example --generate-password

` + exitCodes
}

// Run creates the provider.
func (p *providerCreate) Run(ctx context.Context, c console) (err error) {
	a, err := p.openApp(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	password, err := p.password(c)
	if err != nil {
		return err
	}
	provider, administrator, err := a.Access.Bootstrap(ctx, p.Name, p.Email, password.Reveal())
	if err != nil {
		return fmt.Errorf("create the provider: %w", err)
	}
	targets := []schema.LogTarget{
		{Type: "Provider", ID: provider.ID, Op: "CREATE"}, {Type: "Administrator", ID: administrator.ID, Op: "CREATE"},
	}
	if err := record(asOperator(ctx, provider.ID), a, "createProvider", targets...); err != nil {
		return fmt.Errorf("the provider %s was created, but not entered in the system log: %w", provider.ID, err)
	}
	result := fmt.Sprintf("provider       %s  %s\nadministrator  %s  %s\n", provider.ID, provider.Name, administrator.ID, administrator.Email)
	if p.GeneratePassword {
		result += fmt.Sprintf("password       %s\n", password.Reveal())
	}
	return c.printf("%s", result)
}

func (p *providerCreate) password(c console) (secret.Text, error) {
	switch {
	case p.GeneratePassword:
		return secret.NewText(rand.Text()), nil
	case p.PasswordFile != "":
		return c.readPassword(p.PasswordFile)
	default:
		return c.askPassword()
	}
}

// asOperator is a context in which the operator works in a provider.
func asOperator(ctx context.Context, provider string) context.Context {
	return tenancy.With(ctx, tenancy.ForProvider(operator(), provider))
}

// operator is who acts at the command line, in the system log.
func operator() tenancy.Principal { return tenancy.ServicePrincipal("operator") }

// record enters what the operator did in the system log of the context's provider.
func record(ctx context.Context, a *app.App, event string, targets ...schema.LogTarget) error {
	return audit.New(a.Client).Record(ctx, audit.Entry{
		EventType: event, Outcome: systemlogevent.OutcomeSuccess, Actor: operator(), Targets: targets,
	})
}
