package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"

	"github.com/bailiwick/bailiwick/tools/bench/load"
)

// profile runs our server in this process, under the load of one query after
// the other, and writes a CPU profile of each into a directory. A profile also
// holds the load itself, under (*Conn).Do.
func profile(ctx context.Context, o options, pg *postgres, programs programs) (err error) {
	g, err := prepare(ctx, pg, o.size)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.drop()) }()
	_, addr, stop, err := inProcess(ctx, programs, g, o.connections)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	pool, err := load.Open(ctx, addr, o.connections)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	w := &world{size: g.size, sample: g.sample, key: g.key, oursAddr: addr, ask: pool.Once}
	for _, letter := range o.letters {
		q, err := queryOf(letter)
		if err != nil {
			return err
		}
		pairs, err := q.pairs(w, page)
		if err != nil {
			return err
		}
		if _, err := pool.For(ctx, o.pace.warmUp, oursOf(pairs)); err != nil {
			return err
		}
		path := filepath.Join(o.profile, letter+".pprof")
		if err := profiled(path, func() error {
			_, err := pool.For(ctx, o.pace.duration, oursOf(pairs))
			return err
		}); err != nil {
			return err
		}
		fmt.Fprintln(os.Stderr, "go tool pprof -top -cum", path)
	}
	return nil
}

func profiled(path string, run func() error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(err, file.Close())
	}
	err = run()
	pprof.StopCPUProfile()
	return errors.Join(err, file.Close())
}
