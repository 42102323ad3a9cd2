package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/bailiwick/bailiwick/tools/bench/data"
)

const (
	fewOrganizations = 10
	mostGrowth       = 1.10
)

// scale verifies that a request costs the same however many organizations
// there are. Only their number may differ between the two databases that a
// query is measured on: a query within organizations meets organizations of one
// size; a query over all of them as many rows in all, and an answer that names
// as many organizations, for which there have to be as many as it has rows. What
// it costs to name fewer is shown beside.
func (v *verdict) scale(ctx context.Context, o options, pg *postgres, programs programs, many ground) error {
	within := data.Size{
		Organizations: fewOrganizations,
		Devices:       fewOrganizations * (o.size.Devices / o.size.Organizations),
		Alerts:        fewOrganizations * max(10, o.size.Alerts/o.size.Organizations),
	}
	over := func(organizations int) data.Size {
		return data.Size{Organizations: organizations, Devices: o.size.Devices, Alerts: o.size.Alerts}
	}
	for _, few := range []struct {
		size data.Size
		over bool
		most float64
	}{{within, false, mostGrowth}, {over(page), true, mostGrowth}, {over(fewOrganizations), true, math.Inf(1)}} {
		var queries []query
		for _, letter := range o.letters {
			q, err := queryOf(letter)
			if err != nil {
				return err
			}
			if !q.writes && q.over == few.over {
				queries = append(queries, q)
			}
		}
		if err := v.grows(ctx, o, pg, programs, few.size, few.most, many, queries); err != nil {
			return err
		}
	}
	return nil
}

// grows compares the queries' costs on a database with few organizations and on
// the one with many.
func (v *verdict) grows(ctx context.Context, o options, pg *postgres, programs programs, size data.Size, most float64, many ground, queries []query) (err error) {
	if len(queries) == 0 {
		return nil
	}
	few, err := prepare(ctx, pg, size)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, few.drop()) }()
	var sites [2]*site
	defer func() {
		for _, s := range sites {
			if s != nil {
				err = errors.Join(err, s.Close())
			}
		}
	}()
	for i, g := range []ground{few, many} {
		s, err := programs.site(ctx, g.url, g.url, g.key, g.size, g.sample)
		if err != nil {
			return err
		}
		sites[i] = s
	}
	// Many short turns: what else the machine does meets both alike.
	const turns = 5
	pace := pace{warmUp: o.pace.warmUp / turns, duration: o.pace.duration / turns, rounds: o.pace.rounds * turns}
	for _, q := range queries {
		rows := page
		if q.letter == "C" {
			rows = page * fewOrganizations / 20 // as many organizations as there are
		}
		var targets [2]target
		for i, s := range sites {
			pairs, err := q.pairs(&s.world, rows)
			if err != nil {
				return err
			}
			targets[i] = s.oursTarget(pairs)
		}
		fmt.Fprintf(os.Stderr, "scale of %s\n", q.letter)
		medians, rounds, err := compare(ctx, pg, pace, targets)
		if err != nil {
			return err
		}
		var growth []float64
		for i := range rounds[0] {
			growth = append(growth, rounds[1][i].CPU()/rounds[0][i].CPU())
		}
		f := median(growth)
		said := fmt.Sprintf("%s: from %d to %d organizations a request's cost grows %.2f times (server %.3f to %.3f ms, PostgreSQL %.3f to %.3f)",
			q.letter, size.Organizations, o.size.Organizations, f,
			medians[0].ServerCPU, medians[1].ServerCPU, medians[0].PostgresCPU, medians[1].PostgresCPU)
		if math.IsInf(most, 1) {
			fmt.Fprintln(os.Stderr, said+"; naming more organizations costs that")
			continue
		}
		v.say(f <= most, "%s, at most %.2f", said, most)
	}
	return nil
}
