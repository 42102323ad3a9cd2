// Package gdmf asks Apple which versions of its systems devices may be updated
// to: the software lookup service at gdmf.apple.com.
package gdmf

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// URL is Apple's service. Its certificate is issued by Apple's own root, which
// most systems do not hold: Config.Client has to trust it.
const URL = "https://gdmf.apple.com/v2/pmv"

// Limits of an answer: Apple's has about 250 kB and 100 releases a platform.
const (
	maxAnswer   = 8 << 20 // bytes
	maxReleases = 5000    // of one platform in one set
	maxDevices  = 5000    // of one release
)

// What a Config leaves open.
const (
	defaultTimeout = 30 * time.Second
	defaultFresh   = time.Hour
	defaultStale   = 7 * 24 * time.Hour
	retryAfter     = time.Minute
)

// Platform is a system, by the service's name for it.
type Platform string

// The platforms. Releases for iPad are listed under iOS.
const (
	IOS      Platform = "iOS"
	MacOS    Platform = "macOS"
	VisionOS Platform = "visionOS"
)

// Release is a version that Apple signs, with the service's field names.
type Release struct {
	ProductVersion   string
	Build            string
	PostingDate      Date
	ExpirationDate   Date     // zero if no end has been set
	SupportedDevices []string // ProductName or SoftwareUpdateDeviceID of devices
}

// Supports reports whether a device with this ProductName or
// SoftwareUpdateDeviceID can be updated to the release at the given time.
func (r Release) Supports(device string, now time.Time) bool {
	return (r.ExpirationDate.IsZero() || now.Before(r.ExpirationDate.AddDate(0, 0, 1))) && slices.Contains(r.SupportedDevices, device)
}

// Date is a day in UTC, written 2006-01-02.
type Date struct{ time.Time }

// UnmarshalJSON reads a day; null and "" mean none.
func (d *Date) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("date: %w", err)
	}
	*d = Date{}
	if text == "" {
		return nil
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return fmt.Errorf("date: %w", err)
	}
	d.Time = at
	return nil
}

// MarshalJSON writes a day; none is "".
func (d Date) MarshalJSON() ([]byte, error) {
	if d.IsZero() {
		return []byte(`""`), nil
	}
	return json.Marshal(d.Format(time.DateOnly))
}

// Catalogue is all that the service knows. Callers do not change it: it is
// shared.
type Catalogue struct {
	Managed       map[Platform][]Release `json:"AssetSets"`                    // what a management service can ask devices to install
	Public        map[Platform][]Release `json:"PublicAssetSets"`              // what the public is offered
	RapidSecurity map[Platform][]Release `json:"PublicRapidSecurityResponses"` // rapid security responses

	Fetched time.Time `json:"-"` // when Apple said so
}

// For returns the releases that a device can be asked to install now, newest
// first.
func (c *Catalogue) For(platform Platform, device string, now time.Time) []Release {
	var found []Release
	for _, r := range c.Managed[platform] {
		if r.Supports(device, now) {
			found = append(found, r)
		}
	}
	slices.SortStableFunc(found, func(a, b Release) int {
		return cmp.Or(CompareVersions(b.ProductVersion, a.ProductVersion), b.PostingDate.Compare(a.PostingDate.Time))
	})
	return found
}

func (c *Catalogue) check() error {
	for _, set := range []map[Platform][]Release{c.Managed, c.Public, c.RapidSecurity} {
		for platform, releases := range set {
			if len(releases) > maxReleases {
				return fmt.Errorf("%d releases of one platform", len(releases))
			}
			for _, r := range releases {
				if r.ProductVersion == "" || len(r.SupportedDevices) > maxDevices {
					return fmt.Errorf("a release of %.20s has no version, or too many devices", platform)
				}
			}
		}
	}
	if len(c.Managed) == 0 && len(c.Public) == 0 {
		return errors.New("it lists no releases")
	}
	return nil
}

// Config says how the service is reached. Zero values mean the defaults named.
type Config struct {
	URL     string        // Apple's
	Timeout time.Duration // for a whole call; 30 s
	Fresh   time.Duration // how long an answer is used without asking again; 1 h
	Stale   time.Duration // how long it is used if Apple cannot be reached; 7 days
	Client  *http.Client  // trusts Apple's root; required
	Clock   func() time.Time
}

// Validate reports what is missing or impossible.
func (c Config) Validate() error {
	if c.Client == nil || c.Clock == nil {
		return errors.New("gdmf: client or clock is missing")
	}
	if c.Timeout < 0 || c.Fresh < 0 || c.Stale < 0 {
		return errors.New("gdmf: a duration is negative")
	}
	if u, err := url.Parse(cmp.Or(c.URL, URL)); err != nil || u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("gdmf: %q is not an https URL", c.URL)
	}
	return nil
}

// Client asks the service, and remembers its answer. It is safe for concurrent
// use.
type Client struct {
	config Config

	asking chan struct{} // held by the one caller that asks Apple

	mu     sync.Mutex
	known  *Catalogue
	failed time.Time // when Apple was last asked in vain
	err    error     // and what it was
}

// New returns a client that knows nothing yet.
func New(config Config) (*Client, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config.URL = cmp.Or(config.URL, URL)
	config.Timeout = cmp.Or(config.Timeout, defaultTimeout)
	config.Fresh = cmp.Or(config.Fresh, defaultFresh)
	config.Stale = cmp.Or(config.Stale, defaultStale)
	return &Client{config: config, asking: make(chan struct{}, 1)}, nil
}

// Catalogue returns what is known, and asks Apple when that has grown old. If
// Apple cannot be reached, the last answer serves for some days; within a
// minute of a failure Apple is not asked again.
func (c *Client) Catalogue(ctx context.Context) (*Catalogue, error) {
	if known, settled, err := c.remembered(); settled {
		return known, err
	}
	select {
	case c.asking <- struct{}{}:
		defer func() { <-c.asking }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if known, settled, err := c.remembered(); settled { // somebody else has asked meanwhile
		return known, err
	}
	fetched, err := c.fetch(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, err // the caller gave up: no fault of Apple's
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.config.Clock()
	if err == nil {
		fetched.Fetched = now
		c.known, c.err = fetched, nil
		return fetched, nil
	}
	c.failed, c.err = now, err
	return c.fallback(now)
}

// remembered answers without asking Apple, if that settles it.
func (c *Client) remembered() (known *Catalogue, settled bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.config.Clock()
	if c.known != nil && now.Sub(c.known.Fetched) < c.config.Fresh {
		return c.known, true, nil
	}
	if c.err != nil && now.Sub(c.failed) < retryAfter {
		known, err = c.fallback(now)
		return known, true, err
	}
	return nil, false, nil
}

// fallback is what serves while Apple cannot be reached; the lock is held.
func (c *Client) fallback(now time.Time) (*Catalogue, error) {
	if c.known != nil && now.Sub(c.known.Fetched) < c.config.Stale {
		return c.known, nil
	}
	return nil, c.err
}

func (c *Client) fetch(ctx context.Context) (*Catalogue, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.config.URL, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("gdmf: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	response, err := c.config.Client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("gdmf: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("gdmf: answered %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("gdmf: read answer: %w", err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("gdmf: the answer is longer than %d bytes", maxAnswer)
	}
	var catalogue Catalogue
	if err := json.Unmarshal(body, &catalogue); err != nil {
		return nil, fmt.Errorf("gdmf: decode answer: %w", err)
	}
	if err := catalogue.check(); err != nil {
		return nil, fmt.Errorf("gdmf: decode answer: %w", err)
	}
	return &catalogue, nil
}
