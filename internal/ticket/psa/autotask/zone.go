package autotask

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// zone is where an account lives.
type zone struct {
	root *url.URL // of the API, with its version
	web  string   // where technicians work; empty if it is no address to link to
	http *psa.HTTP
}

// zone returns where the account lives, from memory if it is there.
func (c *Client) zone(ctx context.Context) (*zone, error) {
	if z := c.known.zone(); z != nil {
		return z, nil
	}
	return c.discover(ctx)
}

// discover looks the zone up and remembers it.
func (c *Client) discover(ctx context.Context) (*zone, error) {
	var out struct {
		URL    string `json:"url"`
		WebURL string `json:"webUrl"`
		failed
	}
	call := psa.Call{
		Op: "find the account's zone", Method: http.MethodGet, Path: "/zoneInformation",
		Query: url.Values{"user": {c.credentials.Username}}, Free: true,
	}
	if err := c.discovery.Do(ctx, call, &out); err != nil {
		return nil, err
	}
	root, err := c.trusted(out.URL)
	if err != nil {
		return nil, c.discovery.Meaningless(call, out.text(), err)
	}
	z := &zone{root: root.JoinPath(version)}
	if web, err := c.trusted(out.WebURL); err == nil {
		z.web = strings.TrimRight(web.String(), "/")
	}
	z.http, err = c.caller(z.root.String(), c.authorize, explain)
	if err != nil {
		return nil, c.discovery.Meaningless(call, out.text(), err)
	}
	c.known.setZone(z)
	return z, nil
}

var errZone = errors.New("answer holds no zone of Autotask's")

// trusted reads an address that the secret may be sent to: the vendor's own.
func (c *Client) trusted(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errZone
	}
	host := strings.ToLower(u.Hostname())
	if u.Scheme == "https" && strings.HasSuffix(host, vendorDomain) && (u.Port() == "" || u.Port() == "443") {
		return u, nil
	}
	ip := net.ParseIP(host)
	if c.config.AllowLoopback && (host == "localhost" || (ip != nil && ip.IsLoopback())) {
		return u, nil
	}
	return nil, errZone
}

// do sends a call to the account's zone. A 401 may mean that the account has
// moved: if it has, the call, which the old zone refused to execute, is sent
// to the new one, once.
func (c *Client) do(ctx context.Context, call psa.Call, out any) error {
	z, err := c.zone(ctx)
	if err != nil {
		return unsent(err)
	}
	err = z.http.Do(ctx, call, out)
	failure, failed := errors.AsType[*psa.Error](err)
	switch {
	case !failed:
	case failure.Class == psa.NotSent:
		c.known.forgetZone(z)
	case failure.Status == http.StatusUnauthorized:
		moved, lost := c.discover(ctx)
		if lost == nil && moved.root.String() != z.root.String() {
			return moved.http.Do(ctx, call, out)
		}
	}
	return err
}

// unsent is the error of a preparation as that of the write it was for: what
// is uncertain about a read leaves no doubt that nothing was written.
func unsent(err error) error {
	if e, ok := errors.AsType[*psa.Error](err); ok && e.Class == psa.Uncertain {
		certain := *e
		certain.Class = psa.NotSent
		return &certain
	}
	return err
}
