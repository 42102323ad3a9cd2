package push

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/sideshow/apns2"
)

// maxAnswer bounds the body of an answer, in bytes. APNs sends one short object.
const maxAnswer = 16 << 10

// Of the one connection of a client.
const (
	pingAfter = time.Minute      // without a frame: is the other side still there?
	idleAfter = 12 * time.Hour   // without a notification; Apple asks for long-lived connections
	keepAlive = 30 * time.Second // of TCP
)

// client is the one connection of a certificate, with what it takes to reopen
// it: the only place that holds the private key.
type client struct {
	id        identity
	apns      *apns2.Client
	transport *http.Transport
	timeout   time.Duration // of connecting
	streams   chan struct{} // holds one for each notification on its way

	// The cache's lock guards these.
	users   int
	used    uint64
	retired bool

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

func newClient(config Config, id identity, certificate tls.Certificate) *client {
	c := &client{id: id, conns: map[net.Conn]struct{}{}, timeout: config.Timeout, streams: make(chan struct{}, config.Streams)}
	c.transport = &http.Transport{
		Protocols: new(http.Protocols),
		TLSClientConfig: &tls.Config{
			Certificates: []tls.Certificate{certificate}, RootCAs: config.Roots, MinVersion: tls.VersionTLS12, Time: config.Clock,
		},
		DialContext:         c.dial,
		TLSHandshakeTimeout: config.Timeout,
		IdleConnTimeout:     idleAfter,
		MaxConnsPerHost:     1,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: pingAfter},
	}
	c.transport.Protocols.SetHTTP2(true)
	c.apns = &apns2.Client{Host: config.Host, HTTPClient: &http.Client{
		Transport:     witness{next: c.transport, clock: config.Clock},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	return c
}

// dial connects and remembers the connection, so that it can be closed for
// certain: net/http closes none on which a stream is still being tidied up,
// and finishes dialling for a request that has gone.
func (c *client) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{KeepAlive: keepAlive, Timeout: c.timeout}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	known := &trackedConn{Conn: conn, client: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = conn.Close() // nobody waits for it
		return nil, net.ErrClosed
	}
	c.conns[known] = struct{}{}
	return known, nil
}

// close ends the connection for good. Nothing may be on its way.
func (c *client) close() {
	c.transport.CloseIdleConnections()
	c.mu.Lock()
	conns := c.conns
	c.conns, c.closed = map[net.Conn]struct{}{}, true
	c.mu.Unlock()
	for conn := range conns {
		_ = conn.Close() // it is of no use to anyone any more
	}
}

// trackedConn forgets itself when it is closed.
type trackedConn struct {
	net.Conn

	client *client
}

// Close closes the connection.
func (t *trackedConn) Close() error {
	t.client.mu.Lock()
	delete(t.client.conns, t)
	t.client.mu.Unlock()
	return t.Conn.Close()
}

// push sends one notification.
func (c *client) push(ctx context.Context, n Notification, now time.Time) Outcome {
	if len(n.Token) == 0 {
		return Outcome{Status: DeadToken, Reason: apns2.ReasonMissingDeviceToken}
	}
	payload, err := json.Marshal(struct {
		Magic string `json:"mdm"`
	}{n.Magic})
	if err != nil {
		return Outcome{Status: Rejected, Err: err}
	}
	select {
	case c.streams <- struct{}{}:
		defer func() { <-c.streams }()
	case <-ctx.Done():
		return unreached(ctx.Err(), answer{})
	}
	var seen answer
	response, err := c.apns.PushWithContext(context.WithValue(ctx, answerKey{}, &seen), &apns2.Notification{
		DeviceToken: hex.EncodeToString(n.Token),
		Topic:       n.Topic,
		Expiration:  now.Add(lifetime),
		Priority:    apns2.PriorityHigh,
		Payload:     payload, // the library's own builder of MDM payloads adds a key
		PushType:    apns2.PushTypeMDM,
	})
	if err != nil {
		return unreached(err, seen)
	}
	return outcomeOf(response, seen)
}

// answer is what apns2 does not pass on.
type answer struct {
	code       int
	retryAfter time.Duration
}

type answerKey struct{}

// witness notes an answer's status and Retry-After for the one who asked, and
// bounds its body.
type witness struct {
	next  http.RoundTripper
	clock func() time.Time
}

func (w witness) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if seen, ok := r.Context().Value(answerKey{}).(*answer); ok {
		*seen = answer{code: response.StatusCode, retryAfter: retryAfter(response.Header, w.clock())}
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, maxAnswer), response.Body}
	return response, nil
}
