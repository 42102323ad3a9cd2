package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/bailiwick/bailiwick/internal/secret"
)

type providerGroup struct {
	Create providerCreate `cmd:"" help:"Create a provider and its first Administrator With Billing."`
}

// providerCreate creates a provider.
type providerCreate struct {
	settings   `embed:""`
	Name       string `required:"" help:"The provider's name."`
	Email      string `required:"" help:"The first administrator's e-mail address, to sign in with."`
	passphrase `embed:""`
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
	provider, administrator, err := a.CreateProvider(ctx, p.Name, p.Email, password.Reveal())
	if err != nil {
		return err
	}
	result := fmt.Sprintf("provider       %s  %s\nadministrator  %s  %s\n", provider.ID, provider.Name, administrator.ID, administrator.Email)
	if p.GeneratePassword {
		result += fmt.Sprintf("password       %s\n", password.Reveal())
	}
	return c.printf("%s", result)
}

// passphrase is how a new password is given.
type passphrase struct {
	PasswordFile     string `xor:"password" placeholder:"FILE" help:"Read the password from this file, or from standard input if it is -. One line ending at its end does not count."`
	GeneratePassword bool   `xor:"password" help:"Make a password and print it: once."`
}

// password is the password, however it is given.
func (p passphrase) password(c console) (secret.Text, error) {
	switch {
	case p.GeneratePassword:
		return secret.NewText(rand.Text()), nil
	case p.PasswordFile != "":
		return c.readPassword(p.PasswordFile)
	default:
		return c.askPassword()
	}
}
