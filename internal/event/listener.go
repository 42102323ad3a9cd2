package event

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
)

// ListenerConfig configures a [Listener].
type ListenerConfig struct {
	URL          string        // of the database; a connection of its own, never through a pooler
	Logger       *slog.Logger  // required
	OnReconnect  func()        // called after a lost connection is back, once subscribers are told; may be nil
	MinReconnect time.Duration // between attempts at first; 0 means 250 ms
	MaxReconnect time.Duration // between attempts in the end; 0 means 10 s
}

// Validate reports what is missing or wrong.
func (c ListenerConfig) Validate() error {
	if c.Logger == nil {
		return errors.New("event: listener without a logger")
	}
	if c.MinReconnect < 0 || c.MaxReconnect < 0 {
		return errors.New("event: negative reconnect interval")
	}
	if _, err := pq.NewConnector(c.URL); c.URL == "" || err != nil {
		return errors.New("event: listener's database URL is not valid") // without quoting the password
	}
	return nil
}

// Listener hands the notifications of PostgreSQL to a [Bus].
type Listener struct {
	bus    *Bus
	config ListenerConfig

	connected   atomic.Bool
	disconnects atomic.Int64
	// synced is the value of disconnects for which subscribers have been told
	// to resync; -1 before the first connection.
	synced atomic.Int64
}

// NewListener returns a listener for the bus. It does nothing until Run.
func NewListener(bus *Bus, config ListenerConfig) (*Listener, error) {
	if config.MinReconnect == 0 {
		config.MinReconnect = 250 * time.Millisecond
	}
	if config.MaxReconnect == 0 {
		config.MaxReconnect = max(10*time.Second, config.MinReconnect)
	}
	if err := config.Validate(); err != nil {
		return nil, err
	}
	l := &Listener{bus: bus, config: config}
	l.synced.Store(-1)
	return l, nil
}

// Healthy reports whether other replicas' events arrive, and those missed
// while they did not have been made up for. While it is false, what is cached
// may be out of date.
func (l *Listener) Healthy() bool {
	return l.connected.Load() && l.synced.Load() == l.disconnects.Load()
}

// Run listens until the context ends, and then returns nil. It waits for a
// database that is down, at the start too. It must be called once.
func (l *Listener) Run(ctx context.Context) error {
	source := pq.NewDialListener(newDialer(), l.config.URL, l.config.MinReconnect, l.config.MaxReconnect, l.observe)
	defer l.connected.Store(false)
	defer func() {
		_ = source.Close()
		go func() { // its goroutine may be about to send
			for range source.Notify { // drained
			}
		}()
	}()
	stop := context.AfterFunc(ctx, func() { _ = source.Close() })
	defer stop()

	if err := source.Listen(Channel); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("event: listen: %w", err)
	}
	l.resync()
	for {
		select {
		case <-ctx.Done():
			return nil
		case notification, open := <-source.Notify:
			switch {
			case !open:
				if ctx.Err() != nil {
					return nil
				}
				return errors.New("event: listener closed")
			case notification == nil: // the connection is back
				l.resync()
				if l.config.OnReconnect != nil {
					l.config.OnReconnect()
				}
			default:
				if err := l.bus.receive(notification.Extra); err != nil {
					l.config.Logger.WarnContext(ctx, "event ignored", "error", err, "bytes", len(notification.Extra))
				}
			}
		}
	}
}

func (l *Listener) resync() {
	disconnects := l.disconnects.Load()
	l.bus.Resync()
	l.synced.Store(disconnects) // lost again meanwhile: still not in sync
}

func (l *Listener) observe(kind pq.ListenerEventType, err error) {
	switch kind {
	case pq.ListenerEventConnected, pq.ListenerEventReconnected:
		l.connected.Store(true)
		l.config.Logger.Info("listening for events")
	case pq.ListenerEventDisconnected:
		l.disconnects.Add(1)
		l.connected.Store(false)
		l.config.Logger.Warn("connection for events lost", "error", err)
	case pq.ListenerEventConnectionAttemptFailed:
		l.config.Logger.Warn("connection for events failed", "error", err)
	}
}

// dialer finds out within half a minute that the server is gone. A connection
// that only listens would otherwise wait for hours on a dead peer.
type dialer struct{ net.Dialer }

func newDialer() *dialer {
	return &dialer{net.Dialer{
		Timeout: 10 * time.Second,
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
		},
	}}
}

// DialTimeout implements [pq.Dialer].
func (d *dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	limited := d.Dialer
	limited.Timeout = timeout
	return limited.Dial(network, address)
}
