// Command bench measures Bailiwick's server against a hand-written one that
// does the least that the same answers take (tools/bench/limit), on the same
// PostgreSQL, one after the other, round by round:
//
//	make bench
//	make bench ARGS="-quick"
//	make bench ARGS="-check"
//	make bench ARGS="-delivery"
//	make bench ARGS="-mdm"
//	make bench ARGS="-mdm -fleet 500"
//	make bench ARGS="-organizations 20000 -devices 2000000 -alerts 200000"
//
// With -mdm it measures what managed Apple devices cost, beside NanoMDM v0.9.0
// (tools/bench/nanomdm, a module of its own), which is given what it can be
// tuned with. Both servers meet the same devices, whose messages are signed
// beforehand, on the same connections and the same PostgreSQL, in short turns.
// A command cycle is two requests, and so is an enrolment. NanoMDM is not asked
// to push, and our server has no push certificate, so neither calls out. Then
// come our own idle rate with history and with many organizations, a push to a
// whole fleet at a stand-in for Apple, and the statements of every kind of
// message. -quick shows that it all works; -explain prints the statements, and
// -profile writes a profile of an idle connect and one of queueing a command.
//
// PostgreSQL is the server that BAILIWICK_TEST_POSTGRES names, for a superuser;
// the generated data stays there as a template. If none is named, a throw-away
// server is started. Absolute figures tell of the machine; compare the ratios.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/bailiwick/bailiwick/tools/bench/data"
)

type options struct {
	size        data.Size
	connections int
	pace        pace
	letters     []string
	quick       bool
	check       bool
	delivery    bool
	mdm         bool
	fleet       []int
	explain     bool
	profile     string
	json        string
}

func main() { os.Exit(status(os.Args[1:])) }

// status runs the command and returns its exit status.
func status(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 2
	}
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.size.Organizations, "organizations", 2000, "organizations of the measured provider")
	flags.IntVar(&o.size.Devices, "devices", 200_000, "devices, shared out over the organizations")
	flags.IntVar(&o.size.Alerts, "alerts", 20_000, "open alerts; as many again are resolved")
	flags.IntVar(&o.connections, "connections", 16, "connections of the load, and of each server to PostgreSQL")
	flags.DurationVar(&o.pace.duration, "duration", 5*time.Second, "time to measure each query on each server, in each round")
	flags.DurationVar(&o.pace.warmUp, "warm-up", time.Second, "time before each measurement")
	flags.IntVar(&o.pace.rounds, "rounds", 3, "rounds; the medians are reported")
	letters := flags.String("queries", "ABCDFE", "which queries")
	flags.BoolVar(&o.quick, "quick", false, "small data and short runs: shows that everything works, and no more")
	flags.BoolVar(&o.check, "check", false, "check what is promised of statements, plans, the walls' cost and scale, instead of the table")
	flags.BoolVar(&o.delivery, "delivery", false, "measure how fast alerts become tickets, instead of the table")
	flags.BoolVar(&o.mdm, "mdm", false, "measure what managed Apple devices cost, beside NanoMDM, instead of the table")
	fleet := flags.String("fleet", "", "with -mdm: numbers of devices, ascending; 500,2000 if empty, and 40 with -quick")
	flags.BoolVar(&o.explain, "explain", false, "with -check: print every statement and its plan, not only those at fault, and leave the rest out")
	flags.StringVar(&o.profile, "profile", "", "instead of the table, write CPU profiles of our server to this directory")
	flags.StringVar(&o.json, "json", "", "also write the figures to this file")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.letters = strings.Split(*letters, "")
	for _, letter := range o.letters {
		if _, err := queryOf(letter); err != nil {
			return o, err
		}
	}
	if *fleet == "" {
		*fleet = "500,2000"
		if o.quick {
			*fleet = "40"
		}
	}
	for text := range strings.SplitSeq(*fleet, ",") {
		devices, err := strconv.Atoi(text)
		if err != nil || devices < 16 || len(o.fleet) > 0 && devices <= o.fleet[len(o.fleet)-1] {
			return o, errors.New("-fleet wants ascending numbers of devices, of 16 and more")
		}
		o.fleet = append(o.fleet, devices)
	}
	if o.quick {
		o.size = data.Size{Organizations: 40, Devices: 4000, Alerts: 400}
		o.pace = pace{warmUp: 300 * time.Millisecond, duration: time.Second, rounds: 1}
	}
	if o.connections < 1 || o.pace.rounds < 1 || o.pace.duration <= 0 {
		return o, errors.New("at least one connection, one round and some time")
	}
	return o, o.size.Validate()
}

func run(ctx context.Context, o options) (err error) {
	pg, err := startPostgres(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pg.stop()) }()
	if o.delivery {
		return deliver(ctx, o, pg)
	}
	if o.mdm {
		return manageDevices(ctx, o, pg)
	}
	dir, err := os.MkdirTemp("", "bailiwick-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Fprintln(os.Stderr, "building")
	programs, err := build(ctx, dir, o.connections)
	if err != nil {
		return err
	}
	if o.profile != "" {
		return profile(ctx, o, pg, programs)
	}
	if o.check {
		return check(ctx, o, pg, programs)
	}
	return bench(ctx, o, pg, programs)
}

// ground is a database of a size, with a caller.
type ground struct {
	url, key string
	size     data.Size
	sample   data.Sample
	drop     func() error
}

func prepare(ctx context.Context, pg *postgres, size data.Size) (g ground, err error) {
	g.size = size
	if g.url, g.drop, err = pg.database(ctx, size, os.Stderr); err != nil {
		return g, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.drop())
		}
	}()
	if g.key, err = addCaller(ctx, g.url); err != nil {
		return g, err
	}
	g.sample, err = data.Draw(ctx, g.url)
	return g, err
}

// bench prints the table.
func bench(ctx context.Context, o options, pg *postgres, programs programs) (err error) {
	g, err := prepare(ctx, pg, o.size)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.drop()) }()
	counts, err := count2(ctx, o, programs, g)
	if err != nil {
		return err
	}
	s, err := programs.site(ctx, g.url, g.url, g.key, g.size, g.sample)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	report := newReport(o, pg)
	for _, letter := range o.letters {
		q, err := queryOf(letter)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "measuring %s: %s\n", q.letter, q.title)
		pairs, err := q.pairs(&s.world, page)
		if err != nil {
			return err
		}
		if err := verify(q, pairs, s.oursPool, s.limitPool); err != nil {
			return err
		}
		medians, rounds, err := compare(ctx, pg, o.pace, [2]target{s.oursTarget(pairs), s.limitTarget(pairs)})
		if err != nil {
			return fmt.Errorf("query %s: %w", q.letter, err)
		}
		for i := range medians {
			medians[i].Statements = counts[letter][i]
		}
		report.add(q, medians, rounds)
	}
	report.markdown(os.Stdout)
	if o.json == "" {
		return nil
	}
	return report.write(o.json)
}

// count2 counts the statements of every query on both servers.
func count2(ctx context.Context, o options, programs programs, g ground) (counts map[string][2]count, err error) {
	t, err := programs.tap(ctx, g.url, g.key, g.size, g.sample)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	counts = map[string][2]count{}
	for _, letter := range o.letters {
		q, err := queryOf(letter)
		if err != nil {
			return nil, err
		}
		pairs, err := q.pairs(&t.world, page)
		if err != nil {
			return nil, err
		}
		ours, _, err := statements(t.oursPool, t.oursTap, oursOf(pairs))
		if err != nil {
			return nil, fmt.Errorf("our server, %s: %w", letter, err)
		}
		limit, _, err := statements(t.limitPool, t.limitTap, limitOf(pairs))
		if err != nil {
			return nil, fmt.Errorf("the limit, %s: %w", letter, err)
		}
		counts[letter] = [2]count{ours, limit}
	}
	return counts, nil
}
