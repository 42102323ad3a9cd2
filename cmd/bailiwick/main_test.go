package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	bailiwick "github.com/bailiwick/bailiwick/cmd/bailiwick"
)

// The test binary is the program under its name, and the curl of the printed
// commands under that one's: so the commands run where no curl is installed.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "bailiwick":
		bailiwick.Main()
	case "curl":
		os.Exit(curl(os.Args[1:], os.Stdout, os.Stderr))
	default:
		os.Exit(m.Run())
	}
}

// patience is how long a test waits for what takes moments.
const patience = 2 * time.Minute

// command is the program, away from the settings of whoever tests.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), self)
	c.Args = append([]string{"bailiwick"}, args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "BAILIWICK_") {
			c.Env = append(c.Env, v)
		}
	}
	c.Env = append(c.Env, env...)
	c.WaitDelay = 10 * time.Second
	return c
}

type result struct {
	code     int
	out, err string
}

// execute runs the program to its end.
func execute(t *testing.T, env []string, stdin string, args ...string) result {
	t.Helper()
	c := command(t, env, args...)
	var out, complaints bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &complaints
	err := c.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		require.NoError(t, err)
	}
	return result{c.ProcessState.ExitCode(), out.String(), complaints.String()}
}

// process is the program while it runs.
type process struct {
	*exec.Cmd
	out  *bufio.Reader
	logs *log
	end  chan error
}

// start runs the program; what the test leaves running is killed.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: command(t, env, args...), logs: &log{changed: make(chan struct{})}, end: make(chan error, 1)}
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	p.Stdout, p.Stderr, p.out = writer, p.logs, bufio.NewReader(reader)
	require.NoError(t, p.Start())
	require.NoError(t, writer.Close())
	go func() { p.end <- p.Wait() }()
	t.Cleanup(func() {
		_ = p.Process.Kill() // it may have ended
		_ = reader.Close()
		if t.Failed() {
			t.Logf("log of %v:\n%s", args, p.logs)
		}
	})
	return p
}

// stop sends a signal and returns the exit code.
func (p *process) stop(t *testing.T, signal syscall.Signal) int {
	t.Helper()
	require.NoError(t, p.Process.Signal(signal))
	return p.wait(t)
}

func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.end:
		return p.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("still running after %s:\n%s", patience, p.logs)
		return -1
	}
}

// serving waits until the server's log tells its address.
func (p *process) serving(t *testing.T) string {
	t.Helper()
	addr := ""
	p.logs.until(t, func(line string) bool {
		var entry struct{ Msg, Addr string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "serving" {
			addr = entry.Addr
		}
		return addr != ""
	})
	return "http://" + addr
}

// log is what a process writes to standard error.
type log struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *log) until(t *testing.T, found func(line string) bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		l.mu.Lock()
		text, changed := l.text.String(), l.changed
		l.mu.Unlock()
		for line := range strings.Lines(text) {
			if found(line) {
				return
			}
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("not in the log after %s:\n%s", patience, text)
		}
	}
}

// eventually polls until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// line reads one line of standard output.
func (p *process) line(t *testing.T) string {
	t.Helper()
	type read struct {
		text string
		err  error
	}
	lines := make(chan read, 1)
	go func() {
		text, err := p.out.ReadString('\n')
		lines <- read{text, err}
	}()
	select {
	case l := <-lines:
		require.NoError(t, l.err, "standard output ended; log:\n%s", p.logs)
		return l.text
	case <-time.After(patience):
		t.Fatalf("nothing on standard output after %s; log:\n%s", patience, p.logs)
		return ""
	}
}

// rest reads standard output to its end, once the process has ended.
func (p *process) rest(t *testing.T) string {
	t.Helper()
	text, err := io.ReadAll(p.out)
	require.NoError(t, err)
	return string(text)
}
