package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/bailiwick/bailiwick/tools/bench/data"
)

const (
	fewOrganizations = 10
	mostGrowth       = 1.10
)

// scale verifies that a request costs the same however many organizations
// there are: the same query on two databases whose organizations are of one
// size, round by round.
func (v *verdict) scale(ctx context.Context, o options, pg *postgres, programs programs, many ground) (err error) {
	few, err := prepare(ctx, pg, data.Size{
		Organizations: fewOrganizations,
		Devices:       fewOrganizations * (o.size.Devices / o.size.Organizations),
		Alerts:        fewOrganizations * max(10, o.size.Alerts/o.size.Organizations),
	})
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
	for _, letter := range o.letters {
		q, err := queryOf(letter)
		if err != nil {
			return err
		}
		if q.writes {
			continue
		}
		rows := page
		if letter == "C" {
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
		fmt.Fprintf(os.Stderr, "scale of %s\n", letter)
		medians, rounds, err := compare(ctx, pg, o.pace, targets)
		if err != nil {
			return err
		}
		var growth []float64
		for i := range rounds[0] {
			growth = append(growth, rounds[1][i].CPU()/rounds[0][i].CPU())
		}
		f := median(growth)
		v.say(f <= mostGrowth, "%s: from %d to %d organizations a request's cost grows %.2f times, at most %.2f (server %.3f to %.3f ms, PostgreSQL %.3f to %.3f)",
			letter, fewOrganizations, o.size.Organizations, f, mostGrowth,
			medians[0].ServerCPU, medians[1].ServerCPU, medians[0].PostgresCPU, medians[1].PostgresCPU)
	}
	return nil
}
