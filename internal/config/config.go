// Package config holds everything that an operator can set, in one struct that
// kong fills from flags, environment, a JSON file and defaults, in this order
// of precedence. See [Options].
package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/bailiwick/bailiwick/internal/secret"
)

// Config is the configuration of a Bailiwick process. Fill it through kong and
// call [Config.Validate]. Help texts are the documentation of each field.
type Config struct {
	ConfigFile  kong.ConfigFlag `name:"config" group:"General" env:"BAILIWICK_CONFIG" placeholder:"FILE" help:"JSON file with settings named like the flags, for example {\"log-level\":\"debug\"}. Flags and environment take precedence."`
	DataDir     string          `name:"data-dir" group:"General" env:"BAILIWICK_DATA_DIR" default:"data" placeholder:"DIR" help:"Directory of the embedded database and, in development, of the master key."`
	Development bool            `name:"development" group:"General" env:"BAILIWICK_DEVELOPMENT" help:"Relax what protects production: GraphiQL and introspection on, plain HTTP allowed, master key made when missing."`

	Addr             string         `name:"addr" group:"HTTP" env:"BAILIWICK_ADDR" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address to listen on."`
	PublicURL        string         `name:"public-url" group:"HTTP" env:"BAILIWICK_PUBLIC_URL" placeholder:"URL" help:"How clients and devices reach this server, without a path. Default: the address."`
	TLSCertificate   string         `name:"tls-certificate" group:"HTTP" env:"BAILIWICK_TLS_CERTIFICATE" placeholder:"FILE" help:"PEM file with the server's certificate and those of its issuers, to serve HTTPS without a reverse proxy. Read again when it changes."`
	TLSKey           string         `name:"tls-key" group:"HTTP" env:"BAILIWICK_TLS_KEY" placeholder:"FILE" help:"The server certificate's private key, in PEM."`
	TrustedProxies   []netip.Prefix `name:"trusted-proxies" group:"HTTP" env:"BAILIWICK_TRUSTED_PROXIES" placeholder:"CIDR,..." help:"Networks of the reverse proxies whose X-Forwarded-For is believed."`
	CORSOrigins      []string       `name:"cors-origins" group:"HTTP" env:"BAILIWICK_CORS_ORIGINS" placeholder:"ORIGIN,..." help:"Origins, such as https://console.example.com, whose pages may call the API."`
	WebSocketOrigins []string       `name:"websocket-origins" group:"HTTP" env:"BAILIWICK_WEBSOCKET_ORIGINS" placeholder:"ORIGIN,..." help:"Origins whose pages may open a WebSocket, beside the server's own."`
	MaxBodyBytes     int64          `name:"max-body-bytes" group:"HTTP" env:"BAILIWICK_MAX_BODY_BYTES" default:"1048576" placeholder:"BYTES" help:"Largest body of a GraphQL request."`
	RequestTimeout   time.Duration  `name:"request-timeout" group:"HTTP" env:"BAILIWICK_REQUEST_TIMEOUT" default:"30s" placeholder:"DURATION" help:"Longest time that a query or mutation may take."`
	ShutdownGrace    time.Duration  `name:"shutdown-grace" group:"HTTP" env:"BAILIWICK_SHUTDOWN_GRACE" default:"20s" placeholder:"DURATION" help:"How long requests and jobs may finish when the process is told to stop."`

	DatabaseURL            secret.Text `name:"database-url" group:"Database" env:"BAILIWICK_DATABASE_URL" placeholder:"URL" help:"postgres://... or sqlite:PATH. Default: bailiwick.db in the data directory."`
	DatabaseSystemURL      secret.Text `name:"database-system-url" group:"Database" env:"BAILIWICK_DATABASE_SYSTEM_URL" placeholder:"URL" help:"PostgreSQL only: the same database by a login that owns the tables, for migrations and system work. Without it the one login does both, under two roles."`
	DatabaseMaxConnections int         `name:"database-max-connections" group:"Database" env:"BAILIWICK_DATABASE_MAX_CONNECTIONS" default:"20" placeholder:"N" help:"Most connections of one process to PostgreSQL, in each of its two pools."`

	MasterKey          secret.Text   `name:"master-key" group:"Secrets" env:"BAILIWICK_MASTER_KEY" placeholder:"BASE64" help:"Key that protects all stored secrets: 32 random bytes in base64. Prefer the environment or a file; other users of the machine can see flags."`
	MasterKeyFile      string        `name:"master-key-file" group:"Secrets" env:"BAILIWICK_MASTER_KEY_FILE" placeholder:"FILE" help:"File with the master key, closed to other users. In development default master.key in the data directory, made when missing."`
	PreviousMasterKeys []secret.Text `name:"previous-master-keys" group:"Secrets" env:"BAILIWICK_PREVIOUS_MASTER_KEYS" placeholder:"BASE64,..." help:"Earlier master keys, or the next one, until 'secret rotate' has finished."`

	AccessTokenTTL  time.Duration `name:"access-token-ttl" group:"Sign-in" env:"BAILIWICK_ACCESS_TOKEN_TTL" default:"10m" placeholder:"DURATION" help:"How long an access token is valid."`
	RefreshTokenTTL time.Duration `name:"refresh-token-ttl" group:"Sign-in" env:"BAILIWICK_REFRESH_TOKEN_TTL" default:"720h" placeholder:"DURATION" help:"Longest time from sign-in to the next one."`
	SessionIdle     time.Duration `name:"session-idle" group:"Sign-in" env:"BAILIWICK_SESSION_IDLE" default:"168h" placeholder:"DURATION" help:"A session that is not refreshed for this long ends."`

	GraphQLIntrospection bool `name:"graphql-introspection" group:"GraphQL" env:"BAILIWICK_GRAPHQL_INTROSPECTION" help:"Answer introspection queries. Always on in development."`
	GraphQLMaxDepth      int  `name:"graphql-max-depth" group:"GraphQL" env:"BAILIWICK_GRAPHQL_MAX_DEPTH" default:"12" placeholder:"N" help:"Deepest nesting of a document."`
	GraphQLMaxComplexity int  `name:"graphql-max-complexity" group:"GraphQL" env:"BAILIWICK_GRAPHQL_MAX_COMPLEXITY" default:"20000" placeholder:"N" help:"Highest price of a document; a connection costs 1 + first times its fields."`
	GraphQLMaxAliases    int  `name:"graphql-max-aliases" group:"GraphQL" env:"BAILIWICK_GRAPHQL_MAX_ALIASES" default:"30" placeholder:"N" help:"Most aliases in a document."`
	GraphQLMaxTokens     int  `name:"graphql-max-tokens" group:"GraphQL" env:"BAILIWICK_GRAPHQL_MAX_TOKENS" default:"2000" placeholder:"N" help:"Most tokens in a document."`

	ConsoleURL       string        `name:"console-url" group:"Jobs" env:"BAILIWICK_CONSOLE_URL" placeholder:"URL" help:"Where technicians see alerts: a ticket links to this followed by /alerts/ and the alert's id. Default: the public URL."`
	JobPollInterval  time.Duration `name:"job-poll-interval" group:"Jobs" env:"BAILIWICK_JOB_POLL_INTERVAL" default:"1s" placeholder:"DURATION" help:"How often the job queue is looked at when no notification arrives."`
	JobWorkers       int           `name:"job-workers" group:"Jobs" env:"BAILIWICK_JOB_WORKERS" default:"20" placeholder:"N" help:"Most jobs that one process works on at a time."`
	UsageWriteAt     time.Duration `name:"usage-write-at" group:"Jobs" env:"BAILIWICK_USAGE_WRITE_AT" default:"1h" placeholder:"DURATION" help:"How long after midnight, in UTC, the usage of the day before is written to the ticketing systems."`
	PSAAllowLoopback bool          `name:"psa-allow-loopback" group:"Jobs" env:"BAILIWICK_PSA_ALLOW_LOOPBACK" help:"Allow PSA integrations on this machine, over plain HTTP. Development only."`

	AutotaskIntegrationCode secret.Text `name:"autotask-integration-code" group:"Ticketing" env:"BAILIWICK_AUTOTASK_INTEGRATION_CODE" placeholder:"CODE" help:"API tracking identifier that Autotask gave this deployment's operator. Without it, Autotask cannot be connected."`
	ConnectWiseClientID     string      `name:"connectwise-client-id" group:"Ticketing" env:"BAILIWICK_CONNECTWISE_CLIENT_ID" placeholder:"GUID" help:"Client ID that ConnectWise gave this deployment's operator at developer.connectwise.com. Without it, ConnectWise PSA cannot be connected."`

	MDMVendorCertificate   string      `name:"mdm-vendor-certificate" group:"Apple MDM" env:"BAILIWICK_MDM_VENDOR_CERTIFICATE" placeholder:"FILE" help:"PEM file with the MDM vendor certificate, Apple's WWDR certificate and Apple's root, in this order. Without it, requests for push certificates are not signed."`
	MDMVendorKey           string      `name:"mdm-vendor-key" group:"Apple MDM" env:"BAILIWICK_MDM_VENDOR_KEY" placeholder:"FILE" help:"The MDM vendor certificate's private key, closed to other users: see bailiwick vendor-certificate."`
	MDMVendorKeyPassphrase secret.Text `name:"mdm-vendor-key-passphrase" group:"Apple MDM" env:"BAILIWICK_MDM_VENDOR_KEY_PASSPHRASE" placeholder:"TEXT" help:"Decrypts the MDM vendor key. Prefer the environment; other users of the machine can see flags."`

	MDMCertificateHeader  string `name:"mdm-certificate-header" group:"Apple MDM" env:"BAILIWICK_MDM_CERTIFICATE_HEADER" placeholder:"NAME" help:"Header in which the trusted proxies pass a device's certificate on, which they must remove from what clients send. Without it, devices sign their messages."`
	MDMCertificateFormat  string `name:"mdm-certificate-format" group:"Apple MDM" env:"BAILIWICK_MDM_CERTIFICATE_FORMAT" default:"client-cert" placeholder:"FORMAT" help:"How the proxies write it: client-cert (RFC 9440) or escaped-pem."`
	MDMClientCertificates bool   `name:"mdm-client-certificates" group:"Apple MDM" env:"BAILIWICK_MDM_CLIENT_CERTIFICATES" help:"Ask for client certificates when serving TLS, for devices that do not sign their messages. Browsers with certificates of their own will ask which one to show."`
	MDMUserChannels       bool   `name:"mdm-user-channels" group:"Apple MDM" env:"BAILIWICK_MDM_USER_CHANNELS" help:"Let the people on a Mac have managed channels of their own."`
	MDMURL                string `name:"mdm-url" group:"Apple MDM" env:"BAILIWICK_MDM_URL" placeholder:"URL" help:"How managed devices reach this server, without a path, where that is not the public URL: such as a host of its own, whose proxy asks for their certificates. Devices keep the one that they enrolled with."`
	APNSHost              string `name:"apns-host" group:"Apple MDM" env:"BAILIWICK_APNS_HOST" placeholder:"URL" help:"Where notifications are sent instead of Apple's production host, such as https://api.push.apple.com:2197 behind a firewall."`
	APNSCA                string `name:"apns-ca" group:"Apple MDM" env:"BAILIWICK_APNS_CA" placeholder:"FILE" help:"PEM file with the authorities that certify --apns-host, instead of the system's: for tests with a stand-in of Apple's service."`

	LogLevel     string  `name:"log-level" group:"Telemetry" env:"BAILIWICK_LOG_LEVEL" default:"info" placeholder:"LEVEL" help:"Least severe level to log: debug, info, warn or error."`
	LogFormat    string  `name:"log-format" group:"Telemetry" env:"BAILIWICK_LOG_FORMAT" default:"text" placeholder:"FORMAT" help:"Format of the log: text or json."`
	OTLPEndpoint string  `name:"otlp-endpoint" group:"Telemetry" env:"BAILIWICK_OTLP_ENDPOINT" placeholder:"URL" help:"Send traces to this OpenTelemetry collector over OTLP/HTTP, for example http://localhost:4318. Default: no traces."`
	TraceRatio   float64 `name:"trace-ratio" group:"Telemetry" env:"BAILIWICK_TRACE_RATIO" default:"0.1" placeholder:"RATIO" help:"Share of requests to trace, 0 to 1, where the caller has not decided."`
}

// Database is the database URL, by default the embedded one.
func (c Config) Database() secret.Text {
	if c.DatabaseURL.IsZero() {
		return secret.NewText("sqlite:" + filepath.Join(c.DataDir, "bailiwick.db"))
	}
	return c.DatabaseURL
}

// URL is how clients reach the server, without a trailing slash.
func (c Config) URL() string {
	switch {
	case c.PublicURL == "" && c.TLSCertificate != "":
		return "https://" + c.Addr
	case c.PublicURL == "":
		return "http://" + c.Addr
	}
	return c.PublicURL
}

// DeviceURL is how managed devices reach the server, without a trailing slash.
func (c Config) DeviceURL() string { return cmp.Or(c.MDMURL, c.URL()) }

// Console is where technicians see alerts, without a trailing slash.
func (c Config) Console() string {
	if c.ConsoleURL == "" {
		return c.URL()
	}
	return strings.TrimRight(c.ConsoleURL, "/")
}

// Introspection says whether introspection queries are answered.
func (c Config) Introspection() bool { return c.Development || c.GraphQLIntrospection }

// Masters reads the master keys. In development it makes a missing key file
// and then reports it as created; otherwise a missing key is an error.
func (c Config) Masters() (masters secret.Masters, created string, err error) {
	switch path := c.masterKeyFile(); {
	case !c.MasterKey.IsZero():
		masters.Current, err = secret.ParseMasterKey(c.MasterKey)
	case c.Development:
		var made bool
		if masters.Current, made, err = secret.ReadOrCreateMasterKey(path); made {
			created = path
		}
	case path == "":
		err = fmt.Errorf("%s or %s must be set; make a key with: openssl rand -base64 32",
			SettingName("MasterKey"), SettingName("MasterKeyFile"))
	default:
		masters.Current, err = secret.ReadMasterKey(path)
	}
	if err != nil {
		return secret.Masters{}, "", err
	}
	for _, text := range c.PreviousMasterKeys {
		previous, err := secret.ParseMasterKey(text)
		if err != nil {
			return secret.Masters{}, "", err
		}
		masters.Previous = append(masters.Previous, previous)
	}
	return masters, created, nil
}

func (c Config) masterKeyFile() string {
	if c.MasterKeyFile == "" && c.Development {
		return filepath.Join(c.DataDir, "master.key")
	}
	return c.MasterKeyFile
}
