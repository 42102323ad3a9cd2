// Command fault takes ticketing through faults and prints what is left, for
// every vendor and fault: tickets made, lost and doubled.
//
//	make faults
//	make faults ARGS="--vendor SYNCRO --fault drop --seeds 100"
//	make faults ARGS="--database postgres://localhost/postgres"
//
// The table is Markdown, on standard output; what is wrong is told on standard
// error. The exit status is 1 if anything was lost, doubled or out of order, or
// if a canary, a client with a defect on purpose, was not noticed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/bailiwick/bailiwick/internal/testkit/ordeal"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// options are the command line.
type options struct {
	Seeds    int      `help:"Runs of each vendor and fault, each at random in its own way." default:"20"`
	Vendor   []string `help:"Vendors to try: AUTOTASK, CONNECTWISE, SYNCRO; all if none is named." placeholder:"VENDOR"`
	Fault    []string `help:"Faults to try, by a part of their names; all if none is named." placeholder:"NAME"`
	Crowd    int      `help:"Alerts of the fault that is about their number." default:"${crowd}"`
	Database string   `help:"A PostgreSQL server, by the URL of a database whose user may create others; SQLite in a temporary directory if empty." placeholder:"URL"`
	Parallel int      `help:"Rows tried side by side." default:"${parallel}"`
}

func main() { os.Exit(status(os.Args[1:])) }

// status runs the command and returns its exit status.
func status(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// One fault is the kill of such a process.
	if worker, err := ordeal.Worker(ctx); worker {
		if err != nil {
			fmt.Fprintln(os.Stderr, "fault: worker:", err)
		}
		return 0
	}
	var o options
	parser, err := kong.New(&o, kong.Name("fault"), kong.Description("Take ticketing through faults, and print what is left as a table."),
		kong.Vars{"crowd": strconv.Itoa(ordeal.DefaultCrowd), "parallel": strconv.Itoa(runtime.GOMAXPROCS(0))})
	if err == nil {
		_, err = parser.Parse(args)
	}
	var rows []row
	if err == nil {
		rows, err = o.rows()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fault:", err)
		return 2
	}
	sound, err := run(ctx, o, rows, os.Stdout)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "fault:", err)
		return 1
	case !sound:
		return 1
	}
	return 0
}

// row is a line of the table.
type row struct {
	vendor psa.Kind
	fault  string
	canary bool
	result ordeal.Result
}

// rows are what is to be tried: each vendor with its faults, then the canaries.
func (o options) rows() (all []row, err error) {
	if o.Seeds < 1 || o.Crowd < 1 || o.Parallel < 1 {
		return nil, errors.New("--seeds, --crowd and --parallel must be positive")
	}
	vendors := []psa.Kind{psa.Autotask, psa.ConnectWise, psa.Syncro}
	for _, name := range o.Vendor {
		if !slices.Contains(vendors, psa.Kind(strings.ToUpper(name))) {
			return nil, fmt.Errorf("there is no vendor %q: %s", name, vendors)
		}
	}
	for _, vendor := range vendors {
		if len(o.Vendor) > 0 && !slices.ContainsFunc(o.Vendor, func(name string) bool { return strings.EqualFold(name, string(vendor)) }) {
			continue
		}
		for _, fault := range ordeal.Faults(vendor) {
			if o.wants(fault) {
				all = append(all, row{vendor: vendor, fault: fault})
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no fault is called %q", strings.Join(o.Fault, ", "))
	}
	for n, fault := range ordeal.Canaries() {
		all = append(all, row{vendor: vendors[n%len(vendors)], fault: fault, canary: true})
	}
	return all, nil
}

func (o options) wants(fault string) bool {
	return len(o.Fault) == 0 || slices.ContainsFunc(o.Fault, func(part string) bool {
		return strings.Contains(strings.ToLower(fault), strings.ToLower(part))
	})
}

// run tries all rows and prints them. It reports whether everything was there,
// once, and every canary was noticed.
func run(ctx context.Context, o options, rows []row, out io.Writer) (bool, error) {
	d, err := newDatabases(ctx, o.Database)
	if err != nil {
		return false, err
	}
	defer d.close()
	bar := newBar(len(rows) * o.Seeds)
	next, errs := make(chan *row), make([]error, o.Parallel)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group sync.WaitGroup
	for n := range o.Parallel {
		group.Go(func() {
			for r := range next {
				if err := r.try(ctx, o, d, bar); err != nil && errs[n] == nil {
					errs[n] = fmt.Errorf("%s, %s: %w", r.vendor, r.fault, err)
					cancel()
				}
			}
		})
	}
	for n := range rows {
		next <- &rows[n]
	}
	close(next)
	group.Wait()
	bar.end()
	for _, err := range errs {
		if err != nil {
			return false, err
		}
	}
	return report(out, os.Stderr, rows), nil
}

// try has a row's ordeal on a database of its own.
func (r *row) try(ctx context.Context, o options, d *databases, bar *bar) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	url, drop, err := d.make(ctx)
	if err != nil {
		return err
	}
	defer drop()
	r.result, err = ordeal.Run(ctx, ordeal.Config{
		URL: url, Vendor: r.vendor, Fault: r.fault, Seeds: o.Seeds, Crowd: o.Crowd, Progress: func() { bar.step(1) },
	})
	bar.step(o.Seeds - r.result.Runs)
	return err
}
