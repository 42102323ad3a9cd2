package main_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHelp(t *testing.T) {
	commands := []string{"", "serve", "demo", "migrate up", "migrate status", "migrate down",
		"provider create", "key create", "secret rotate", "vendor-certificate init"}
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
	vendor := []string{"vendor-certificate", "init", "--name=x"}

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
		"vendor's country":       {append(vendor, "--country=Spain", "--generate-password"), "", 2, "--country"},
		"vendor, no terminal":    {append(vendor, "--country=ES"), "", 2, "--generate-password"},
		"vendor's weak password": {append(vendor, "--country=ES", "--password-file=-"), "short\n", 1, "12"},
		"vendor, no directory":   {append(vendor, "--country=ES", "--generate-password", "--dir="+dir+"/none"), "", 1, "--dir"},
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

func TestVendorCertificate(t *testing.T) {
	dir := t.TempDir()
	init := []string{"vendor-certificate", "init", "--name=Northwind", "--country=US", "--generate-password", "--dir=" + dir}
	r := execute(t, nil, "", init...)
	require.Zero(t, r.code, r.err)
	password := regexp.MustCompile(`password (\S+)`).FindStringSubmatch(r.out)
	require.Len(t, password, 2)
	key, err := os.ReadFile(filepath.Join(dir, "vendor.key"))
	require.NoError(t, err)
	info, err := os.Stat(filepath.Join(dir, "vendor.key"))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	request, err := os.ReadFile(filepath.Join(dir, "vendor.csr"))
	require.NoError(t, err)

	again := execute(t, nil, "", init...)
	require.Equal(t, 1, again.code)
	require.Contains(t, again.err, "exists already")
	same, err := os.ReadFile(filepath.Join(dir, "vendor.key"))
	require.NoError(t, err)
	require.Equal(t, key, same)

	openssl, err := exec.LookPath("openssl")
	require.NoError(t, err, "openssl judges what is made")
	judge := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), openssl, args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	of := judge("pkey", "-in", filepath.Join(dir, "vendor.key"), "-passin", "pass:"+password[1], "-pubout")
	require.Equal(t, of, judge("req", "-in", filepath.Join(dir, "vendor.csr"), "-pubkey", "-noout"))
	require.Contains(t, judge("req", "-in", filepath.Join(dir, "vendor.csr"), "-verify", "-noout", "-subject"), "Northwind")
	require.NotContains(t, string(request), "PRIVATE")
}
