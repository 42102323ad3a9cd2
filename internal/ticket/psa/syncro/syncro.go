// Package syncro is the client for Syncro, api/v1.
//
// Syncro has no field for an external id and no webhooks. A ticket's marker is
// one of its tags, and again the end of its first comment; it is found by
// listing the customer's recent tickets. The limit of 180 requests a minute
// counts by source address, so every account behind one address shares it:
// whoever schedules the calls must too.
package syncro

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Config is what all Syncro accounts of a deployment have in common.
type Config struct {
	// BaseURL replaces https://{subdomain}.syncromsp.com, without /api/v1, for
	// every account. Empty in production.
	BaseURL       string
	AllowLoopback bool          // permits a BaseURL on this machine
	Timeout       time.Duration // of one call
	MaxPages      int           // of a look-up; one that needs more is an error, never "absent"
	Gate          psa.Gate      // admits the calls; nil admits all
	Logger        *slog.Logger
	Clock         func() time.Time
}

// Defaults of Config that suit production.
const (
	DefaultTimeout  = 30 * time.Second
	DefaultMaxPages = 100 // 2,500 tickets of one customer in two days
)

const (
	apiPath   = "/api/v1"
	maxAnswer = 16 << 20 // a page of 25 tickets with long comments
)

// Validate reports what is missing.
func (c Config) Validate() error {
	if c.Timeout <= 0 || c.MaxPages <= 0 || c.Logger == nil || c.Clock == nil {
		return errors.New("syncro: timeout, max pages, logger or clock is missing")
	}
	return nil
}

// Credentials open one Syncro account.
type Credentials struct {
	Subdomain string `json:"subdomain"` // acme, of acme.syncromsp.com
	APIToken  string `json:"apiToken"`
	// BaseURL replaces the subdomain's address, without /api/v1. It is refused
	// where the configuration does not allow loopback, since calls come from
	// inside the deployment's network.
	BaseURL string `json:"baseUrl,omitempty"`
}

var subdomainForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Validate checks the form; the *fault.Error names the field.
func (c Credentials) Validate() error {
	if !subdomainForm.MatchString(c.Subdomain) {
		return fault.Invalid("subdomain", "the subdomain is the first part of your Syncro address: acme, of acme.syncromsp.com")
	}
	if c.APIToken == "" || len(c.APIToken) > 500 || strings.ContainsFunc(c.APIToken, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fault.Invalid("apiToken", "the API token is empty or holds characters that no token has")
	}
	return nil
}

// Client is one Syncro account. It is safe for concurrent use.
type Client struct {
	http      *psa.HTTP
	root      string
	subdomain string
	maxPages  int
}

var _ psa.Vendor = (*Client)(nil)

// New returns a client and sends nothing. Malformed credentials are a
// *fault.Error.
func New(config Config, credentials Credentials) (*Client, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if err := credentials.Validate(); err != nil {
		return nil, err
	}
	root := "https://" + credentials.Subdomain + ".syncromsp.com"
	if credentials.BaseURL != "" {
		if !config.AllowLoopback {
			return nil, fault.Invalid("baseUrl", "this deployment calls Syncro at its own address only")
		}
		config.BaseURL = credentials.BaseURL
	}
	if config.BaseURL != "" {
		root = strings.TrimRight(config.BaseURL, "/")
	}
	caller, err := psa.NewHTTP(psa.HTTPConfig{
		Gate:          config.Gate,
		Base:          root + apiPath,
		Timeout:       config.Timeout,
		MaxAnswer:     maxAnswer,
		AllowLoopback: config.AllowLoopback,
		Logger:        config.Logger,
		Clock:         config.Clock,
		Authorize:     func(h http.Header) { h.Set("Authorization", "Bearer "+credentials.APIToken) },
		Secrets:       []string{credentials.APIToken},
		Explain:       explain,
	})
	if err != nil {
		return nil, fault.Invalid("baseUrl", "is no address that can be called").Wrap(err)
	}
	return &Client{http: caller, root: root, subdomain: credentials.Subdomain, maxPages: config.MaxPages}, nil
}

// Driver opens Syncro accounts from stored JSON.
func Driver(config Config) psa.Driver {
	return psa.NewDriver("Syncro", func(c Credentials, gate psa.Gate) (*Client, error) {
		config := config
		config.Gate = gate
		return New(config, c)
	}, ReadSettings)
}

// ReadSettings decodes and validates settings, and refuses unknown fields. The
// *fault.Error names the field.
func ReadSettings(raw []byte) (Settings, error) {
	var s Settings
	if err := psa.Decode(raw, &s); err != nil {
		return Settings{}, fault.Invalid("settings", "settings are not those of Syncro").Wrap(err)
	}
	return s, s.Validate()
}

// needed are the permissions that ticketing takes, as GET /me names them.
var needed = []struct{ object, right string }{
	{"customer", "read"}, {"ticket", "read"}, {"ticket", "write"},
}

// Verify implements psa.Verifier.
func (c *Client) Verify(ctx context.Context) (psa.Account, error) {
	const op = "verify credentials"
	var me struct {
		ID          int64                      `json:"user_id"`
		Name        string                     `json:"user_name"`
		Email       string                     `json:"user_email"`
		Subdomain   string                     `json:"subdomain"`
		Permissions map[string]map[string]bool `json:"permissions"`
		failed
	}
	call := psa.Call{Op: op, Method: http.MethodGet, Path: "/me"}
	if err := c.http.Do(ctx, call, &me); err != nil {
		return psa.Account{}, err
	}
	if me.ID < 1 {
		return psa.Account{}, c.http.Meaningless(call, me.text(), errors.New("answer names no user"))
	}
	var lacking []string
	for _, n := range needed {
		if held, stated := me.Permissions[n.object][n.right]; stated && !held {
			lacking = append(lacking, n.object+" "+n.right)
		}
	}
	if len(lacking) > 0 {
		return psa.Account{}, &psa.Error{Class: psa.Auth, Op: op, Vendor: "the API token lacks: " + strings.Join(lacking, ", ")}
	}
	user := me.Name
	if me.Email != "" {
		user = strings.TrimSpace(user + " <" + me.Email + ">")
	}
	account := psa.Account{Name: me.Subdomain, User: user}
	if account.Name == "" {
		account.Name = c.subdomain
	}
	return account, nil
}
