package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"github.com/bailiwick/bailiwick/tools/bench/load"
	"github.com/bailiwick/bailiwick/tools/bench/mdm"
)

// leastKept is what must be left of the idle rate, however much history a
// device has, and however many organizations there are.
const leastKept = 1 / mostGrowth

// fleetOn is a fleet on our server that is compared with another one.
type fleetOn struct {
	name                   string
	organizations, devices int
	history                int
}

// mdmGrowth compares idle connects without and with history, and with few
// organizations and many: the same devices, on two servers, turn by turn.
func mdmGrowth(ctx context.Context, pg *postgres, p programs, fleet *mdm.Fleet, size mdmSize) (rows []*mdmRow, err error) {
	for _, pair := range [][2]fleetOn{
		{
			{fmt.Sprintf("%d commands of history a device", size.history), size.organizations, size.historied, size.history},
			{"no history", size.organizations, size.historied, 0},
		},
		{
			{fmt.Sprintf("%d organizations", size.crowd), size.crowd, size.crowd, 0},
			{fmt.Sprintf("%d organizations", size.organizations), size.organizations, size.crowd, 0},
		},
	} {
		row, err := idleOn(ctx, pg, p, fleet, size, pair)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func idleOn(ctx context.Context, pg *postgres, p programs, fleet *mdm.Fleet, size mdmSize, pair [2]fleetOn) (row *mdmRow, err error) {
	row = &mdmRow{Title: "idle connect", Devices: pair[0].devices, Names: [2]string{pair[0].name, pair[1].name}}
	fmt.Fprintf(os.Stderr, "measuring idle connects, %s and %s\n", pair[0].name, pair[1].name)
	var sides [2]*managed
	defer func() {
		for _, m := range sides {
			if m != nil {
				err = errors.Join(err, m.Close())
			}
		}
	}()
	pairs := &pairing{pg: pg}
	var runs [2]func() (load.Run, error)
	for i, g := range pair {
		fill := func(db *sql.DB) error {
			if _, err := db.ExecContext(ctx, "UPDATE device_channels SET last_seen_at = now() + interval '1 hour'"); err != nil || g.history == 0 {
				return err
			}
			return mdm.AddHistory(ctx, db, g.history)
		}
		m, err := p.manage(ctx, pg, &mdm.Fleet{Authority: fleet.Authority, Devices: fleet.Devices[:g.devices]}, g.organizations, g.devices, fill, directly)
		if err != nil {
			return nil, err
		}
		sides[i] = m
		pairs.cpu[i] = cpuOf(m.child)
		requests, err := m.idle(g.devices)
		if err != nil {
			return nil, err
		}
		runs[i] = func() (load.Run, error) { return m.pool.For(ctx, size.span, requests) }
		warm := func(c *load.Conn, at int) error { return quiet(c.Ask(requests[at])) }
		if _, err := m.pool.Each(ctx, len(requests), warm); err != nil {
			return nil, err
		}
	}
	for t := warmUp; t < size.turns*2; t++ {
		if err := pairs.turn(t, row, runs); err != nil {
			return nil, err
		}
	}
	return row, nil
}

// mdmGrowthTable prints whether the idle rate is kept.
func mdmGrowthTable(v *verdict, rows []*mdmRow) {
	fmt.Println("\n| work | devices | with | a second | CPU-ms server | CPU-ms PostgreSQL | rate kept, at least 0.91 | |")
	fmt.Println("|---|--:|---|--:|--:|--:|--:|---|")
	for _, row := range rows {
		mark := v.mark(row.Ratio >= leastKept)
		for i, s := range row.Sides {
			judged := " | "
			if i == 0 {
				judged = fmt.Sprintf("%.2f × | %s", row.Ratio, mark)
			}
			fmt.Printf("| %s | %d | %s | %.0f | %.3f | %.3f | %s |\n", row.Title, row.Devices, row.Names[i],
				s.perSecond(), s.each(s.Server), s.each(s.Postgres), judged)
		}
	}
}

// mark counts what is not kept.
func (v *verdict) mark(kept bool) string {
	if kept {
		return "PASS"
	}
	v.broken++
	return "MISS"
}
