package connectwise

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// SignatureHeader carries the signature of a callback's body.
const SignatureHeader = "x-content-signature"

// MaxCallback bounds a callback's body, in bytes: a ticket, and that twice
// quoted.
const MaxCallback = 1 << 20

// Callback says that a record changed. It is a hint and no more: what it says
// may be old, repeated or somebody else's doing, so whoever gets one reads the
// ticket and believes that.
type Callback struct {
	MessageID string
	Action    string // "added", "updated", "deleted"
	Type      string // "ticket"
	ID        string // of the record
	CompanyID string // of the ConnectWise account; empty if it does not say
	Entity    json.RawMessage
	keyURL    string
}

// ParseCallback reads a callback's body without verifying it. The error is a
// *fault.Error.
func ParseCallback(body []byte) (Callback, error) {
	if len(body) > MaxCallback {
		return Callback{}, fault.New(fault.InvalidArgument, "the callback exceeds %d bytes", MaxCallback)
	}
	var raw struct {
		MessageID string `json:"MessageId"`
		Action    string
		Type      string
		ID        int64
		CompanyID string `json:"CompanyId"`
		Entity    *string
		Metadata  struct {
			KeyURL string `json:"key_url"`
		}
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		return Callback{}, fault.New(fault.InvalidArgument, "the callback is not ConnectWise's").Wrap(err)
	}
	if raw.ID < 1 || raw.ID > maxChoiceID || raw.Type == "" {
		return Callback{}, fault.New(fault.InvalidArgument, "the callback names no record")
	}
	c := Callback{
		MessageID: raw.MessageID, Action: strings.ToLower(raw.Action), Type: strings.ToLower(raw.Type),
		ID: strconv.FormatInt(raw.ID, 10), CompanyID: raw.CompanyID, keyURL: raw.Metadata.KeyURL,
	}
	if raw.Entity != nil && *raw.Entity != "" {
		if !json.Valid([]byte(*raw.Entity)) {
			return Callback{}, fault.New(fault.InvalidArgument, "the callback's entity is not JSON")
		}
		c.Entity = json.RawMessage(*raw.Entity)
	}
	return c, nil
}

// Signed reports whether a signature is that of a body, in a time that tells
// nothing about where they differ.
func Signed(body []byte, signature, signingKey string) bool {
	sent, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || signingKey == "" {
		return false
	}
	key := sha256.Sum256([]byte(signingKey))
	mac := hmac.New(sha256.New, key[:])
	mac.Write(body) // a hash never fails
	return hmac.Equal(sent, mac.Sum(nil))
}

type signingKey struct {
	key     string
	fetched time.Time
}

const (
	keyLife    = time.Hour   // how long a key is believed without asking again
	keyPause   = time.Second // between two questions for keys at one site: whoever forges callbacks must not make us flood it
	maxKeyText = 10_000
)

// Callback verifies a callback's body by the signature that came with it. A
// forged one is UNAUTHENTICATED, whatever is forged about it. Where the key is
// fetched from is in the body: only the account's own site, or its API's host,
// is asked, and without credentials. A replay is not noticed: MessageID tells,
// and reading the ticket again changes nothing. Other errors are *psa.Error:
// the key could not be had; or RATE_LIMITED, if too many were asked for.
func (c *Client) Callback(ctx context.Context, body []byte, signature string) (Callback, error) {
	forged := fault.New(fault.Unauthenticated, "the callback is not signed by this ConnectWise account")
	if raw, err := base64.StdEncoding.DecodeString(signature); err != nil || len(raw) != sha256.Size {
		return Callback{}, forged
	}
	callback, err := ParseCallback(body)
	if err != nil {
		return Callback{}, err
	}
	if callback.CompanyID != "" && !strings.EqualFold(callback.CompanyID, c.companyID) {
		return Callback{}, forged // of another customer of the same cloud, whose key is as valid
	}
	at, err := c.keyPlace(callback.keyURL)
	if err != nil {
		return Callback{}, forged.Wrap(err)
	}
	c.sites.mu.Lock()
	known, ok := c.sites.keys[at.String()]
	c.sites.mu.Unlock()
	now := c.config.Clock()
	if ok && now.Sub(known.fetched) < keyLife {
		if Signed(body, signature, known.key) {
			return callback, nil
		}
		if now.Sub(known.fetched) < keyPause {
			return Callback{}, forged
		}
	}
	// Callbacks that arrive together need the key but once.
	shared, err, _ := c.sites.fetching.Do(at.String(), func() (any, error) { return c.fetchKey(ctx, at) })
	if err != nil {
		return Callback{}, err
	}
	key, _ := shared.(string)
	if !Signed(body, signature, key) {
		return Callback{}, forged
	}
	return callback, nil
}

// keyPlace admits a key's address at the configured site and nowhere else.
func (c *Client) keyPlace(keyURL string) (*url.URL, error) {
	u, err := url.Parse(keyURL)
	if err != nil || len(keyURL) > 2000 {
		return nil, errors.New("key address cannot be read")
	}
	if u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return nil, errors.New("key address has more than scheme, host, path and query")
	}
	root := strings.ToLower(u.Scheme) + "://" + strings.ToLower(u.Host)
	scheme, host, _ := strings.Cut(c.site, "://")
	if root == c.site || (vendorHost(host) && root == scheme+"://api-"+host) {
		return u, nil
	}
	return nil, errors.New("key address is not at the configured site")
}

func (c *Client) fetchKey(ctx context.Context, at *url.URL) (string, error) {
	const op = "fetch signing key"
	now := c.config.Clock()
	c.sites.mu.Lock()
	wait := keyPause - now.Sub(c.sites.fetches[c.site])
	if wait <= 0 {
		remember(c.sites.fetches, c.site, now)
	}
	c.sites.mu.Unlock()
	if wait > 0 {
		return "", fault.Throttled(wait, "too many callbacks with unknown keys")
	}
	front, err := c.caller(at.Scheme+"://"+at.Host, func(http.Header) {})
	if err != nil {
		return "", &psa.Error{Class: psa.Permanent, Op: op, Err: err}
	}
	var out struct {
		Key string `json:"signing_key"`
	}
	call := psa.Call{Op: op, Method: http.MethodGet, Path: at.EscapedPath(), Query: at.Query()}
	if err := front.Do(ctx, call, &out); err != nil {
		return "", err
	}
	if out.Key == "" || len(out.Key) > maxKeyText {
		return "", &psa.Error{Class: psa.Uncertain, Op: op, Err: errors.New("answer holds no key")}
	}
	c.sites.mu.Lock()
	remember(c.sites.keys, at.String(), signingKey{out.Key, now})
	c.sites.mu.Unlock()
	return out.Key, nil
}
