package connectwise

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Sites remembers what is known of ConnectWise sites, so that a client which
// lives for one delivery need not ask: where their APIs lie, and their signing
// keys. Nothing in it belongs to a tenant. It is safe for concurrent use.
type Sites struct {
	mu      sync.Mutex
	places  map[string]place      // by site and company id
	keys    map[string]signingKey // by key URL
	fetches map[string]time.Time  // by site: when a key was last asked for

	fetching singleflight.Group // by key URL
}

// NewSites returns an empty memory.
func NewSites() *Sites {
	return &Sites{places: map[string]place{}, keys: map[string]signingKey{}, fetches: map[string]time.Time{}}
}

// maxKnown bounds each part of the memory. Forgetting costs a call.
const maxKnown = 10_000

// remember stores a value in a bounded map.
func remember[V any](m map[string]V, key string, value V) {
	if len(m) >= maxKnown {
		clear(m)
	}
	m[key] = value
}

// place is where an account's API lies.
type place struct {
	root string // scheme and host
	path string // "/v2025_1/apis/3.0"
}

// codeBaseForm admits v2025_1/ and v4_6_release/, and no path.
var codeBaseForm = regexp.MustCompile(`^v[0-9A-Za-z_]{1,50}/?$`)

// vendorHost reports a host in ConnectWise's own cloud.
func vendorHost(host string) bool {
	return strings.HasSuffix(strings.ToLower(host), ".myconnectwise.net")
}

// discover asks the site where the account's API lies. Nothing has been done
// when it fails, and its errors' classes say so.
func (c *Client) discover(ctx context.Context, op string) (place, error) {
	op += ": find the code base"
	var info *struct {
		CodeBase string `json:"Codebase"`
		SiteURL  string `json:"SiteUrl"`
		Cloud    bool   `json:"IsCloud"`
	}
	call := psa.Call{Op: op, Method: http.MethodGet, Path: "/login/companyinfo/" + c.companyID}
	if err := c.front.Do(ctx, call, &info); err != nil {
		failure := unsent(err)
		if failure.Class == psa.Permanent && failure.Status != 0 {
			failure.Class = psa.Auth // this is no ConnectWise site, whatever the ticket
		}
		return place{}, failure
	}
	if info == nil {
		return place{}, &psa.Error{Class: psa.Auth, Op: op, Vendor: fmt.Sprintf("ConnectWise knows no company %q at this address", c.companyID)}
	}
	if !codeBaseForm.MatchString(info.CodeBase) {
		return place{}, &psa.Error{Class: psa.Auth, Op: op, Err: errors.New("the site does not say where its API is")}
	}
	return place{root: c.apiRoot(info.Cloud, info.SiteURL), path: "/" + strings.TrimSuffix(info.CodeBase, "/") + "/apis/3.0"}, nil
}

// apiRoot is where the credentials are sent: the address that the tenant
// configured, or a host of ConnectWise's cloud, never another that a site names.
func (c *Client) apiRoot(cloud bool, siteURL string) string {
	_, host, _ := strings.Cut(c.site, "://")
	switch {
	case !cloud:
		return c.site
	case hostForm.MatchString(siteURL) && vendorHost(siteURL):
		return "https://" + strings.ToLower(siteURL)
	case vendorHost(host):
		return "https://api-" + host
	}
	return c.site
}

var hostForm = regexp.MustCompile(`^[A-Za-z0-9.-]{1,253}$`)

// unsent turns a read's unknown outcome into one that says that nothing was
// executed: the reads that prepare or explain a call change nothing.
func unsent(err error) *psa.Error {
	failure, ok := errors.AsType[*psa.Error](err)
	if !ok {
		return &psa.Error{Class: psa.NotSent, Err: err}
	}
	if failure.Class == psa.Uncertain {
		failure.Class = psa.NotSent
	}
	return failure
}

// open returns a caller for the place where the API lies, which it asks for
// unless it is known. stale is a place where it is no longer.
func (c *Client) open(ctx context.Context, op string, stale place) (*psa.HTTP, place, error) {
	c.mu.Lock()
	api, at := c.api, c.at
	c.mu.Unlock()
	if api != nil && at != stale {
		return api, at, nil
	}
	key := c.site + "|" + strings.ToLower(c.companyID)
	c.sites.mu.Lock()
	at, known := c.sites.places[key]
	c.sites.mu.Unlock()
	if !known || at == stale {
		var err error
		if at, err = c.discover(ctx, op); err != nil {
			return nil, place{}, err
		}
		c.sites.mu.Lock()
		remember(c.sites.places, key, at)
		c.sites.mu.Unlock()
	}
	api, err := c.caller(at.root+at.path, c.authorize)
	if err != nil {
		return nil, place{}, &psa.Error{Class: psa.Permanent, Op: op, Err: err}
	}
	c.mu.Lock()
	c.api, c.at = api, at
	c.mu.Unlock()
	return api, at, nil
}

// do sends a call. A 404 is never the last word: the code base may have
// changed, in which case the call is sent again where it belongs (nothing was
// executed where it did not), or the keys may be invalid.
func (c *Client) do(ctx context.Context, call psa.Call, out any) error {
	call.Header = c.header()
	api, at, err := c.open(ctx, call.Op, place{})
	if err != nil {
		return err
	}
	if err = api.Do(ctx, call, out); !notFound(err) {
		return err
	}
	api, now, moved := c.open(ctx, call.Op, at)
	if moved != nil {
		return moved
	}
	if now != at {
		if err = api.Do(ctx, call, out); !notFound(err) {
			return err
		}
	}
	probe := psa.Call{Op: call.Op, Method: http.MethodGet, Path: "/service/boards", Query: query("pageSize", "1", "fields", "id"), Header: c.header()}
	switch doubt := api.Do(ctx, probe, nil); {
	case doubt == nil:
		return err
	case notFound(doubt):
		return &psa.Error{Class: psa.Auth, Op: call.Op, Status: http.StatusNotFound,
			Vendor: "the company id or the keys are not valid, or the API member may not see service boards: ConnectWise answers 404 to everything"}
	default:
		return unsent(doubt)
	}
}

func (c *Client) header() http.Header {
	return http.Header{"Accept": {"application/vnd.connectwise.com+json; version=" + c.config.Version}}
}

func notFound(err error) bool {
	failure, ok := errors.AsType[*psa.Error](err)
	return ok && failure.Status == http.StatusNotFound
}
