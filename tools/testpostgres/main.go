// Command testpostgres runs a command with a PostgreSQL server to test on:
//
//	go run ./tools/testpostgres -- go test ./...
//
// The command finds the server's URL in BAILIWICK_TEST_POSTGRES. If that is
// set already, nothing is started; otherwise a throw-away server is, from the
// machine's binaries, which are installed first on Debian for root. Where no
// server can be had, the command runs without one and a line says so, unless
// CI=true: then that is a failure.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/bailiwick/bailiwick/internal/testkit/testdb/cluster"
)

const (
	variable       = "BAILIWICK_TEST_POSTGRES"
	installTimeout = 5 * time.Minute
)

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: testpostgres -- COMMAND [ARGUMENT…]")
		os.Exit(2)
	}
	os.Exit(run(args))
}

func run(args []string) int {
	// The command gets the terminal's signals itself; this process outlives it
	// to stop the server.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if os.Getenv(variable) != "" {
		return command(ctx, args, os.Environ())
	}
	server, err := start(ctx)
	if err != nil {
		fmt.Fprintf(os.Stderr, "testpostgres: the PostgreSQL half did not run: %v\n", err)
		if os.Getenv("CI") == "true" {
			return 1
		}
		return command(ctx, args, os.Environ())
	}
	code := command(ctx, args, append(os.Environ(), variable+"="+server.URL()))
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "testpostgres: stop the server:", err)
	}
	return code
}

func start(ctx context.Context) (*cluster.Cluster, error) {
	server, err := cluster.Start(ctx)
	if !errors.Is(err, cluster.ErrNoBinaries) {
		return server, err
	}
	if installErr := install(ctx); installErr != nil {
		return nil, errors.Join(err, installErr)
	}
	return cluster.Start(ctx)
}

// install gets the server from Debian's archive.
func install(ctx context.Context) error {
	if _, err := os.Stat("/etc/debian_version"); err != nil || os.Geteuid() != 0 {
		return errors.New("installing them needs root on Debian: set " + variable + " instead")
	}
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	for _, args := range [][]string{{"update", "-qq"}, {"install", "-qq", "-y", "--no-install-recommends", "postgresql"}} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w: %s", args[0], err, out)
		}
	}
	return nil
}

func command(ctx context.Context, args, env []string) int {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = os.Stdin, os.Stdout, os.Stderr, env
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	default:
		fmt.Fprintln(os.Stderr, "testpostgres:", err)
		return 1
	}
}
