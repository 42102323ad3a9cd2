package config_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/config"
	"github.com/bailiwick/bailiwick/internal/secret"
)

// commands is how a program uses the struct: embedded in a command.
type commands struct {
	Serve struct {
		config.Config `embed:""`
	} `cmd:""`
}

func parse(t *testing.T, args ...string) (config.Config, error) {
	t.Helper()
	var cli commands
	parser, err := kong.New(&cli, config.Options()...)
	require.NoError(t, err)
	_, err = parser.Parse(append([]string{"serve"}, args...))
	return cli.Serve.Config, err
}

func defaults(t *testing.T) config.Config {
	t.Helper()
	c, err := parse(t, "--development")
	require.NoError(t, err)
	return c
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bailiwick.json")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestDefaultsAreValidInDevelopment(t *testing.T) {
	c := defaults(t)
	require.NoError(t, c.Validate())
	require.Equal(t, "127.0.0.1:8080", c.Addr)
	require.Equal(t, "http://127.0.0.1:8080", c.URL())
	require.Equal(t, "sqlite:data/bailiwick.db", c.Database().Reveal())
	require.Equal(t, 10*time.Minute, c.AccessTokenTTL)
	require.Equal(t, 30*24*time.Hour, c.RefreshTokenTTL)
	require.Equal(t, 20*time.Second, c.ShutdownGrace)
	require.True(t, c.Introspection())
}

func TestProductionNeedsAMasterKeyOnly(t *testing.T) {
	c, err := parse(t)
	require.NoError(t, err)
	require.False(t, c.Introspection())
	_, _, err = c.Masters()
	require.ErrorContains(t, err, "--master-key (BAILIWICK_MASTER_KEY)")
	c.MasterKey = secret.NewMasterKey()
	_, _, err = c.Masters()
	require.NoError(t, err)
}

func TestParsingValidates(t *testing.T) {
	_, err := parse(t, "--log-level", "loud")
	require.ErrorContains(t, err, "--log-level (BAILIWICK_LOG_LEVEL) must be debug")
}

func TestFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	inFile, first, second := secret.NewMasterKey(), secret.NewMasterKey(), secret.NewMasterKey()
	path := writeFile(t, `{"addr":"file:1","public-url":"https://a.example","log-level":"debug","session-idle":"48h","job-workers":7,
		"trusted-proxies":["10.0.0.0/8","192.0.2.1/32"],"cors-origins":["https://a.example"],"master-key":"`+inFile.Reveal()+`"}`)
	t.Setenv("BAILIWICK_ADDR", "environment:2")
	t.Setenv("BAILIWICK_LOG_LEVEL", "warn")
	t.Setenv("BAILIWICK_PREVIOUS_MASTER_KEYS", first.Reveal()+","+second.Reveal())
	c, err := parse(t, "--config", path, "--addr", "flag:3")
	require.NoError(t, err)
	require.Equal(t, "flag:3", c.Addr)
	require.Equal(t, "warn", c.LogLevel)
	require.Equal(t, 48*time.Hour, c.SessionIdle)
	require.Equal(t, 7, c.JobWorkers)
	require.Len(t, c.TrustedProxies, 2)
	require.Equal(t, []string{"https://a.example"}, c.CORSOrigins)
	require.True(t, inFile.Equal(c.MasterKey))
	require.Len(t, c.PreviousMasterKeys, 2)
	require.True(t, second.Equal(c.PreviousMasterKeys[1]))
	require.Equal(t, "text", c.LogFormat)

	t.Setenv("BAILIWICK_CONFIG", path)
	c, err = parse(t)
	require.NoError(t, err)
	require.Equal(t, "environment:2", c.Addr)
	require.Equal(t, 48*time.Hour, c.SessionIdle, "the file may be named in the environment")
}

func TestFileMistakesAreReported(t *testing.T) {
	for content, want := range map[string]string{
		`{"adr":"x","log-level":"info"}`: `"adr"`,
		`addr=x`:                         "not a JSON object",
		`{"session-idle":"soon"}`:        "session-idle",
		`{"trusted-proxies":["here"]}`:   "trusted-proxies",
	} {
		_, err := parse(t, "--config", writeFile(t, content))
		require.ErrorContains(t, err, want, content)
	}
	_, err := parse(t, "--config", filepath.Join(t.TempDir(), "none.json"))
	require.Error(t, err)
	_, err = parse(t, "--config", writeFile(t, `{"addr":"`+strings.Repeat("x", 1<<20)+`"}`))
	require.ErrorContains(t, err, "1 MiB")
}

func TestEveryFieldIsDocumentedAndNamedAlike(t *testing.T) {
	seen := map[string]bool{}
	for field := range fields() {
		name, env := field.Tag.Get("name"), field.Tag.Get("env")
		require.NotEmpty(t, name, field.Name)
		require.Equal(t, "BAILIWICK_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_")), env, field.Name)
		require.Regexp(t, `\.$`, field.Tag.Get("help"), "%s: a sentence explains it", field.Name)
		require.NotEmpty(t, field.Tag.Get("group"), field.Name)
		require.False(t, seen[name], name)
		seen[name] = true
	}
}

func fields() func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for _, field := range reflect.VisibleFields(reflect.TypeFor[config.Config]()) {
			if !yield(field) {
				return
			}
		}
	}
}

func TestHelpNamesEverySetting(t *testing.T) {
	var (
		cli commands
		out bytes.Buffer
	)
	parser, err := kong.New(&cli, append(config.Options(), kong.Writers(&out, &out), kong.Exit(func(int) { panic("exit") }))...)
	require.NoError(t, err)
	require.Panics(t, func() { _, _ = parser.Parse([]string{"serve", "--help"}) })
	for field := range fields() {
		require.Contains(t, out.String(), "--"+field.Tag.Get("name"))
		require.Contains(t, strings.Join(strings.Fields(out.String()), ""), field.Tag.Get("env"))
	}
}

func TestValidateNamesWhatIsWrong(t *testing.T) {
	cases := map[string]struct {
		change func(*config.Config)
		want   string
	}{
		"address":            {func(c *config.Config) { c.Addr = "8080" }, "--addr (BAILIWICK_ADDR)"},
		"data directory":     {func(c *config.Config) { c.DataDir = "" }, "--data-dir"},
		"public path":        {func(c *config.Config) { c.PublicURL = "https://a.example/x" }, "--public-url"},
		"console query":      {func(c *config.Config) { c.ConsoleURL = "https://a.example/?x" }, "--console-url"},
		"console scheme":     {func(c *config.Config) { c.ConsoleURL = "javascript:x" }, "--console-url"},
		"public scheme":      {func(c *config.Config) { c.PublicURL = "ftp://a.example" }, "--public-url"},
		"all proxies":        {func(c *config.Config) { c.TrustedProxies = prefixes("0.0.0.0/0") }, "--trusted-proxies"},
		"cors":               {func(c *config.Config) { c.CORSOrigins = []string{"*"} }, "--cors-origins"},
		"websocket":          {func(c *config.Config) { c.WebSocketOrigins = []string{"https://a.example/"} }, "--websocket-origins"},
		"body":               {func(c *config.Config) { c.MaxBodyBytes = 0 }, "--max-body-bytes"},
		"timeout":            {func(c *config.Config) { c.RequestTimeout = 0 }, "--request-timeout"},
		"grace":              {func(c *config.Config) { c.ShutdownGrace = -1 }, "--shutdown-grace"},
		"database":           {func(c *config.Config) { c.DatabaseURL = secret.NewText("mysql://x") }, "--database-url"},
		"system on sqlite":   {func(c *config.Config) { c.DatabaseSystemURL = secret.NewText("postgres://x") }, "--database-system-url"},
		"connections":        {func(c *config.Config) { c.DatabaseMaxConnections = 1 }, "--database-max-connections"},
		"master key":         {func(c *config.Config) { c.MasterKey = secret.NewText("hunter2") }, "--master-key"},
		"two master keys":    {func(c *config.Config) { c.MasterKey, c.MasterKeyFile = secret.NewMasterKey(), "x" }, "--master-key"},
		"previous key":       {func(c *config.Config) { c.PreviousMasterKeys = []secret.Text{secret.NewText("hunter2")} }, "--previous-master-keys"},
		"long access token":  {func(c *config.Config) { c.AccessTokenTTL = 2 * time.Hour }, "--access-token-ttl"},
		"no access token":    {func(c *config.Config) { c.AccessTokenTTL = 0 }, "--access-token-ttl"},
		"short refresh":      {func(c *config.Config) { c.RefreshTokenTTL = time.Hour }, "--refresh-token-ttl"},
		"short idle":         {func(c *config.Config) { c.SessionIdle = time.Minute }, "--session-idle"},
		"depth":              {func(c *config.Config) { c.GraphQLMaxDepth = 0 }, "--graphql-max-depth"},
		"complexity":         {func(c *config.Config) { c.GraphQLMaxComplexity = 0 }, "--graphql-max-complexity"},
		"aliases":            {func(c *config.Config) { c.GraphQLMaxAliases = -1 }, "--graphql-max-aliases"},
		"tokens":             {func(c *config.Config) { c.GraphQLMaxTokens = 1 }, "--graphql-max-tokens"},
		"poll":               {func(c *config.Config) { c.JobPollInterval = 0 }, "--job-poll-interval"},
		"workers":            {func(c *config.Config) { c.JobWorkers = 0 }, "--job-workers"},
		"integration code":   {func(c *config.Config) { c.AutotaskIntegrationCode = secret.NewText("hunter2 x") }, "--autotask-integration-code"},
		"device URL scheme":  {func(c *config.Config) { c.MDMURL = "http://mdm.example" }, "--mdm-url"},
		"device URL path":    {func(c *config.Config) { c.MDMURL = "https://mdm.example/mdm" }, "--mdm-url"},
		"push host":          {func(c *config.Config) { c.APNSHost = "http://127.0.0.1:2197" }, "--apns-host (BAILIWICK_APNS_HOST)"},
		"push authority":     {func(c *config.Config) { c.APNSCA = "ca.pem" }, "--apns-ca (BAILIWICK_APNS_CA)"},
		"client id":          {func(c *config.Config) { c.ConnectWiseClientID = "hunter2" }, "--connectwise-client-id"},
		"log level":          {func(c *config.Config) { c.LogLevel = "loud" }, "--log-level"},
		"log format":         {func(c *config.Config) { c.LogFormat = "xml" }, "--log-format"},
		"collector":          {func(c *config.Config) { c.OTLPEndpoint = "localhost:4318" }, "--otlp-endpoint"},
		"ratio":              {func(c *config.Config) { c.TraceRatio = 2 }, "--trace-ratio"},
		"production, open":   {func(c *config.Config) { c.Development, c.Addr = false, ":8080" }, "--public-url"},
		"production, http":   {func(c *config.Config) { c.Development, c.PublicURL = false, "http://a.example" }, "--public-url"},
		"usage, next day":    {func(c *config.Config) { c.UsageWriteAt = 24 * time.Hour }, "--usage-write-at"},
		"TLS without key":    {func(c *config.Config) { c.TLSCertificate = "server.pem" }, "--tls-key"},
		"key without TLS":    {func(c *config.Config) { c.TLSKey = "server.key" }, "--tls-key"},
		"asking without TLS": {func(c *config.Config) { c.MDMClientCertificates = true }, "--mdm-client-certificates"},
		"production, PSA":    {func(c *config.Config) { c.Development, c.PSAAllowLoopback = false, true }, "--psa-allow-loopback"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := defaults(t)
			tc.change(&c)
			err := c.Validate()
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
	require.Error(t, config.Config{}.Validate())
}

func TestPrintingAConfigShowsNoSecret(t *testing.T) {
	hunter := secret.NewText("hunter2")
	c := config.Config{DatabaseURL: hunter, MasterKey: hunter, PreviousMasterKeys: []secret.Text{hunter}}
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", c, c, c), "hunter2")
}

func TestMasters(t *testing.T) {
	c := defaults(t)
	c.DataDir = filepath.Join(t.TempDir(), "data")
	masters, created, err := c.Masters()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(c.DataDir, "master.key"), created)
	again, created, err := c.Masters()
	require.NoError(t, err)
	require.Empty(t, created)
	require.Equal(t, masters.Current.ID(), again.Current.ID())

	c.Development, c.MasterKeyFile = false, filepath.Join(c.DataDir, "other.key")
	_, _, err = c.Masters()
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoFileExists(t, c.MasterKeyFile)

	c.MasterKeyFile, c.MasterKey = "", secret.NewMasterKey()
	c.PreviousMasterKeys = []secret.Text{secret.NewMasterKey()}
	masters, _, err = c.Masters()
	require.NoError(t, err)
	require.Len(t, masters.Previous, 1)
	c.PreviousMasterKeys = []secret.Text{secret.NewText("bad")}
	_, _, err = c.Masters()
	require.Error(t, err)
}

func prefixes(cidr string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(cidr)} }
