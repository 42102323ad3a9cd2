// Package standin stands in for the Apple Push Notification service, for tests
// and demonstrations: HTTP/2 over TLS, client certificates checked against an
// authority of its own that also issues them, and the headers and payload of
// an MDM notification judged as strictly as Apple documents them.
package standin

import (
	"cmp"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxKept is how many notifications are remembered.
const maxKept = 20_000

// Config says what a stand-in needs.
type Config struct {
	Logger *slog.Logger
	Clock  func() time.Time
	// Clients certify push certificates beside the stand-in's own authority.
	// Optional.
	Clients []*x509.Certificate
	// Streams is how many notifications a connection carries at once; 0 means
	// 1000, as Apple's.
	Streams int
	// OnPush is told of each accepted notification, by the goroutine that
	// answers it. Optional.
	OnPush func(Push)
}

// Push is a notification that was accepted.
type Push struct {
	ID         string // apns-id
	Token      []byte
	Magic      string
	Topic      string
	Expiration time.Time
	Priority   string // apns-priority; empty if it was not sent
}

// Answer is what a token is answered with, instead of being accepted.
type Answer struct {
	Status     int // HTTP status; 0 goes on to judge the request, after the delay
	Reason     string
	Since      time.Time // the timestamp of a 410
	RetryAfter string    // header
	Body       string    // sent raw instead of Reason, if not empty
	Delay      time.Duration
	Reset      bool // the connection ends without an answer
	Times      int  // 0 means for ever
}

// Server is the stand-in. It is safe for concurrent use.
type Server struct {
	config    Config
	authority authority
	http      *http.Server
	listener  net.Listener
	served    chan struct{}

	mu      sync.Mutex
	pushes  []Push
	refused map[string]int // by reason
	answers map[string]*Answer
	opened  int
	open    int
}

// Start listens at the address ("127.0.0.1:0" for any free port) and serves
// until it is closed.
func Start(ctx context.Context, addr string, config Config) (*Server, error) {
	if config.Logger == nil || config.Clock == nil {
		return nil, errors.New("apns stand-in: logger or clock is missing")
	}
	a, err := newAuthority(config.Clock())
	if err != nil {
		return nil, fmt.Errorf("apns stand-in: %w", err)
	}
	certificate, err := a.server(config.Clock())
	if err != nil {
		return nil, fmt.Errorf("apns stand-in: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("apns stand-in: %w", err)
	}
	clients := a.pool()
	for _, c := range config.Clients {
		clients.AddCert(c)
	}
	s := &Server{
		config: config, authority: a, listener: listener, served: make(chan struct{}),
		refused: map[string]int{}, answers: map[string]*Answer{},
	}
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ReadHeaderTimeout: 5 * time.Minute, // of the handshake, too: the machine may be busy
		ErrorLog:          slog.NewLogLogger(config.Logger.Handler(), slog.LevelDebug),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: cmp.Or(config.Streams, 1000)},
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, Time: config.Clock,
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, NextProtos: []string{"h2"},
		},
		ConnState:   s.count,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
	go func() {
		defer close(s.served)
		if err := s.http.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			config.Logger.ErrorContext(ctx, "the apns stand-in ended", "error", err)
		}
	}()
	return s, nil
}

type connKey struct{}

// count keeps the number of connections.
func (s *Server) count(_ net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		s.opened++
		s.open++
	case http.StateClosed, http.StateHijacked:
		s.open--
	case http.StateActive, http.StateIdle:
	}
}

// URL is where the stand-in listens, without a path.
func (s *Server) URL() string { return "https://" + s.listener.Addr().String() }

// Roots certify the stand-in's own certificate.
func (s *Server) Roots() *x509.CertPool { return s.authority.pool() }

// Authority certifies the push certificates that are issued: give it to a later
// stand-in as one of its Clients, and it takes them, too.
func (s *Server) Authority() *x509.Certificate { return s.authority.certificate }

// Issue certifies a public key as a push certificate for the topic, until the
// given time: what Apple's portal does with a vendor-signed request. It
// returns the certificate in DER.
func (s *Server) Issue(key crypto.PublicKey, topic string, notAfter time.Time) ([]byte, error) {
	return s.authority.issue(key, topic, s.config.Clock(), notAfter)
}

// Answer sets what a token is answered with from now on.
func (s *Server) Answer(token []byte, a Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[string(token)] = &a
}

// answer takes the programmed answer of a token.
func (s *Server) answer(token []byte) (Answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.answers[string(token)]
	if !ok {
		return Answer{}, false
	}
	taken := *a
	if a.Times > 0 {
		if a.Times--; a.Times == 0 {
			delete(s.answers, string(token))
		}
	}
	return taken, true
}

// Pushes returns the notifications that were accepted, oldest first; of very
// many, the newest.
func (s *Server) Pushes() []Push {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Push(nil), s.pushes...)
}

// Refused returns how many notifications were answered with each reason.
func (s *Server) Refused() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	refused := make(map[string]int, len(s.refused))
	for reason, n := range s.refused {
		refused[reason] = n
	}
	return refused
}

// Connections returns how many connections were opened so far, and how many
// are open.
func (s *Server) Connections() (opened, open int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened, s.open
}

// Reset forgets what arrived, the programmed answers, and the number of
// connections opened.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushes, s.opened = nil, 0
	s.refused, s.answers = map[string]int{}, map[string]*Answer{}
}

// Close ends the stand-in and its connections.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.served
	return err
}
