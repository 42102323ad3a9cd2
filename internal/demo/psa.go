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
	autotask "github.com/bailiwick/bailiwick/internal/ticket/psa/autotask/standin"
	connectwise "github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise/standin"
	syncro "github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

// psaAccount is the provider's account at every stand-in.
const psaAccount = "northwind"

// What the stand-ins know this deployment by.
const (
	integrationCode = "BAILIWICKDEMO"
	clientID        = "7b1f2c54-90de-4a3b-8c61-d0e5f4a39b27"
)

// grace is how long the stand-ins' last answers may take. By then the server's
// jobs have ended.
const grace = time.Second

// PSAs are the stand-ins' pages, for a browser.
type PSAs struct {
	Autotask    string `json:"autotask"`
	ConnectWise string `json:"connectWise"`
	Syncro      string `json:"syncro"`
}

// psaServers are the stand-ins, each on a port of its own. The secret opens the
// provider's account at each.
type psaServers struct {
	secret      string
	autotask    standIn[*autotask.Server]
	connectWise standIn[*connectwise.Server]
	syncro      standIn[*syncro.Server]
}

// standIn is a stand-in that is served.
type standIn[S http.Handler] struct {
	server S
	addr   string
	url    string // of its page, and of its API
	http   *http.Server
}

// startPSAs serves the stand-ins at the addresses that are kept, or at free
// ones of this machine. They show their tickets to whoever asks, so they never
// listen to others.
func startPSAs(ctx context.Context, kept state, secrets passwords, customers []string, c Config) (all psaServers, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, all.stop())
		}
	}()
	if all.secret, err = secrets.psaToken(); err != nil {
		return all, err
	}
	a, w, s := autotask.Account{Database: psaAccount, IntegrationCode: integrationCode, Username: psaAccount, Secret: all.secret},
		connectwise.Account{CompanyID: psaAccount, PublicKey: psaAccount, PrivateKey: all.secret},
		syncro.Account{Subdomain: psaAccount, Token: all.secret}
	for _, name := range customers {
		a.Companies = append(a.Companies, autotask.Company{Name: name})
		w.Companies = append(w.Companies, connectwise.Company{Name: name})
		s.Customers = append(s.Customers, syncro.Customer{BusinessName: name})
	}
	ofAutotask, err := autotask.New(autotask.Config{Accounts: []autotask.Account{a}, Logger: c.Logger, Clock: c.Clock})
	if err != nil {
		return all, err
	}
	ofConnectWise, err := connectwise.New(connectwise.Config{Accounts: []connectwise.Account{w}, ClientIDs: []string{clientID}, Logger: c.Logger, Clock: c.Clock})
	if err != nil {
		return all, err
	}
	ofSyncro, err := syncro.New(syncro.Config{Accounts: []syncro.Account{s}, Logger: c.Logger, Clock: c.Clock})
	if err != nil {
		return all, err
	}
	if all.autotask, err = serveStandIn(ctx, "Autotask", ofAutotask, kept.Autotask, c); err != nil {
		return all, err
	}
	if all.connectWise, err = serveStandIn(ctx, "ConnectWise", ofConnectWise, kept.ConnectWise, c); err != nil {
		return all, err
	}
	all.syncro, err = serveStandIn(ctx, "Syncro", ofSyncro, kept.PSA, c)
	return all, err
}

func serveStandIn[S http.Handler](ctx context.Context, name string, server S, addr string, c Config) (standIn[S], error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cmp.Or(addr, "127.0.0.1:0"))
	if err != nil {
		return standIn[S]{}, fmt.Errorf("the stand-in of %s: listen on %s, which this data directory is set up for: %w", name, addr, err)
	}
	p := standIn[S]{server: server, addr: listener.Addr().String()}
	p.url = "http://" + p.addr
	p.http = httpd.Server(p.addr, server, c.Logger)
	go func() {
		if err := p.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			c.Logger.ErrorContext(ctx, "a stand-in ended", "of", name, "error", err)
		}
	}()
	return p, nil
}

func (p psaServers) stop() error {
	return errors.Join(p.autotask.stop(), p.connectWise.stop(), p.syncro.stop())
}

func (p standIn[S]) stop() error {
	if p.http == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := p.http.Shutdown(ctx); err != nil {
		return p.http.Close()
	}
	return nil
}
