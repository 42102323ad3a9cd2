package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/bailiwick/bailiwick/internal/access"
	"github.com/bailiwick/bailiwick/internal/access/policy"
	"github.com/bailiwick/bailiwick/internal/app"
	"github.com/bailiwick/bailiwick/internal/config"
	"github.com/bailiwick/bailiwick/tenancy"
)

// mostWalls is the share of a request's processor time that the walls may add.
const mostWalls = 0.20

// walls measures what the tenants' walls cost. No server can run without
// them, so their parts are measured by themselves, in this process: what a
// query sends, through the same client, once in a tenant's scope (ent's filter,
// row-level security, the setting of the scope) and once in the system's, which
// none of that applies to and which names the same tenant by hand; and the
// resolution of the caller, which the second goes without. The foreign keys
// hold on both sides: none of the queries changes one. The sum is compared with
// what a whole request costs without it.
func (v *verdict) walls(ctx context.Context, o options, pg *postgres, programs programs, g ground) (err error) {
	whole, err := wholes(ctx, o, pg, programs, g)
	if err != nil {
		return err
	}
	a, _, stop, err := inProcess(ctx, programs, g, o.connections)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	for _, w := range walledQueries(a, g) {
		total, asked := whole[w.letter]
		if !asked {
			continue
		}
		fmt.Fprintf(os.Stderr, "walls of %s\n", w.letter)
		resolve := func(ctx context.Context, i int) error {
			caller, err := a.Access.Authenticate(ctx, access.Credentials{APIKey: g.key, Organization: w.header(i)})
			if err == nil {
				_, err = caller.Authorize(ctx, w.permission)
			}
			return err
		}
		// Many short turns: what else the machine does meets all three alike.
		const turns = 5
		var resolution, added []float64
		for range turns * o.pace.rounds {
			var costs [3]float64
			for j, run := range []func(context.Context, int) error{resolve, w.on, w.off} {
				if costs[j], err = costOf(ctx, pg, o.pace.duration/(3*turns), run); err != nil {
					return fmt.Errorf("walls of %s: %w", w.letter, err)
				}
			}
			resolution, added = append(resolution, costs[0]), append(added, costs[1]-costs[2])
		}
		walls := median(resolution) + median(added)
		share := walls / (total - walls)
		v.say(share <= mostWalls, "%s: the walls add %.0f %% to a request's CPU time, at most %.0f %% (%.3f ms, of which %.3f to resolve the caller, of %.3f)",
			w.letter, 100*share, 100*mostWalls, walls, median(resolution), total)
	}
	return nil
}

// wholes measures what a request of each query costs our server as it is.
func wholes(ctx context.Context, o options, pg *postgres, programs programs, g ground) (costs map[string]float64, err error) {
	s, err := programs.site(ctx, g.url, g.url, g.key, g.size, g.sample)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	costs = map[string]float64{}
	for _, letter := range o.letters {
		q, err := queryOf(letter)
		if err != nil {
			return nil, err
		}
		pairs, err := q.pairs(&s.world, page)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "cost of %s\n", letter)
		var rounds []float64
		for range o.pace.rounds {
			f, err := once(ctx, pg, o.pace, s.oursTarget(pairs))
			if err != nil {
				return nil, err
			}
			rounds = append(rounds, f.CPU())
		}
		costs[letter] = median(rounds)
	}
	return costs, nil
}

// inProcess puts our server together in this process and runs it, because its
// caches hold nothing while they hear of no changes.
func inProcess(ctx context.Context, programs programs, g ground, connections int) (a *app.App, addr string, stop func() error, err error) {
	var c config.Config
	parser, err := kong.New(&c, config.Options()...)
	if err != nil {
		return nil, "", nil, err
	}
	if _, err := parser.Parse([]string{
		"--database-url", g.url, "--master-key", programs.masterKey, fmt.Sprintf("--database-max-connections=%d", connections),
	}); err != nil {
		return nil, "", nil, err
	}
	a, err = app.New(ctx, app.Config{Config: c, Version: "bench", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, "", nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", nil, errors.Join(err, a.Close())
	}
	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(running, listener) }()
	return a, listener.Addr().String(), func() error {
		cancel()
		return errors.Join(<-ended, a.Close())
	}, nil
}

// walled is what a query sends to the database, with the walls and without.
type walled struct {
	letter       string
	permission   policy.Permission
	organization []string // that the x-org-id header names in turn; none without one
	provider     string
	on, off      func(ctx context.Context, i int) error
}

func (w walled) header(i int) string {
	if len(w.organization) == 0 {
		return ""
	}
	return w.organization[i%len(w.organization)]
}

// scope is the scope that resolution would have led to.
func (w walled) scope(ctx context.Context, i int) context.Context {
	principal := tenancy.ServicePrincipal("bench")
	if organization := w.header(i); organization != "" {
		return tenancy.With(ctx, tenancy.ForOrganizations(principal, w.provider, organization))
	}
	return tenancy.With(ctx, tenancy.ForProvider(principal, w.provider))
}

// costOf is the CPU time of one run in ms, in this process and PostgreSQL.
func costOf(ctx context.Context, pg *postgres, took time.Duration, run func(context.Context, int) error) (float64, error) {
	if _, _, err := repeat(ctx, took/8, run); err != nil {
		return 0, err
	}
	database, err := pg.cpu()
	if err != nil {
		return 0, err
	}
	runs, own, err := repeat(ctx, took, run)
	if err != nil {
		return 0, err
	}
	after, err := pg.cpu()
	if err != nil {
		return 0, err
	}
	return milliseconds(own+after-database) / float64(max(1, runs)), nil
}

// repeat runs a function over and over, a few at a time, and returns how often
// and what CPU time this process used.
func repeat(ctx context.Context, took time.Duration, run func(context.Context, int) error) (runs int, cpu time.Duration, err error) {
	const workers = 4
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	before, err := ownCPU()
	if err != nil {
		return 0, 0, err
	}
	end := time.Now().Add(took)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for ctx.Err() == nil && time.Now().Before(end) {
				if err := run(ctx, int(next.Add(1))); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return 0, 0, err
	}
	after, err := ownCPU()
	return int(next.Load()), after - before, err
}

func ownCPU() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, err
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}
