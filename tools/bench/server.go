package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"github.com/bailiwick/bailiwick/tools/bench/data"
	"github.com/bailiwick/bailiwick/tools/bench/load"
	"github.com/bailiwick/bailiwick/tools/bench/process"
)

// programs are the two servers, built.
type programs struct {
	dir         string
	ours, limit string
	connections int
	masterKey   string
	apple       *apple // that our server and NanoMDM send notifications to; nil for none
}

func build(ctx context.Context, dir string, connections int) (programs, error) {
	ours, err := process.Build(ctx, dir, "bailiwick", "./cmd/bailiwick")
	if err != nil {
		return programs{}, err
	}
	limit, err := process.Build(ctx, dir, "limit", "./tools/bench/limit")
	if err != nil {
		return programs{}, err
	}
	return programs{dir: dir, ours: ours, limit: limit, connections: connections, masterKey: newMasterKey()}, nil
}

func newMasterKey() string {
	var master [32]byte
	rand.Read(master[:])
	return base64.StdEncoding.EncodeToString(master[:])
}

// serve starts our server on a database.
func (p programs) serve(ctx context.Context, url string) (*process.Child, error) {
	settings := []string{
		"BAILIWICK_DATABASE_URL=" + url,
		"BAILIWICK_MASTER_KEY=" + p.masterKey,
		"BAILIWICK_DATABASE_MAX_CONNECTIONS=" + strconv.Itoa(p.connections),
		"BAILIWICK_LOG_LEVEL=warn",
	}
	if p.apple != nil {
		settings = append(settings, "BAILIWICK_APNS_HOST="+p.apple.URL(), "BAILIWICK_APNS_CA="+p.apple.roots)
	}
	child, err := process.Start(ctx, p.dir, p.ours, "/readyz", settings, func(addr string) []string { return []string{"serve", "--addr", addr} })
	if err != nil {
		return nil, fmt.Errorf("our server: %w", err)
	}
	return child, nil
}

// site is a database with both servers on it, and open connections to each.
type site struct {
	world
	ours, limit         *process.Child
	oursPool, limitPool *load.Pool
}

// site starts both servers. They may find the database at different
// addresses, since a proxy may stand before it.
func (p programs) site(ctx context.Context, oursURL, limitURL, key string, size data.Size, sample data.Sample) (_ *site, err error) {
	s := &site{world: world{size: size, sample: sample, key: key}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.ours, err = p.serve(ctx, oursURL); err != nil {
		return nil, err
	}
	conns := strconv.Itoa(p.connections)
	s.limit, err = process.Start(ctx, p.dir, p.limit, "/healthz", []string{"BAILIWICK_BENCH_DATABASE=" + limitURL},
		func(addr string) []string {
			return []string{"-addr", addr, "-provider", sample.Provider, "-connections", conns}
		})
	if err != nil {
		return nil, fmt.Errorf("the limit: %w", err)
	}
	s.oursAddr, s.limitAddr = s.ours.Addr(), s.limit.Addr()
	if s.oursPool, err = load.Open(ctx, s.oursAddr, p.connections); err != nil {
		return nil, err
	}
	if s.limitPool, err = load.Open(ctx, s.limitAddr, p.connections); err != nil {
		return nil, err
	}
	s.ask = s.oursPool.Once
	return s, nil
}

// Close stops both servers.
func (s *site) Close() error {
	var errs []error
	for _, pool := range []*load.Pool{s.oursPool, s.limitPool} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	for _, child := range []*process.Child{s.ours, s.limit} {
		if child != nil {
			errs = append(errs, child.Stop())
		}
	}
	return errors.Join(errs...)
}
