// Package connectwise is the client for ConnectWise PSA (Manage), REST 3.0.
//
// A ticket's marker is its externalXRef, and again the end of its first note.
// Where the API lies, the code base, changes when ConnectWise upgrades a site:
// it is asked for before the first call and again after a 404. In the cloud a
// 404 is also the answer to keys that are not valid, so no 404 is believed
// before another call has shown that the keys are.
package connectwise

import (
	"cmp"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Config is what all ConnectWise accounts of a deployment have in common.
type Config struct {
	ClientID      string        // the GUID that ConnectWise gave to this deployment's operator
	Version       string        // of the API that answers are asked in: "2025.1"
	AllowLoopback bool          // permits a site on this machine
	Timeout       time.Duration // of one call
	MaxPages      int           // of a list; one that is longer is an error, never "absent"
	Sites         *Sites        // shared by all clients; nil gives a client its own
	Gate          psa.Gate      // admits the calls; nil admits all
	Logger        *slog.Logger
	Clock         func() time.Time
}

// Defaults of Config that suit production.
const (
	DefaultVersion  = "2025.1"
	DefaultTimeout  = 30 * time.Second
	DefaultMaxPages = 100
)

const (
	maxAnswer = 16 << 20 // a page of 100 notes of the greatest length
	perPage   = 100      // of the 1,000 that ConnectWise gives: whole tickets are long
)

var (
	guidForm    = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	versionForm = regexp.MustCompile(`^[0-9]{4}\.[0-9]{1,2}$`)
)

// Validate reports what is missing or malformed.
func (c Config) Validate() error {
	switch {
	case c.Timeout <= 0 || c.MaxPages <= 0 || c.Logger == nil || c.Clock == nil:
		return errors.New("connectwise: timeout, max pages, logger or clock is missing")
	case !guidForm.MatchString(c.ClientID):
		return errors.New("connectwise: client id is not a GUID")
	case !versionForm.MatchString(c.Version):
		return errors.New("connectwise: version is not of the form 2025.1")
	}
	return nil
}

// Credentials open one ConnectWise account.
type Credentials struct {
	URL        string `json:"url"`        // https://na.myconnectwise.net, with or without api-, or the MSP's own server
	CompanyID  string `json:"companyId"`  // what technicians enter as company when they sign in
	PublicKey  string `json:"publicKey"`  // of an API member
	PrivateKey string `json:"privateKey"` // of the same
}

var companyForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$`)

// Validate checks the form; the *fault.Error names the field. Whether the URL
// may be called is decided by [New].
func (c Credentials) Validate() error {
	if !companyForm.MatchString(c.CompanyID) {
		return fault.Invalid("companyId", "the company id is what you enter as company when you sign in to ConnectWise PSA")
	}
	for field, key := range map[string]string{"publicKey": c.PublicKey, "privateKey": c.PrivateKey} {
		if key == "" || len(key) > 200 || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }) {
			return fault.Invalid(field, "the key is empty or holds characters that no key has")
		}
	}
	_, err := c.site()
	return err
}

// site is the root of the address: scheme and host. ConnectWise shows both
// na.myconnectwise.net and api-na.myconnectwise.net, and people copy either.
func (c Credentials) site() (string, error) {
	invalid := fault.Invalid("url", "the URL is the address of your ConnectWise PSA: https://na.myconnectwise.net")
	text := strings.TrimSpace(c.URL)
	if text == "" || len(text) > 255 {
		return "", invalid
	}
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", invalid.Wrap(err)
	}
	if (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return "", invalid
	}
	host := strings.ToLower(u.Host)
	if vendorHost(u.Hostname()) {
		host = strings.TrimPrefix(host, "api-")
	}
	return u.Scheme + "://" + host, nil
}

// Client is one ConnectWise account. It is safe for concurrent use.
type Client struct {
	config    Config
	site      string
	companyID string
	publicKey string
	sites     *Sites
	front     *psa.HTTP // the site, without credentials
	authorize func(http.Header)
	secrets   []string

	mu  sync.Mutex // guards what follows
	at  place
	api *psa.HTTP // at that place; nil before the first call
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
	site, err := credentials.site()
	if err != nil {
		return nil, err
	}
	basic := base64.StdEncoding.EncodeToString([]byte(credentials.CompanyID + "+" + credentials.PublicKey + ":" + credentials.PrivateKey))
	c := &Client{
		config: config, site: site, companyID: credentials.CompanyID, publicKey: credentials.PublicKey,
		sites: cmp.Or(config.Sites, NewSites()),
		authorize: func(h http.Header) {
			h.Set("Authorization", "Basic "+basic)
			h.Set("clientId", config.ClientID)
		},
		secrets: []string{basic, credentials.PrivateKey},
	}
	if c.front, err = c.caller(site, func(http.Header) {}); err != nil {
		return nil, fault.Invalid("url", "is no address that can be called").Wrap(err)
	}
	return c, nil
}

func (c *Client) caller(base string, authorize func(http.Header)) (*psa.HTTP, error) {
	return psa.NewHTTP(psa.HTTPConfig{
		Gate: c.config.Gate, Base: base, Timeout: c.config.Timeout, MaxAnswer: maxAnswer, AllowLoopback: c.config.AllowLoopback,
		Logger: c.config.Logger, Clock: c.config.Clock,
		Authorize: authorize, Secrets: c.secrets, Explain: explain,
	})
}

// Driver opens ConnectWise accounts from stored JSON.
func Driver(config Config) psa.Driver {
	if config.Sites == nil {
		config.Sites = NewSites()
	}
	return psa.NewDriver("ConnectWise", func(c Credentials, gate psa.Gate) (*Client, error) {
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
		return Settings{}, fault.Invalid("settings", "settings are not those of ConnectWise").Wrap(err)
	}
	return s, s.Validate()
}
