// Package demo runs a Bailiwick to try out: a provider with three customers on
// an embedded database, stand-ins for its PSAs and for Apple, and simulated
// devices that enrol and obey. But for the provider and its first administrator,
// everything in it is created through the public API, over HTTP.
//
// A data directory can be used again. What it keeps is what any Bailiwick keeps,
// so no password or key in clear: passwords are derived from the directory's
// master key, and are the same at each start; API keys are made anew at each
// start, and those of earlier starts are revoked. The stand-ins remember their
// addresses but not their tickets. The simulated devices are the same at each
// start and enrol anew, as if somebody had set them up again: nothing is kept of
// them but what the server knows.
package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/bailiwick/bailiwick/internal/app"
	apns "github.com/bailiwick/bailiwick/internal/applemdm/push/standin"
	"github.com/bailiwick/bailiwick/internal/config"
)

// Config says where the demo runs.
type Config struct {
	Addr    string // to listen on, HOST:PORT; port 0 picks a free one
	Dir     string // for the data; empty for a temporary one, which goes with the demo
	Version string // of the program
	Logger  *slog.Logger
	Clock   func() time.Time
}

// Validate reports what is missing.
func (c Config) Validate() error {
	if c.Addr == "" || c.Logger == nil || c.Clock == nil {
		return errors.New("demo: an address, a logger and a clock are required")
	}
	return nil
}

// Run serves the demo until the context ends. It calls ready once, when
// everything is there; an error of ready ends the demo.
func Run(ctx context.Context, c Config, ready func(Announcement) error) (err error) {
	if err := c.Validate(); err != nil {
		return err
	}
	if c.Dir == "" {
		if c.Dir, err = os.MkdirTemp("", "bailiwick-demo-"); err != nil {
			return fmt.Errorf("make a data directory: %w", err)
		}
		dir := c.Dir
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("make the data directory (--data): %w", err)
	}
	kept, err := readState(c.Dir)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use by another program: choose another address with --addr, such as --addr 127.0.0.1:8081", c.Addr)
	}
	if err != nil {
		return fmt.Errorf("listen on %s (--addr): %w", c.Addr, err)
	}
	defer func() { _ = listener.Close() }() // closed already when it has served
	simulated, err := newDevices(c)
	if err != nil {
		return err
	}
	apple, err := startAPNs(ctx, kept, simulated, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, apple.Close()) }()
	front, err := openFront(ctx, c.Clock())
	if err != nil {
		return err
	}
	defer func() { _ = front.listener.Close() }() // closed already when it has served
	settings, err := settings(c.Dir, listener.Addr().String(), "--mdm-url", front.url(), "--apns-host", apple.URL())
	if err != nil {
		return err
	}
	secrets, err := readPasswords(c.Dir)
	if err != nil {
		return err
	}
	a, err := app.New(ctx, app.Config{Config: settings, Version: c.Version, Logger: c.Logger, Clock: c.Clock, APNSRoots: apple.Roots()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()

	what, err := readContent()
	if err != nil {
		return err
	}
	psas, err := startPSAs(ctx, kept, secrets, what.customers(), c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, psas.stop()) }()

	screens, err := simulated.page()
	if err != nil {
		return err
	}
	page, err := serveStandIn(ctx, "the devices' owners", screens, "", c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, page.stop()) }()
	front.serve(ctx, a.Handler(), c)
	defer func() { err = errors.Join(err, front.stop()) }()
	defer simulated.run(ctx)()

	d := demo{
		app: a, content: what, passwords: secrets, psas: psas, base: settings.URL(),
		devices: simulated, front: front, apns: apple, page: page.url,
	}
	return d.serve(ctx, listener, func(ctx context.Context) error {
		if kept.fresh {
			if err := d.create(ctx); err != nil {
				return err
			}
			made := state{
				PSA: psas.syncro.addr, Autotask: psas.autotask.addr, ConnectWise: psas.connectWise.addr,
				PushAuthority: apple.Authority().Raw,
			}
			if err := made.write(c.Dir); err != nil {
				return err
			}
		}
		announcement, err := d.announce(ctx)
		if err != nil {
			return err
		}
		return ready(announcement)
	})
}

// settings are those of "bailiwick serve" in development, whatever the
// environment says: a demo must not come near another database.
func settings(dir, addr string, more ...string) (config.Config, error) {
	var c config.Config
	parser, err := kong.New(&c, append(config.Options(), kong.PostBuild(func(k *kong.Kong) error {
		for _, flag := range k.Model.Flags {
			flag.Envs, flag.Tag.Envs = nil, nil
		}
		return nil
	}))...)
	if err != nil {
		return config.Config{}, err
	}
	_, err = parser.Parse(append([]string{
		"--development", "--psa-allow-loopback", "--autotask-integration-code", integrationCode, "--connectwise-client-id", clientID,
		"--data-dir", dir, "--addr", addr, "--public-url", "http://" + dialable(addr),
	}, more...))
	return c, err
}

// dialable is an address at which a client on this machine reaches a listener.
func dialable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}

type demo struct {
	app       *app.App
	content   content
	passwords passwords
	psas      psaServers
	base      string // URL of the server, without a path
	devices   *devices
	front     *front
	apns      *apns.Server
	page      string // URL of the devices' page, without a path
}

// serve runs the server while prepare prepares it, and then until the context
// ends. A failure of either ends both.
func (d *demo) serve(ctx context.Context, listener net.Listener, prepare func(context.Context) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	served := make(chan error, 1)
	go func() {
		err := d.app.Serve(ctx, listener)
		stop(err)
		served <- err
	}()
	prepared := prepare(ctx)
	if prepared != nil && ctx.Err() == nil {
		stop(prepared)
		return errors.Join(prepared, <-served)
	}
	return <-served // told to stop meanwhile, prepare fails for no reason of its own
}
