// Package autotask is the client for Autotask PSA, REST API v1.0.
//
// An account lives in a zone, which is looked up by user name and may move. A
// ticket's marker is its externalID. Autotask answers HTTP 500 to what it
// refuses, so the text of an error decides its class, not the status alone.
//
// Two limits are shared with others: 10,000 requests an hour count for the
// MSP's whole database, over all vendors ([Client.Usage] reads how many are
// used), and three concurrent requests for each integration code and kind of
// object. Whoever schedules the calls must heed both.
package autotask

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Config is what all Autotask accounts of a deployment have in common.
type Config struct {
	// IntegrationCode is the API tracking identifier that Autotask gave to the
	// vendor of the software. It belongs to the deployment, not to an MSP.
	IntegrationCode string
	// DiscoveryURL replaces https://webservices.autotask.net/atservicesrest,
	// where zones are looked up. Empty in production.
	DiscoveryURL  string
	AllowLoopback bool          // permits a DiscoveryURL and zones on this machine
	Timeout       time.Duration // of one call
	PageSize      int           // records in one answer to a query, 1 to 500
	MaxPages      int           // of a look-up; one that needs more is an error, never "absent"
	Memory        *Memory       // what outlives a client; nil for a memory of the client's own
	Gate          psa.Gate      // admits the calls; nil admits all
	Logger        *slog.Logger
	Clock         func() time.Time
}

// Defaults of Config that suit production.
const (
	DefaultTimeout  = 30 * time.Second
	DefaultPageSize = 500
	DefaultMaxPages = 20 // 10,000 notes of one ticket, or technicians
)

const (
	discoveryURL = "https://webservices.autotask.net/atservicesrest"
	vendorDomain = ".autotask.net" // of every zone
	version      = "/v1.0"
	maxAnswer    = 32 << 20 // 500 notes of 32,000 characters
	maxPageSize  = 500
)

// Validate reports what is missing.
func (c Config) Validate() error {
	switch {
	case !headerText(c.IntegrationCode):
		return errors.New("autotask: integration code is missing or holds characters that none has")
	case c.Timeout <= 0 || c.MaxPages <= 0 || c.Logger == nil || c.Clock == nil:
		return errors.New("autotask: timeout, max pages, logger or clock is missing")
	case c.PageSize < 1 || c.PageSize > maxPageSize:
		return errors.New("autotask: page size is not 1 to 500")
	}
	return nil
}

// Credentials are the key of an Autotask user of the type API User.
type Credentials struct {
	Username string `json:"username"` // key, as Autotask shows it
	Secret   string `json:"secret"`
	// BaseURL replaces the address where zones are looked up. It is refused
	// where the configuration does not allow loopback, since calls come from
	// inside the deployment's network.
	BaseURL string `json:"baseUrl,omitempty"`
}

// Validate checks the form; the *fault.Error names the field.
func (c Credentials) Validate() error {
	if !headerText(c.Username) {
		return fault.Invalid("username", "the user name (key) of the API user is empty or holds characters that none has")
	}
	if !headerText(c.Secret) {
		return fault.Invalid("secret", "the secret of the API user is empty or holds characters that none has")
	}
	return nil
}

// headerText reports whether a text can be sent as a header as it is.
func headerText(s string) bool {
	return s != "" && len(s) <= 500 && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// Client is one Autotask account. It is safe for concurrent use.
type Client struct {
	config      Config
	credentials Credentials
	discovery   *psa.HTTP
	known       *known
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
	if credentials.BaseURL != "" {
		if !config.AllowLoopback {
			return nil, fault.Invalid("baseUrl", "this deployment calls Autotask at its own address only")
		}
		config.DiscoveryURL = credentials.BaseURL
	}
	if config.DiscoveryURL == "" {
		config.DiscoveryURL = discoveryURL
	}
	config.DiscoveryURL = strings.TrimRight(config.DiscoveryURL, "/")
	memory := config.Memory
	if memory == nil {
		var err error
		if memory, err = NewMemory(1); err != nil {
			return nil, err
		}
	}
	c := &Client{config: config, credentials: credentials, known: memory.of(config.DiscoveryURL, credentials)}
	var err error
	// Zones are looked up by name alone: the secret goes to the zone only.
	c.discovery, err = c.caller(config.DiscoveryURL+version, func(http.Header) {}, explainDiscovery)
	if err != nil {
		return nil, fault.Invalid("baseUrl", "is no address that can be called").Wrap(err)
	}
	return c, nil
}

func (c *Client) caller(base string, authorize func(http.Header), explain func(psa.Call, psa.Answer) (psa.Class, string)) (*psa.HTTP, error) {
	return psa.NewHTTP(psa.HTTPConfig{
		Gate:          c.config.Gate,
		Base:          base,
		Timeout:       c.config.Timeout,
		MaxAnswer:     maxAnswer,
		AllowLoopback: c.config.AllowLoopback,
		Logger:        c.config.Logger,
		Clock:         c.config.Clock,
		Authorize:     authorize,
		Secrets:       []string{c.credentials.Secret, c.config.IntegrationCode},
		Explain:       explain,
	})
}

func (c *Client) authorize(h http.Header) {
	h.Set("ApiIntegrationCode", c.config.IntegrationCode)
	h.Set("UserName", c.credentials.Username)
	h.Set("Secret", c.credentials.Secret)
}

// Driver opens Autotask accounts from stored JSON.
func Driver(config Config) psa.Driver {
	return psa.NewDriver("Autotask", func(c Credentials, gate psa.Gate) (*Client, error) {
		config := config
		config.Gate = gate
		return New(config, c)
	}, ReadSettings)
}

// Verify implements psa.Verifier with two calls. The account's name is that of
// company 0, which in every database is the MSP itself.
func (c *Client) Verify(ctx context.Context) (psa.Account, error) {
	const op = "verify credentials"
	own, err := c.company(ctx, op, 0)
	if err != nil {
		return psa.Account{}, err
	}
	var out struct {
		Info *struct {
			Create string `json:"userAccessForCreate"`
			Update string `json:"userAccessForUpdate"`
			Query  string `json:"userAccessForQuery"`
		} `json:"info"`
		failed
	}
	call := psa.Call{Op: op, Method: http.MethodGet, Path: "/Tickets/entityInformation"}
	if err := c.do(ctx, call, &out); err != nil {
		return psa.Account{}, err
	}
	if out.Info == nil {
		return psa.Account{}, c.discovery.Meaningless(call, out.text(), errors.New("answer holds no entity information"))
	}
	var lacking []string
	for right, access := range map[string]string{"create": out.Info.Create, "edit": out.Info.Update, "view": out.Info.Query} {
		if strings.EqualFold(access, "None") {
			lacking = append(lacking, right)
		}
	}
	if len(lacking) > 0 {
		return psa.Account{}, &psa.Error{Class: psa.Auth, Op: op, Vendor: "the API user's security level does not let it " + sentence(lacking) + " tickets"}
	}
	return psa.Account{Name: own.Name, User: c.credentials.Username}, nil
}
