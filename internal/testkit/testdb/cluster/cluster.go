// Package cluster starts throw-away PostgreSQL servers from the binaries of
// the machine.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// ErrNoBinaries reports that the machine has no PostgreSQL server.
var ErrNoBinaries = errors.New("no PostgreSQL server binaries found")

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 20 * time.Second
)

// Cluster is a running server. Its data does not outlive it.
type Cluster struct {
	url        string
	dir        string
	bin        string
	port       int
	credential *syscall.Credential
	server     *exec.Cmd
	exited     chan struct{}
}

// Start creates a server in a temporary directory, listening on loopback only,
// and waits until it answers. It returns [ErrNoBinaries] if there is nothing
// to start. Durability is off: a crash of the machine loses its data.
func Start(ctx context.Context) (*Cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bailiwick-postgres-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, bin: bin}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// URL is the address of the server's maintenance database, for its superuser.
func (c *Cluster) URL() string { return c.url }

// Stop ends the server and removes its data.
func (c *Cluster) Stop() error {
	// An immediate shutdown: nothing of it is kept.
	return errors.Join(c.end(syscall.SIGQUIT), os.RemoveAll(c.dir))
}

// Restart breaks every connection off, as an operator's restart does, and
// waits until the server answers again at the same address with its data.
func (c *Cluster) Restart(ctx context.Context) error {
	if err := c.end(syscall.SIGINT); err != nil {
		return err
	}
	return c.serve(ctx)
}

func (c *Cluster) end(how syscall.Signal) error {
	if c.server == nil {
		return nil
	}
	err := c.server.Process.Signal(how)
	select {
	case <-c.exited:
	case <-time.After(stopTimeout):
		err = errors.Join(err, c.server.Process.Kill())
		<-c.exited
	}
	c.server = nil
	return err
}

func (c *Cluster) start(ctx context.Context) (err error) {
	if c.credential, err = unprivileged(c.dir); err != nil {
		return err
	}
	initdb := command(c.credential, c.dir, filepath.Join(c.bin, "initdb"),
		"--pgdata", c.data(), "--username", "postgres", "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	if c.port, err = freePort(ctx); err != nil {
		return err
	}
	c.url = (&url.URL{
		Scheme: "postgres", User: url.User("postgres"), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)),
		Path: "/postgres", RawQuery: "sslmode=disable",
	}).String()
	return c.serve(ctx)
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) serve(ctx context.Context) error {
	logPath := filepath.Join(c.dir, "log")
	logFile, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer logFile.Close() //nolint:errcheck // the server holds its own descriptor
	c.server = command(c.credential, c.dir, filepath.Join(c.bin, "postgres"), "-D", c.data(), "-p", strconv.Itoa(c.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
		"-c", "max_connections=400", "-c", "shared_buffers=128MB", "-c", "autovacuum=off", "-c", "max_wal_size=2GB")
	c.server.Stdout, c.server.Stderr = logFile, logFile
	if err := c.server.Start(); err != nil {
		c.server = nil
		return err
	}
	server, exited := c.server, make(chan struct{})
	c.exited = exited
	go func() {
		_ = server.Wait() // how it ended is in its log
		close(exited)
	}()
	return c.await(ctx, filepath.Join(c.bin, "pg_isready"), c.port, logPath)
}

func (c *Cluster) await(ctx context.Context, isReady string, port int, logPath string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		probe := exec.CommandContext(ctx, isReady, "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(port)) //nolint:gosec // a binary of the machine
		if probe.Run() == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-c.exited:
			log, _ := os.ReadFile(logPath)
			return fmt.Errorf("the PostgreSQL server ended at its start: %s", log)
		case <-ctx.Done():
			return fmt.Errorf("wait for the PostgreSQL server: %w", ctx.Err())
		}
	}
}

func command(credential *syscall.Credential, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...) //nolint:gosec,noctx // a binary of the machine, which outlives the call
	cmd.Dir = dir
	// A signal to the terminal's group must not end the server before its user.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential, Setpgid: true}
	return cmd
}

// unprivileged names the user to run as: PostgreSQL refuses to run as root.
func unprivileged(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("a user other than root to run PostgreSQL as: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user id %q: %w", account.Uid, err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("group id %q: %w", account.Gid, err)
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// binaries finds the directory that holds the server: on the path, or where
// Debian and its kin, Fedora's, and Homebrew put it.
func binaries() (string, error) {
	var dirs []string
	if found, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(found))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
	} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		slices.Reverse(matches) // the newest version first
		dirs = append(dirs, matches...)
	}
	for _, dir := range dirs {
		if isFile(filepath.Join(dir, "initdb")) && isFile(filepath.Join(dir, "postgres")) && isFile(filepath.Join(dir, "pg_isready")) {
			return dir, nil
		}
	}
	return "", ErrNoBinaries
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func freePort(ctx context.Context) (int, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	addr, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.Join(fmt.Errorf("unexpected address %v", listener.Addr()), listener.Close())
	}
	return addr.Port, listener.Close()
}
