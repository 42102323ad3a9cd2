package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/bailiwick/bailiwick/internal/config"
)

// cli is the command line: each field is a command, in a file of its own.
type cli struct {
	Serve    serveCommand   `cmd:"" help:"Serve the API and work jobs until told to stop."`
	Demo     demoCommand    `cmd:"" help:"Try Bailiwick: an embedded database with a provider, its customers and open alerts."`
	Migrate  migrateGroup   `cmd:"" help:"Bring the database to this release."`
	Provider providerGroup  `cmd:"" help:"Set up a provider."`
	Key      keyGroup       `cmd:"" help:"Make API keys."`
	Secret   secretGroup    `cmd:"" help:"Look after stored secrets."`
	Vendor   vendorGroup    `cmd:"" name:"vendor-certificate" help:"Become an MDM vendor, who signs requests for push certificates."`
	Version  versionCommand `cmd:"" help:"Print the version."`
}

// Help is shown below the list of commands' usage.
func (cli) Help() string {
	return `Settings come from flags, then BAILIWICK_* environment variables, then the JSON file that --config names. "bailiwick serve --help" lists them all, and the other commands take the same ones.

Examples:

	bailiwick demo
	bailiwick migrate up --database-url postgres://bailiwick@db/bailiwick
	bailiwick provider create --name "Northwind MSP" --email ada@northwind.example
	bailiwick serve

` + exitCodes
}

// run executes one command line and returns the process's exit code.
func run(ctx context.Context, args []string, c console) int {
	err := execute(ctx, args, c)
	if err == nil {
		return exitOK
	}
	if code, ok := errors.AsType[helpShown](err); ok {
		return int(code)
	}
	c.complain(err)
	return exitCode(err)
}

func execute(ctx context.Context, args []string, c console) (err error) {
	// Kong exits when it has shown help, from deep inside of its parser.
	defer func() {
		if code, ok := recover().(helpShown); ok {
			err = code
		}
	}()
	options := append(config.Options(),
		kong.Name("bailiwick"),
		kong.Description("Bailiwick is a backend for managed service providers: one GraphQL endpoint for every customer."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.Writers(c.out, c.err),
		kong.Exit(func(code int) { panic(helpShown(code)) }),
		kong.PostBuild(hideSettings),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(c),
	)
	parser, err := kong.New(&cli{}, options...)
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return usageError{err}
	}
	return parsed.Run()
}

// helpShown carries kong's exit code up to run.
type helpShown int

func (h helpShown) Error() string { return fmt.Sprintf("exit %d", int(h)) }

// hideSettings keeps the help of the other commands to the settings that
// matter to them. They accept all of serve's, so that one environment or file
// fits every command.
func hideSettings(k *kong.Kong) error {
	return kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error {
		command, ok := node.(*kong.Node)
		if !ok || command.Name == "serve" {
			return next(nil)
		}
		for _, flag := range command.Flags {
			if flag.Group == nil || flag.Name == "log-level" || flag.Name == "log-format" {
				continue
			}
			switch flag.Group.Key {
			case "General", "Database", "Secrets":
			default:
				flag.Hidden = true
			}
		}
		return next(nil)
	})
}
