package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/internal/testkit/testdb/cluster"
	"github.com/bailiwick/bailiwick/tools/bench/data"
	"github.com/bailiwick/bailiwick/tools/bench/load"
	"github.com/bailiwick/bailiwick/tools/bench/mdm"
	"github.com/bailiwick/bailiwick/tools/bench/process"
)

// nanoModule is where NanoMDM is put together, seen from the project's root.
const nanoModule = "tools/bench/nanomdm"

// mdmSize says how much of device management is measured.
type mdmSize struct {
	devices       []int // one measurement after the other, on a fleet that grows
	organizations int   // that they are of
	turns         int   // of each server, in turn
	span          time.Duration

	told int // commands that devices are told and notified of, in a turn at least

	history   int // commands a device, in the comparison with none
	historied int // devices of that comparison
	crowd     int
	pushed    int // devices of the push
	pushing   int // organizations of the push
}

func mdmSizeOf(o options) mdmSize {
	if o.quick {
		return mdmSize{
			devices: o.fleet, organizations: 4, turns: 2, span: 300 * time.Millisecond, told: 1000,
			history: 20, historied: 40, crowd: 40, pushed: 200, pushing: 20,
		}
	}
	return mdmSize{
		devices: o.fleet, organizations: 10, turns: 4, span: time.Second, told: 6000,
		history: 1000, historied: 500, crowd: 2000, pushed: 8000, pushing: 200,
	}
}

// most is how many devices there are at most.
func (s mdmSize) most() int {
	return max(slices.Max(s.devices)+(s.turns-warmUp)*arriving, s.historied, s.crowd, s.pushed)
}

// arriving is how many devices enrol in a turn at most: what is left to be done for
// those who have enrolled begins a second after the first.
const arriving = 500

// arrivals are devices that enrol in a turn.
type arrivals struct {
	from, to int
	stay     bool // in the fleet; the others are forgotten again
}

// enrolments are the turns in which the devices of a range enrol. Before them come
// as many others as make enough turns.
func (s mdmSize) enrolments(from, to int) (turns []arrivals) {
	each := min(arriving, to-from)
	others := max(1, s.turns-warmUp-(to-from+each-1)/each)
	for i := range others {
		first := slices.Max(s.devices) + i*each
		turns = append(turns, arrivals{first, first + each, false})
	}
	for ; from < to; from += each {
		turns = append(turns, arrivals{from, min(from+each, to), true})
	}
	return turns
}

// mdmGround is an empty database for the time of a measurement.
func mdmGround(ctx context.Context, pg *postgres, name string) (url string, drop func() error, err error) {
	var suffix [6]byte
	rand.Read(suffix[:])
	url, remove, err := cluster.CreateDatabase(ctx, pg.url, "bailiwick_bench_"+name+"_"+hex.EncodeToString(suffix[:]), "template0")
	if err != nil {
		return "", nil, err
	}
	return url, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
		defer cancel()
		return remove(ctx)
	}, nil
}

// managed is our server with a fleet of its own database, and whoever calls it.
type managed struct {
	fleet         *mdm.Fleet
	organizations []string
	url, key      string
	child         *process.Child
	pool          *load.Pool
	closers       []func() error
}

// manage starts our server with a filled database, before which a proxy may
// stand, as through says.
func (p programs) manage(
	ctx context.Context, pg *postgres, fleet *mdm.Fleet, organizations, enrolled int, fill func(*sql.DB) error, through func(url string) string,
) (_ *managed, err error) {
	m := &managed{fleet: fleet}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	url, drop, err := mdmGround(ctx, pg, "mdm")
	if err != nil {
		return nil, err
	}
	m.url = url
	m.closers = append(m.closers, drop)
	if err := migrate(ctx, url); err != nil {
		return nil, err
	}
	db, err := open(ctx, url)
	if err != nil {
		return nil, err
	}
	if m.organizations, err = fleet.Fill(ctx, db.Client(), organizations, enrolled); err == nil {
		m.key, err = data.AddCaller(ctx, db.Client())
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	err = ask(ctx, url, func(db *sql.DB) error {
		if err := fill(db); err != nil {
			return err
		}
		_, err := db.ExecContext(ctx, "VACUUM ANALYZE")
		return err
	})
	if err != nil {
		return nil, err
	}
	if m.child, err = p.serve(ctx, through(url)); err != nil {
		return nil, err
	}
	m.closers = append(m.closers, m.child.Stop)
	if m.pool, err = load.Open(ctx, m.child.Addr(), p.connections); err != nil {
		return nil, err
	}
	m.closers = append(m.closers, m.pool.Close)
	return m, nil
}

// asIs is a database without more in it, and one that is called directly.
func asIs(*sql.DB) error { return nil }

func directly(url string) string { return url }

// Close stops the server and drops its database.
func (m *managed) Close() error {
	var errs []error
	for i := len(m.closers) - 1; i >= 0; i-- {
		errs = append(errs, m.closers[i]())
	}
	return errors.Join(errs...)
}

// put lays out a message of device i.
func (m *managed) put(i int, message mdm.Message) []byte {
	last := "/connect"
	if message.Checkin {
		last = "/checkin"
	}
	return message.Put(m.child.Addr(), "/mdm/"+m.organizations[i%len(m.organizations)]+last)
}

// idle lays out an Idle of each of the first devices.
func (m *managed) idle(devices int) ([][]byte, error) {
	return laid(devices, func(i int) ([]byte, error) {
		message, err := m.fleet.Devices[i].Idle()
		return m.put(i, message), err
	})
}

// laid lays out a request of each of a number of devices.
func laid(n int, lay func(i int) ([]byte, error)) ([][]byte, error) {
	requests := make([][]byte, n)
	return requests, mdm.Each(n, func(i int) (err error) {
		requests[i], err = lay(i)
		return err
	})
}

// nano is NanoMDM with a database of its own.
type nano struct {
	url     string
	child   *process.Child
	pool    *load.Pool
	closers []func() error
}

const nanoKey = "bench"

func (p programs) nano(ctx context.Context, pg *postgres, path string, fleet *mdm.Fleet) (_ *nano, err error) {
	n := &nano{}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	url, drop, err := mdmGround(ctx, pg, "nanomdm")
	if err != nil {
		return nil, err
	}
	n.url = url
	n.closers = append(n.closers, drop)
	authority := filepath.Join(p.dir, "authority.pem")
	certificate := encoded("CERTIFICATE", fleet.Authority.Raw)
	if err := os.WriteFile(authority, certificate, 0o600); err != nil {
		return nil, err
	}
	tuned, err := withParameter(url, "binary_parameters", "yes")
	if err != nil {
		return nil, err
	}
	n.child, err = process.Start(ctx, p.dir, path, "/version", []string{"NANOMDM_BENCH_DATABASE=" + tuned}, func(addr string) []string {
		return []string{
			"-addr", addr, "-ca", authority, "-api", nanoKey, "-connections", strconv.Itoa(p.connections),
			"-apns", strings.TrimPrefix(p.apple.URL(), "https://"), "-apns-ca", p.apple.roots,
		}
	})
	if err != nil {
		return nil, fmt.Errorf("NanoMDM: %w", err)
	}
	n.closers = append(n.closers, n.child.Stop)
	if n.pool, err = load.Open(ctx, n.child.Addr(), p.connections); err != nil {
		return nil, err
	}
	n.closers = append(n.closers, n.pool.Close)
	return n, nil
}

// Close stops the server and drops its database.
func (n *nano) Close() error {
	var errs []error
	for i := len(n.closers) - 1; i >= 0; i-- {
		errs = append(errs, n.closers[i]())
	}
	return errors.Join(errs...)
}

func (n *nano) put(message mdm.Message) []byte {
	path := "/mdm"
	if message.Checkin {
		path = "/checkin"
	}
	return message.Put(n.child.Addr(), path)
}

// withParameter adds a parameter to a database's URL.
func withParameter(address, name, value string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", errors.New("the database's URL cannot be parsed")
	}
	query := u.Query()
	query.Set(name, value)
	u.RawQuery = query.Encode()
	return u.String(), nil
}
