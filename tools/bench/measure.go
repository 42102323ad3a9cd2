package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bailiwick/bailiwick/tools/bench/load"
	"github.com/bailiwick/bailiwick/tools/bench/process"
)

// figures are what was measured of a query on a server: medians over the rounds.
type figures struct {
	PerSecond   float64 `json:"requestsPerSecond"`
	P50         float64 `json:"p50Ms"`
	P99         float64 `json:"p99Ms"`
	ServerCPU   float64 `json:"serverCpuMs"`
	PostgresCPU float64 `json:"postgresCpuMs"`
	Statements  count   `json:"statements"`
}

// CPU is what a request costs on both sides, in ms.
func (f figures) CPU() float64 { return f.ServerCPU + f.PostgresCPU }

// target is a server under measurement.
type target struct {
	pool     *load.Pool
	requests [][]byte
	cpu      func() (time.Duration, error)
}

func (s *site) oursTarget(pairs []pair) target {
	return target{s.oursPool, oursOf(pairs), func() (time.Duration, error) { return process.CPU(s.ours.PID()) }}
}

func (s *site) limitTarget(pairs []pair) target {
	return target{s.limitPool, limitOf(pairs), func() (time.Duration, error) { return process.CPU(s.limit.PID()) }}
}

// pace says how long, and how often.
type pace struct {
	warmUp, duration time.Duration
	rounds           int
}

// compare measures two servers back to back, round by round, each first in turn.
func compare(ctx context.Context, p *postgres, pace pace, targets [2]target) (medians [2]figures, rounds [2][]figures, err error) {
	for round := range pace.rounds {
		for i := range targets {
			which := (i + round) % 2
			f, err := once(ctx, p, pace, targets[which])
			if err != nil {
				return medians, rounds, err
			}
			rounds[which] = append(rounds[which], f)
		}
	}
	for i := range medians {
		medians[i] = middle(rounds[i])
	}
	return medians, rounds, nil
}

func once(ctx context.Context, p *postgres, pace pace, t target) (figures, error) {
	if _, err := t.pool.For(ctx, pace.warmUp, t.requests); err != nil {
		return figures{}, err
	}
	server, err := t.cpu()
	if err != nil {
		return figures{}, err
	}
	database, err := p.cpu()
	if err != nil {
		return figures{}, err
	}
	run, err := t.pool.For(ctx, pace.duration, t.requests)
	if err != nil {
		return figures{}, err
	}
	serverAfter, err := t.cpu()
	if err != nil {
		return figures{}, err
	}
	databaseAfter, err := p.cpu()
	if err != nil {
		return figures{}, err
	}
	if run.Requests == 0 {
		return figures{}, fmt.Errorf("no request was answered within %s", pace.duration)
	}
	n := float64(run.Requests)
	return figures{
		PerSecond:   run.PerSecond(),
		P50:         milliseconds(run.Quantile(0.50)),
		P99:         milliseconds(run.Quantile(0.99)),
		ServerCPU:   milliseconds(serverAfter-server) / n,
		PostgresCPU: milliseconds(databaseAfter-database) / n,
	}, nil
}

// cpu is what PostgreSQL has used so far; always 0 if it is on another machine.
func (p *postgres) cpu() (time.Duration, error) {
	if p.postmaster == 0 {
		return 0, nil
	}
	return process.TreeCPU(p.postmaster)
}

func middle(rounds []figures) figures {
	of := func(value func(figures) float64) float64 {
		list := make([]float64, len(rounds))
		for i, f := range rounds {
			list[i] = value(f)
		}
		return median(list)
	}
	return figures{
		PerSecond:   of(func(f figures) float64 { return f.PerSecond }),
		P50:         of(func(f figures) float64 { return f.P50 }),
		P99:         of(func(f figures) float64 { return f.P99 }),
		ServerCPU:   of(func(f figures) float64 { return f.ServerCPU }),
		PostgresCPU: of(func(f figures) float64 { return f.PostgresCPU }),
	}
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	list = slices.Sorted(slices.Values(list))
	return (list[(len(list)-1)/2] + list[len(list)/2]) / 2
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
