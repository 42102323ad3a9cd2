package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/internal/secret"
)

// Validate reports everything that is wrong, each with the names by which the
// setting is known. It reads no file and quotes no secret. Kong calls it when
// it has parsed; that a master key is there is checked by [Config.Masters], since
// not every command needs one.
func (c Config) Validate() error {
	v := validator{}
	v.check("DataDir", c.DataDir != "", "must not be empty")
	c.validateHTTP(&v)
	c.validateDatabase(&v)
	c.validateSecrets(&v)

	v.positive("AccessTokenTTL", c.AccessTokenTTL)
	v.positive("SessionIdle", c.SessionIdle)
	v.positive("RefreshTokenTTL", c.RefreshTokenTTL)
	v.check("AccessTokenTTL", c.AccessTokenTTL <= time.Hour,
		"must be at most 1h: until it ends, a token outlives its session where revocation is not checked")
	v.check("SessionIdle", c.SessionIdle > c.AccessTokenTTL, "must be longer than the access token's life")
	v.check("RefreshTokenTTL", c.RefreshTokenTTL >= c.SessionIdle, "must not be shorter than the idle time of a session")

	v.between("GraphQLMaxDepth", c.GraphQLMaxDepth, 3, 50)
	v.between("GraphQLMaxComplexity", c.GraphQLMaxComplexity, 100, 10_000_000)
	v.between("GraphQLMaxAliases", c.GraphQLMaxAliases, 0, 1000)
	v.between("GraphQLMaxTokens", c.GraphQLMaxTokens, 100, 100_000)

	v.check("JobPollInterval", c.JobPollInterval >= 10*time.Millisecond && c.JobPollInterval <= time.Minute,
		"must lie between 10ms and 1m")
	v.between("JobWorkers", c.JobWorkers, 1, 10_000)
	v.check("UsageWriteAt", c.UsageWriteAt >= 0 && c.UsageWriteAt < 24*time.Hour, "must lie within a day: 0s to 23h59m")
	console, err := url.Parse(c.Console())
	v.check("ConsoleURL", err == nil && isHTTP(console) && console.RawQuery == "" && console.Fragment == "" && console.User == nil,
		"must be an http or https URL without a query, such as https://console.example.com")
	v.check("PSAAllowLoopback", !c.PSAAllowLoopback || c.Development, "is for development only")

	code := c.AutotaskIntegrationCode.Reveal()
	v.check("AutotaskIntegrationCode", len(code) <= 500 && !strings.ContainsFunc(code, func(r rune) bool { return r <= ' ' || r > '~' }),
		"must be the identifier as Autotask shows it, without spaces")
	v.check("ConnectWiseClientID", c.ConnectWiseClientID == "" || guid.MatchString(c.ConnectWiseClientID),
		"must be a GUID, such as 01234567-89ab-cdef-0123-456789abcdef")
	v.check("MDMVendorKey", (c.MDMVendorKey == "") == (c.MDMVendorCertificate == ""),
		"must be set with --mdm-vendor-certificate, and only with it")
	v.check("MDMVendorKeyPassphrase", c.MDMVendorKeyPassphrase.IsZero() || c.MDMVendorKey != "", "is of no use without a key")

	v.check("MDMCertificateHeader", c.MDMCertificateHeader == "" || len(c.TrustedProxies) > 0, "needs --trusted-proxies: anybody could send it")
	v.check("MDMCertificateFormat", slices.Contains([]string{"client-cert", "escaped-pem"}, c.MDMCertificateFormat),
		"must be client-cert or escaped-pem")
	v.check("MDMClientCertificates", !c.MDMClientCertificates || c.TLSCertificate != "", "needs --tls-certificate: behind a proxy, the proxy asks")
	v.check("MDMURL", c.MDMURL == "" || isHTTPS(c.MDMURL), "must be an https URL without a path, such as https://mdm.example.com: devices take no other")
	v.check("APNSHost", c.APNSHost == "" || isHTTPS(c.APNSHost), "must be an https URL without a path, such as https://api.push.apple.com:2197")
	v.check("APNSCA", c.APNSCA == "" || c.APNSHost != "", "needs --apns-host: Apple's own host is certified by the system's authorities")

	v.check("LogLevel", slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel),
		"must be debug, info, warn or error")
	v.check("LogFormat", slices.Contains([]string{"text", "json"}, c.LogFormat), "must be text or json")
	if c.OTLPEndpoint != "" {
		endpoint, err := url.Parse(c.OTLPEndpoint)
		v.check("OTLPEndpoint", err == nil && isHTTP(endpoint), "must be an http or https URL")
	}
	v.check("TraceRatio", c.TraceRatio >= 0 && c.TraceRatio <= 1, "must lie between 0 and 1")
	return errors.Join(v.problems...)
}

func (c Config) validateHTTP(v *validator) {
	host, port, err := net.SplitHostPort(c.Addr)
	v.check("Addr", err == nil && port != "", "must be HOST:PORT")
	if c.PublicURL == "" {
		v.check("PublicURL", c.Development || isLoopback(host),
			"must be set when the server listens to more than this machine")
	} else {
		public, err := url.Parse(c.PublicURL)
		ok := err == nil && isHTTP(public) && isOrigin(c.PublicURL)
		v.check("PublicURL", ok, "must be a URL without a path, such as https://bailiwick.example.com")
		v.check("PublicURL", !ok || c.Development || public.Scheme == "https" || isLoopback(public.Hostname()),
			"must be https: tokens and device commands travel over it")
	}
	v.check("TLSKey", (c.TLSKey == "") == (c.TLSCertificate == ""), "must be set with --tls-certificate, and only with it")
	for _, prefix := range c.TrustedProxies {
		v.check("TrustedProxies", prefix.Bits() > 0, "must not trust every address")
	}
	for _, origin := range c.CORSOrigins {
		v.check("CORSOrigins", isOrigin(origin), "must be origins such as https://console.example.com")
	}
	for _, origin := range c.WebSocketOrigins {
		v.check("WebSocketOrigins", isOrigin(origin), "must be origins such as https://console.example.com")
	}
	v.check("MaxBodyBytes", c.MaxBodyBytes >= 1<<10 && c.MaxBodyBytes <= 64<<20, "must lie between 1 KiB and 64 MiB")
	v.positive("RequestTimeout", c.RequestTimeout)
	v.check("ShutdownGrace", c.ShutdownGrace >= 0, "must not be negative")
}

func (c Config) validateDatabase(v *validator) {
	database := c.Database().Reveal()
	postgres := isPostgres(database)
	v.check("DatabaseURL", postgres || strings.HasPrefix(database, "sqlite:"), "must begin with postgres:// or sqlite:")
	v.check("DatabaseSystemURL", c.DatabaseSystemURL.IsZero() || isPostgres(c.DatabaseSystemURL.Reveal()), "must be a postgres:// URL")
	v.check("DatabaseSystemURL", postgres || c.DatabaseSystemURL.IsZero(), "is for PostgreSQL only")
	v.between("DatabaseMaxConnections", c.DatabaseMaxConnections, 2, 1000)
}

func (c Config) validateSecrets(v *validator) {
	v.check("MasterKey", c.MasterKey.IsZero() || c.MasterKeyFile == "", "must not be given together with a master key file")
	if !c.MasterKey.IsZero() {
		_, err := secret.ParseMasterKey(c.MasterKey)
		v.check("MasterKey", err == nil, "must be 32 random bytes in base64; make one with: openssl rand -base64 32")
	}
	for _, key := range c.PreviousMasterKeys {
		_, err := secret.ParseMasterKey(key)
		v.check("PreviousMasterKeys", err == nil, "must each be 32 bytes in base64")
	}
}

// validator gathers problems under the names of the fields' flags.
type validator struct{ problems []error }

func (v *validator) check(field string, ok bool, problem string) {
	if ok {
		return
	}
	v.problems = append(v.problems, fmt.Errorf("%s %s", SettingName(field), problem))
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// SettingName is how an operator knows a field of Config: by its flag and its
// variable.
func SettingName(field string) string {
	f, found := reflect.TypeFor[Config]().FieldByName(field)
	if !found {
		return field
	}
	return fmt.Sprintf("--%s (%s)", f.Tag.Get("name"), f.Tag.Get("env"))
}

func (v *validator) positive(field string, d time.Duration) {
	v.check(field, d > 0, "must be more than zero")
}

func (v *validator) between(field string, n, low, high int) {
	v.check(field, n >= low && n <= high, fmt.Sprintf("must lie between %d and %d", low, high))
}

func isPostgres(u string) bool {
	return strings.HasPrefix(u, "postgres://") || strings.HasPrefix(u, "postgresql://")
}

func isHTTP(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

// isOrigin accepts scheme, host and port, and nothing more: browsers compare
// origins as strings.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && isHTTP(u) && u.User == nil && s == u.Scheme+"://"+u.Host
}

func isHTTPS(s string) bool { return isOrigin(s) && strings.HasPrefix(s, "https://") }

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
