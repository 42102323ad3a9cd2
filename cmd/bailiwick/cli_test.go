package main_test

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHelp(t *testing.T) {
	commands := []string{"", "serve", "demo", "migrate up", "migrate status", "migrate down",
		"provider create", "key create", "secret rotate"}
	alone := regexp.MustCompile(`^ {2,6}(-., )?--[a-z-]+(=\S+)?$`)
	for _, name := range commands {
		r := execute(t, nil, "", append(strings.Fields(name), "--help")...)
		require.Zero(t, r.code, name)
		require.Empty(t, r.err, name)
		require.Contains(t, r.out, "Example", name)
		require.Contains(t, r.out, "Exit codes: 0 done; 1 failed; 2 ", name)
		lines := strings.Split(r.out, "\n")
		for i, line := range lines {
			if alone.MatchString(line) && (i+1 == len(lines) || !strings.HasPrefix(lines[i+1], "          ")) {
				t.Errorf("%s: nothing explains %q", name, strings.TrimSpace(line))
			}
		}
	}
	root := execute(t, nil, "", "--help").out
	for _, name := range append(commands[1:], "version") {
		require.Contains(t, root, "\n  "+name+" ", "the root's help lists it")
	}
	require.NotContains(t, execute(t, nil, "", "migrate", "up", "--help").out, "--cors-origins",
		"another command's settings would hide its own")
	require.Contains(t, execute(t, nil, "", "version").out, "bailiwick ")
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	data := "--data-dir=" + filepath.Join(dir, "data")
	provider := []string{"provider", "create", "--development", data, "--name=x", "--email=a@b.example"}

	for name, c := range map[string]struct {
		args  []string
		stdin string
		code  int
		says  string
	}{
		"no command":             {nil, "", 2, "expected one of"},
		"unknown command":        {[]string{"frobnicate"}, "", 2, "frobnicate"},
		"unknown flag":           {[]string{"serve", "--frobnicate"}, "", 2, "--frobnicate"},
		"setting out of range":   {[]string{"serve", "--log-level=loud"}, "", 2, "--log-level (BAILIWICK_LOG_LEVEL) must be debug"},
		"no master key":          {[]string{"serve", data}, "", 2, "openssl rand -base64 32"},
		"required flag":          {[]string{"provider", "create", data}, "", 2, "--email"},
		"no terminal":            {provider, "", 2, "--generate-password"},
		"two passwords":          {append(provider, "--generate-password", "--password-file=-"), "", 2, "--password-file"},
		"empty password":         {append(provider, "--password-file=-"), "\n", 2, "it is empty"},
		"no password file":       {append(provider, "--password-file="+file+".none"), "", 1, "--password-file"},
		"weak password":          {append(provider, "--password-file=-"), "short\n", 1, "12"},
		"down unconfirmed":       {[]string{"migrate", "down", data}, "", 2, "--yes"},
		"negative expiry":        {[]string{"key", "create", data, "--email=a@b.example", "--name=x", "--expires-in=-1h"}, "", 2, "--expires-in"},
		"nobody":                 {[]string{"key", "create", "--development", data, "--email=a@b.example", "--name=x"}, "", 1, "no administrator"},
		"database unreachable":   {[]string{"migrate", "status", "--database-url=postgres://nobody@127.0.0.1:1/none?connect_timeout=2"}, "", 3, "--database-url (BAILIWICK_DATABASE_URL)"},
		"no data directory":      {[]string{"migrate", "up", "--data-dir=" + file + "/data"}, "", 3, "--data-dir"},
		"migrations pending":     {[]string{"migrate", "status", "--data-dir=" + filepath.Join(dir, "empty")}, "", 3, "bailiwick migrate up"},
		"address taken":          {[]string{"serve", "--development", data, "--addr=" + taken.Addr().String()}, "", 1, "--addr (BAILIWICK_ADDR)"},
		"address taken for demo": {[]string{"demo", "--addr=" + taken.Addr().String()}, "", 1, "choose another address with --addr"},
		"demo on other data":     {[]string{"demo", "--addr=127.0.0.1:0", "--data=" + filepath.Join(dir, "served")}, "", 1, "--data"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "demo on other data" {
				require.Zero(t, execute(t, nil, "", "migrate", "up", "--data-dir="+filepath.Join(dir, "served")).code)
			}
			r := execute(t, nil, c.stdin, c.args...)
			require.Equal(t, c.code, r.code, "%s%s", r.out, r.err)
			require.Contains(t, r.err, c.says)
			require.NotContains(t, r.err, "goroutine")
		})
	}
}

func TestMigrate(t *testing.T) {
	data := "--data-dir=" + t.TempDir()
	up := execute(t, nil, "", "migrate", "up", data)
	require.Zero(t, up.code, up.err)
	require.Contains(t, up.err, "initial\n")
	require.Contains(t, execute(t, nil, "", "migrate", "up", data).out, "nothing to do")
	status := execute(t, nil, "", "migrate", "status", data)
	require.Zero(t, status.code, status.err)
	require.NotContains(t, status.out, "pending")
	down := execute(t, nil, "", "migrate", "down", "--yes", data)
	require.Zero(t, down.code, down.err)
	status = execute(t, nil, "", "migrate", "status", data)
	require.Equal(t, 3, status.code)
	require.Contains(t, status.out, "pending")
}
