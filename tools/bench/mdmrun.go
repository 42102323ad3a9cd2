package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"github.com/bailiwick/bailiwick/tools/bench/load"
	"github.com/bailiwick/bailiwick/tools/bench/mdm"
	"github.com/bailiwick/bailiwick/tools/bench/process"
)

const (
	mdmLeastRatio = 2.0
	mdmMostCost   = 1.0
)

// manageDevices measures what managed devices cost, beside NanoMDM.
func manageDevices(ctx context.Context, o options, pg *postgres) (err error) {
	dir, err := os.MkdirTemp("", "bailiwick-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Fprintln(os.Stderr, "building")
	ours, err := process.Build(ctx, dir, "bailiwick", "./cmd/bailiwick")
	if err != nil {
		return err
	}
	nanoPath, err := process.BuildIn(ctx, nanoModule, dir, "nanomdm", ".")
	if err != nil {
		return err
	}
	p := programs{dir: dir, ours: ours, connections: o.connections, masterKey: newMasterKey()}
	size := mdmSizeOf(o)
	v := &verdict{}
	fleet, err := mdm.NewFleet(size.most())
	if err != nil {
		return err
	}
	if o.profile != "" {
		return mdmProfile(ctx, o, pg, p, fleet, size)
	}
	if o.explain {
		return mdmStatements(ctx, o, pg, p, fleet, v, os.Stdout)
	}
	rows, err := compete(ctx, pg, p, nanoPath, fleet, size)
	if err != nil {
		return err
	}
	mdmTable(os.Stdout, v, rows)
	grown, err := mdmGrowth(ctx, pg, p, fleet, size)
	if err != nil {
		return err
	}
	mdmGrowthTable(v, grown)
	if err := mdmPush(ctx, size, v); err != nil {
		return err
	}
	if err := mdmStatements(ctx, o, pg, p, fleet, v, os.Stdout); err != nil {
		return err
	}
	if v.broken > 0 {
		return fmt.Errorf("%d promises broken", v.broken)
	}
	return nil
}

// compete measures our server beside NanoMDM, on a fleet that grows.
func compete(ctx context.Context, pg *postgres, p programs, nanoPath string, fleet *mdm.Fleet, size mdmSize) (rows []*mdmRow, err error) {
	d, err := newDuel(ctx, pg, p, nanoPath, fleet, size)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	from := 0
	for _, devices := range size.devices {
		if err := d.enrol(ctx, from, devices); err != nil {
			return nil, err
		}
		for _, measure := range []func(context.Context, int) error{d.idle, d.command, d.bulk} {
			if err := measure(ctx, devices); err != nil {
				return nil, err
			}
		}
		from = devices
	}
	// Last, since from now on it costs to notify devices.
	if err := d.certify(ctx); err != nil {
		return nil, err
	}
	for _, devices := range size.devices {
		if err := d.notify(ctx, devices); err != nil {
			return nil, err
		}
	}
	fmt.Fprintf(os.Stderr, "our jobs welcomed a device in %.2f ms of the server's CPU and %.2f of PostgreSQL's\n",
		d.arrivals.each(d.arrivals.Server), d.arrivals.each(d.arrivals.Postgres))
	return d.rows, nil
}

// mdmTable prints what was compared, and whether it keeps the promises.
func mdmTable(w io.Writer, v *verdict, rows []*mdmRow) {
	fmt.Fprintln(w, "| work | devices | server | a second | CPU-ms server | CPU-ms PostgreSQL | rate to NanoMDM, at least 2 | CPU to NanoMDM, below 1 | |")
	fmt.Fprintln(w, "|---|--:|---|--:|--:|--:|--:|--:|---|")
	for _, row := range rows {
		mark := ""
		if !row.Beside {
			mark = v.mark(row.Ratio >= mdmLeastRatio && row.Cost < mdmMostCost)
		}
		for i, s := range row.Sides {
			judged := " | | "
			if i == 0 {
				judged = fmt.Sprintf("%.2f × | %.2f × | %s", row.Ratio, row.Cost, mark)
			}
			fmt.Fprintf(w, "| %s | %d | %s | %.0f | %.3f | %.3f | %s |\n", row.Title, row.Devices, row.Names[i],
				s.perSecond(), s.each(s.Server), s.each(s.Postgres), judged)
		}
	}
}

// mdmProfile runs our server in this process and writes CPU profiles of what an
// enrolment, an Idle and what queueing a command take. They also hold the load itself, under
// (*Conn).Do.
func mdmProfile(ctx context.Context, o options, pg *postgres, p programs, fleet *mdm.Fleet, size mdmSize) (err error) {
	if err := profileEnrolment(ctx, o, pg, p, fleet, size); err != nil {
		return err
	}
	m, err := p.manage(ctx, pg, fleet, size.organizations, size.historied, asIs, directly)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	_, addr, stop, err := inProcess(ctx, p, ground{url: m.url}, o.connections)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	pool, err := load.Open(ctx, addr, o.connections)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	idle, err := m.idle(size.historied)
	if err != nil {
		return err
	}
	enqueue, err := m.restarts(ctx)
	if err != nil {
		return err
	}
	for _, work := range []struct {
		name     string
		requests [][]byte
	}{{"idle", idle}, {"enqueue", enqueue}} {
		if _, err := pool.For(ctx, o.pace.warmUp, work.requests); err != nil {
			return err
		}
		path := filepath.Join(o.profile, work.name+".pprof")
		before, err := pg.cpu()
		if err != nil {
			return err
		}
		var run load.Run
		if err := profiled(path, func() (err error) {
			run, err = pool.For(ctx, o.pace.duration, work.requests)
			return err
		}); err != nil {
			return err
		}
		after, err := pg.cpu()
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s: %.0f a second, %.3f CPU-ms of PostgreSQL each; go tool pprof -top -cum %s\n", work.name,
			run.PerSecond(), milliseconds(after-before)/float64(max(1, run.Requests)), path)
	}
	return nil
}

// profileEnrolment writes a CPU profile of the enrolment of a fleet, of which half
// has come before.
func profileEnrolment(ctx context.Context, o options, pg *postgres, p programs, fleet *mdm.Fleet, size mdmSize) (err error) {
	m, err := p.manage(ctx, pg, fleet, size.organizations, 0, asIs, directly)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if err := m.child.Stop(); err != nil { // two would share the jobs
		return err
	}
	_, addr, stop, err := inProcess(ctx, p, ground{url: m.url}, o.connections)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	devices := slices.Max(size.devices)
	lay := func(say func(*mdm.Device) (mdm.Message, error)) ([][]byte, error) {
		return laid(devices, func(i int) ([]byte, error) {
			message, err := say(fleet.Devices[i])
			return m.put(i, message), err
		})
	}
	authenticate, err := lay((*mdm.Device).Authenticate)
	if err != nil {
		return err
	}
	token, err := lay((*mdm.Device).TokenUpdate)
	if err != nil {
		return err
	}
	pool, err := load.Open(ctx, addr, o.connections)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	enrol := func(from, to int) (load.Run, error) {
		return pool.Each(ctx, to-from, func(c *load.Conn, i int) error {
			if _, err := c.Ask(authenticate[from+i]); err != nil {
				return err
			}
			_, err := c.Ask(token[from+i])
			return err
		})
	}
	if _, err := enrol(0, devices/2); err != nil {
		return err
	}
	if err := ask(ctx, m.url, func(db *sql.DB) error { // no daemon does it here
		_, err := db.ExecContext(ctx, "ANALYZE")
		return err
	}); err != nil {
		return err
	}
	before, err := pg.cpu()
	if err != nil {
		return err
	}
	var run load.Run
	path := filepath.Join(o.profile, "enrol.pprof")
	err = profiled(path, func() (err error) {
		run, err = enrol(devices/2, devices)
		return err
	})
	if err != nil {
		return err
	}
	after, err := pg.cpu()
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "enrol: %.0f a second, %.3f CPU-ms of PostgreSQL each; go tool pprof -top -cum %s\n",
		run.PerSecond(), milliseconds(after-before)/float64(max(1, run.Requests)), path)
	return nil
}

// The mutations that are measured. Each has one variable.
const (
	restartOne  = `mutation($id: ID!) { restartDevice(input: {deviceId: $id}) { command { id } } }`
	restartMany = `mutation($id: [ID!]!) { bulkCommandDevices(input: {deviceIds: $id, command: {restart: {}}}) { job { id } refusals { deviceId } } }`
)

// restarts lays out a restart of each device that is enrolled.
func (m *managed) restarts(ctx context.Context) (requests [][]byte, err error) {
	known := map[string]string{}
	err = pairs(ctx, m.url, `SELECT udid, id FROM devices`, known)
	for _, id := range known {
		requests = append(requests, m.mutation(restartOne, id))
	}
	return requests, err
}

// mutation lays out a mutation with what its variable id is to be.
func (m *managed) mutation(document string, id any) []byte {
	body, err := json.Marshal(map[string]any{"query": document, "variables": map[string]any{"id": id}})
	if err != nil {
		return nil // texts alone
	}
	return load.Post(m.child.Addr(), "/graphql", http.Header{"X-Api-Key": {m.key}}, body)
}
