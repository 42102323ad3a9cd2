// Package wire stands between a server and PostgreSQL and notes every
// statement that passes, with its parameters. It sees what is really sent,
// transaction control and session settings included, and needs neither an
// extension nor a word of the server's own.
package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
)

// Statement is one that passed.
type Statement struct {
	SQL    string
	Params []Param
	Role   string // the last SET ROLE of its connection, whole
	Scope  string // the last set_config of its connection, whole
}

// Param is a parameter as it was sent.
type Param struct {
	Null   bool
	Binary bool
	Data   []byte
}

// Proxy is a running proxy.
type Proxy struct {
	listener net.Listener
	upstream string
	url      string
	done     sync.WaitGroup

	mu    sync.Mutex
	seen  []Statement
	conns map[net.Conn]bool
}

// Listen starts a proxy before the server that a URL names, which must allow
// connections without TLS.
func Listen(ctx context.Context, server string) (*Proxy, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, errors.New("the server's URL cannot be parsed")
	}
	upstream := u.Host
	if u.Port() == "" {
		upstream = net.JoinHostPort(u.Hostname(), "5432")
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	u.Host = listener.Addr().String()
	query := u.Query()
	query.Set("sslmode", "disable")
	u.RawQuery = query.Encode()
	p := &Proxy{listener: listener, upstream: upstream, url: u.String(), conns: map[net.Conn]bool{}}
	p.done.Go(p.accept)
	return p, nil
}

// URL is the server's address through the proxy.
func (p *Proxy) URL() string { return p.url }

// Take returns what has passed since the last call.
func (p *Proxy) Take() []Statement {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := p.seen
	p.seen = nil
	return seen
}

// Close ends every connection.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.mu.Lock()
	for conn := range p.conns {
		err = errors.Join(err, conn.Close())
	}
	p.mu.Unlock()
	p.done.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.done.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer p.drop(client)
	server, err := net.Dial("tcp", p.upstream)
	if err != nil {
		return // the client sees its connection end
	}
	defer p.drop(server)
	p.mu.Lock()
	p.conns[client], p.conns[server] = true, true
	p.mu.Unlock()
	p.done.Go(func() {
		_, _ = io.Copy(client, server) // either side may end it
		p.drop(client)
	})
	_ = (&session{proxy: p, client: client, server: server, prepared: map[string]string{}}).run() // likewise
}

func (p *Proxy) drop(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
	_ = conn.Close() // for the second time, perhaps
}

// maxMessage bounds a message, in bytes.
const maxMessage = 64 << 20

func readLength(r io.Reader) (int, error) {
	var raw [4]byte
	if _, err := io.ReadFull(r, raw[:]); err != nil {
		return 0, err
	}
	n := int(binary.BigEndian.Uint32(raw[:])) - len(raw)
	if n < 0 || n > maxMessage {
		return 0, fmt.Errorf("message of %d bytes", n)
	}
	return n, nil
}
