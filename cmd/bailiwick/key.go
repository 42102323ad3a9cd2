package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/internal/access"
	"github.com/bailiwick/bailiwick/internal/fault"
)

type keyGroup struct {
	Create keyCreate `cmd:"" help:"Create an API key for an administrator and print it: once."`
}

// keyCreate creates an API key.
type keyCreate struct {
	settings      `embed:""`
	Email         string        `required:"" help:"Whose key it is: the administrator's e-mail address."`
	Name          string        `required:"" help:"What the key is for."`
	ExpiresIn     time.Duration `placeholder:"DURATION" help:"When it stops working, from now: 2160h is 90 days. Default: never."`
	Organizations []string      `placeholder:"ID" help:"Narrow it to these organizations. Default: all that the administrator reaches."`
	Permissions   []string      `placeholder:"NAME" help:"Narrow it to these permissions, such as alert.raise_alert. Default: all that the administrator holds."`
	Allow         bool          `help:"Turn the administrator's API access on first. It is off for a new administrator."`
}

// Help implements kong.HelpProvider.
func (keyCreate) Help() string {
	return `The key alone goes to standard output, so that a script can keep it. It is stored hashed and cannot be shown again.

Examples:

	bailiwick key create --email ada@northwind.example --name inventory --allow
	bailiwick key create --email monitoring@sentry.example --name alerts --permissions alert.raise_alert,alert.change_alert --expires-in 2160h

` + exitCodes
}

// Run creates the key, as the administrator would.
func (k *keyCreate) Run(ctx context.Context, c console) (err error) {
	if k.ExpiresIn < 0 {
		return usageError{errors.New("--expires-in: must not be negative")}
	}
	a, err := k.openApp(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	in := access.NewAPIKey{Name: k.Name, OrganizationIDs: k.Organizations, Permissions: k.Permissions}
	if k.ExpiresIn > 0 {
		at := time.Now().Add(k.ExpiresIn).UTC()
		in.ExpiresAt = &at
	}
	id, key, err := a.CreateKey(ctx, k.Email, k.Allow, in)
	if fault.CodeOf(err) == fault.PreconditionFailed && !k.Allow {
		return fmt.Errorf("%w (--allow does it)", err)
	}
	if err != nil {
		return err
	}
	c.tell("API key %s of %s. It is shown this once:", id, k.Email)
	return c.printf("%s\n", key)
}
