package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/bailiwick/bailiwick/internal/httpd"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

// psaSubdomain is the provider's account at the stand-in.
const psaSubdomain = "northwind"

// psaGrace is how long the stand-in's last answers may take. By then the
// server's jobs have ended.
const psaGrace = time.Second

// psaServer is the Syncro stand-in, on a port of its own.
type psaServer struct {
	server *standin.Server
	token  string
	addr   string
	url    string // of its page, and of its API without /api/v1
	http   *http.Server
}

// startPSA serves the stand-in at the address, or at a free one of this
// machine if that is empty. It shows its tickets to whoever asks, so it never
// listens to others.
func startPSA(ctx context.Context, addr string, secrets passwords, customers []standin.Customer, c Config) (psaServer, error) {
	token, err := secrets.psaToken()
	if err != nil {
		return psaServer{}, err
	}
	s, err := standin.New(standin.Config{
		Accounts: []standin.Account{{Subdomain: psaSubdomain, Token: token, Customers: customers}},
		Logger:   c.Logger, Clock: c.Clock,
	})
	if err != nil {
		return psaServer{}, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cmp.Or(addr, "127.0.0.1:0"))
	if err != nil {
		return psaServer{}, fmt.Errorf("the PSA's stand-in: listen on %s, which this data directory is set up for: %w", addr, err)
	}
	p := psaServer{server: s, token: token, addr: listener.Addr().String()}
	p.url = "http://" + p.addr
	p.http = httpd.Server(p.addr, s, c.Logger)
	go func() {
		if err := p.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			c.Logger.ErrorContext(ctx, "the PSA's stand-in ended", "error", err)
		}
	}()
	return p, nil
}

func (p psaServer) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), psaGrace)
	defer cancel()
	if err := p.http.Shutdown(ctx); err != nil {
		return p.http.Close()
	}
	return nil
}
