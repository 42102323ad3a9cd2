package psa

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

// HTTPConfig says how a vendor's API is called.
type HTTPConfig struct {
	Base          string        // https root, to which call paths are joined
	Timeout       time.Duration // for a whole call, its answer included
	MaxAnswer     int64         // bytes
	AllowLoopback bool          // permits http and https to this machine: for demonstration and tests
	Logger        *slog.Logger  // gets method, path, status and duration of each call at debug level
	Clock         func() time.Time

	// Gate admits the calls; nil admits all.
	Gate Gate
	// Authorize puts the credentials on a request.
	Authorize func(http.Header)
	// Secrets are cut out of everything that an error shows.
	Secrets []string
	// Explain reads the vendor's error answer: its words, and its class where
	// the vendor's habits differ from [ClassOfStatus] ("" accepts that one).
	Explain func(Call, Answer) (Class, string)
}

// Validate reports what is missing.
func (c HTTPConfig) Validate() error {
	switch {
	case c.Timeout <= 0:
		return errors.New("psa: timeout is not positive")
	case c.MaxAnswer <= 0:
		return errors.New("psa: answer limit is not positive")
	case c.Logger == nil || c.Clock == nil || c.Authorize == nil || c.Explain == nil:
		return errors.New("psa: logger, clock, authorize or explain is missing")
	}
	_, err := parseBase(c.Base, c.AllowLoopback)
	return err
}

// Call is one request.
type Call struct {
	Op     string // for errors: "create ticket"
	Method string
	Path   string // joined to the base
	Query  url.Values
	Header http.Header // beyond credentials and content type
	Body   any         // sent as JSON; nil for none
	Object bool        // the path names an object, so that a 404 means it is gone
	Free   bool        // the vendor counts it against no account's limits
}

func (c Call) read() bool { return c.Method == http.MethodGet || c.Method == http.MethodHead }

// Answer is a complete HTTP answer.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON reports whether the answer says that it is JSON.
func (a Answer) JSON() bool {
	kind, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	return err == nil && (kind == "application/json" || (len(kind) > 5 && kind[len(kind)-5:] == "+json"))
}

// HTTP calls a vendor's API: each call is sent once, to one host, within a
// time and an answer limit, and every failure comes back classified.
type HTTP struct {
	config HTTPConfig
	base   *url.URL
	client *http.Client
}

// NewHTTP returns a caller.
func NewHTTP(config HTTPConfig) (*HTTP, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	base, err := parseBase(config.Base, config.AllowLoopback)
	if err != nil {
		return nil, err
	}
	if config.Gate == nil {
		config.Gate = Open{}
	}
	dialer := &net.Dialer{Timeout: config.Timeout, Control: guardDial(config.AllowLoopback)}
	return &HTTP{config: config, base: base, client: &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext,
			// A connection per call. Go's transport re-sends a request when a kept
			// connection turns out to be stale, and where it cannot, a stale
			// connection reads like an answer lost after the commit.
			DisableKeepAlives:      true,
			TLSHandshakeTimeout:    config.Timeout,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: sameHostReads,
	}}, nil
}

// sameHostReads follows redirects of reads within the host. A redirected POST
// would be sent again, or turned into a GET; another host would be handed the
// credentials.
func sameHostReads(next *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > 3 || first.Method != http.MethodGet || next.URL.Host != first.URL.Host || next.URL.Scheme != first.URL.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}

// Do sends a call once and decodes a 2xx JSON answer into out, which may be
// nil. Every error is an [*Error].
func (h *HTTP) Do(ctx context.Context, call Call, out any) error {
	leave, failure := h.enter(ctx, call)
	if failure != nil {
		return h.present(call, failure)
	}
	answer, failure := h.send(ctx, call)
	leave()
	if failure == nil {
		failure = h.judge(call, answer, out)
	}
	if failure == nil {
		return nil
	}
	if failure.Class == Throttled {
		h.config.Gate.Refused(ctx, failure)
	}
	return h.present(call, failure)
}

// Meaningless reports an answer of success that does not hold what was asked
// for; text is what it says instead, if anything. A write may have happened.
func (h *HTTP) Meaningless(call Call, text string, err error) error {
	return h.present(call, &Error{Class: Uncertain, Vendor: text, Err: err})
}

// present makes an error fit to be shown.
func (h *HTTP) present(call Call, failure *Error) *Error {
	failure.Op = call.Op
	failure.Vendor = Fit(redact(failure.Vendor, h.config.Secrets), maxVendorText)
	return failure
}

func (h *HTTP) send(ctx context.Context, call Call) (Answer, *Error) {
	ctx, cancel := context.WithTimeout(ctx, h.config.Timeout)
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})

	request, err := h.request(ctx, call)
	if err != nil {
		return Answer{}, &Error{Class: Permanent, Err: err}
	}
	start := h.config.Clock()
	response, err := h.client.Do(request)
	if err != nil {
		failure := unanswered(err, connected.Load())
		h.config.Logger.DebugContext(ctx, "psa call", "method", call.Method, "path", call.Path, "class", failure.Class, "took", h.config.Clock().Sub(start))
		return Answer{}, failure
	}
	defer response.Body.Close()
	h.config.Logger.DebugContext(ctx, "psa call", "method", call.Method, "path", call.Path, "status", response.StatusCode, "took", h.config.Clock().Sub(start))

	body, err := io.ReadAll(io.LimitReader(response.Body, h.config.MaxAnswer+1))
	answer := Answer{Status: response.StatusCode, Header: response.Header, Body: body}
	switch {
	case err != nil && answer.Status < 400:
		return Answer{}, &Error{Class: Uncertain, Status: answer.Status, Err: fmt.Errorf("answer ended early: %w", err)}
	case int64(len(body)) > h.config.MaxAnswer && answer.Status < 400:
		class := Uncertain
		if call.read() {
			class = Permanent
		}
		return Answer{}, &Error{Class: class, Status: answer.Status, Err: fmt.Errorf("answer exceeds %d bytes", h.config.MaxAnswer)}
	}
	// An error's status counts even if its text did not arrive whole.
	return answer, nil
}

func (h *HTTP) request(ctx context.Context, call Call) (*http.Request, error) {
	target := h.base.JoinPath(call.Path)
	target.RawQuery = call.Query.Encode()
	var body io.Reader
	if call.Body != nil {
		raw, err := json.Marshal(call.Body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(ctx, call.Method, target.String(), body)
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	// Without GetBody, nothing below can send the body a second time.
	request.GetBody = nil
	for name, values := range call.Header {
		request.Header[name] = values
	}
	request.Header.Set("Accept", "application/json")
	if call.Header.Get("Accept") != "" {
		request.Header.Set("Accept", call.Header.Get("Accept"))
	}
	if call.Body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	h.config.Authorize(request.Header)
	return request, nil
}

// judge classifies an answer and decodes a good one.
func (h *HTTP) judge(call Call, answer Answer, out any) *Error {
	failure := &Error{Status: answer.Status, RetryAfter: retryAfter(answer.Header.Get("Retry-After"), h.config.Clock())}
	switch {
	case answer.Status >= 300:
		failure.Class = ClassOfStatus(answer.Status)
		if answer.Status < 400 && call.read() {
			failure.Class = Auth // sent elsewhere instead of answered: a sign-in page, or another vendor
		}
		if answer.JSON() {
			class, text := h.config.Explain(call, answer)
			failure.Vendor = text
			if class != "" {
				failure.Class = class
			}
		} else {
			failure.Vendor = pageTitle(redact(string(answer.Body), h.config.Secrets))
		}
		// A page in HTML is no statement about an object: a proxy or a wrong
		// address answers so, and must not make us forget a ticket.
		if call.Object && answer.Status == http.StatusNotFound && (answer.JSON() || len(answer.Body) == 0) {
			failure.Class = Gone
		}
		return failure
	case out == nil && len(answer.Body) == 0:
		return nil
	case !answer.JSON():
		failure.Class, failure.Vendor = Uncertain, pageTitle(redact(string(answer.Body), h.config.Secrets))
		if call.read() {
			failure.Class = Auth
		}
		failure.Err = errors.New("answer is not JSON")
		return failure
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Body, out); err != nil {
		failure.Class, failure.Err = Uncertain, fmt.Errorf("decode answer: %w", err)
		return failure
	}
	return nil
}

// unanswered classifies a call that got no answer.
func unanswered(err error, connected bool) *Error {
	// The URL in the text would show a tenant's search words.
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	switch {
	case errors.Is(err, errAddress):
		return &Error{Class: Permanent, Err: err}
	case !connected:
		return &Error{Class: NotSent, Err: err}
	}
	return &Error{Class: Uncertain, Err: err}
}
