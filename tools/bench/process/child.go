package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
)

// Child is a server that this process started.
type Child struct {
	addr    string
	cmd     *exec.Cmd
	ended   chan struct{}
	logPath string
}

// Build compiles a command of this module into a directory and returns the
// executable's path.
func Build(ctx context.Context, dir, name, pkg string) (string, error) {
	return BuildIn(ctx, ".", dir, name, pkg)
}

// BuildIn is [Build] for a command of the module in another directory.
func BuildIn(ctx context.Context, module, dir, name, pkg string) (string, error) {
	path := filepath.Join(dir, name)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, pkg)
	cmd.Dir = module
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", pkg, err, out)
	}
	return path, nil
}

// Start runs a server on a free port of loopback and waits until it answers a
// path with 200. Arguments tells it the address; its output goes to a file in
// the directory, whose end is part of the error if it does not come up.
func Start(ctx context.Context, dir, path, probe string, env []string, arguments func(addr string) []string) (*Child, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return nil, err
	}
	c := &Child{addr: addr, ended: make(chan struct{}), logPath: filepath.Join(dir, filepath.Base(path)+".log")}
	logFile, err := os.Create(c.logPath)
	if err != nil {
		return nil, err
	}
	defer logFile.Close()                          //nolint:errcheck // the child holds its own descriptor
	c.cmd = exec.Command(path, arguments(addr)...) // it is stopped by Stop, gently
	c.cmd.Env = append(os.Environ(), env...)
	c.cmd.Stdout, c.cmd.Stderr = logFile, logFile
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = c.cmd.Wait() // how it ended is in its log
		close(c.ended)
	}()
	if err := c.await(ctx, "http://"+addr+probe); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// Addr is where the server listens.
func (c *Child) Addr() string { return c.addr }

// PID is the server's process.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Stop asks the server to end, and makes it.
func (c *Child) Stop() error {
	err := c.cmd.Process.Signal(syscall.SIGTERM)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	select {
	case <-c.ended:
		return err
	case <-time.After(stopTimeout):
		err = errors.Join(err, fmt.Errorf("%s did not stop", c.cmd.Path), c.cmd.Process.Kill())
		<-c.ended
		return err
	}
}

func (c *Child) await(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	client := &http.Client{Timeout: 2 * time.Second}
	for {
		if answers(ctx, client, url) {
			return nil
		}
		select {
		case <-tick.C:
		case <-c.ended:
			return fmt.Errorf("%s ended at its start: %s", c.cmd.Path, c.tail())
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w: %s", c.cmd.Path, ctx.Err(), c.tail())
		}
	}
}

func answers(ctx context.Context, client *http.Client, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (c *Child) tail() string {
	const length = 4000
	raw, _ := os.ReadFile(c.logPath)
	return string(raw[max(0, len(raw)-length):])
}
