package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/bailiwick/bailiwick/tools/bench/load"
	"github.com/bailiwick/bailiwick/tools/bench/wire"
)

// verdict collects what was found of each promise.
type verdict struct{ broken int }

func (v *verdict) say(kept bool, format string, args ...any) {
	mark := "ok    "
	if !kept {
		mark = "BROKEN"
		v.broken++
	}
	fmt.Printf("%s %s\n", mark, fmt.Sprintf(format, args...))
}

// check verifies what is promised of the server, and fails if anything is not kept.
func check(ctx context.Context, o options, pg *postgres, programs programs) (err error) {
	g, err := prepare(ctx, pg, o.size)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.drop()) }()
	v := &verdict{}
	steps := []func() error{
		func() error { return v.statements(ctx, o, programs, g) },
		func() error { return v.walls(ctx, o, pg, programs, g) },
		func() error { return v.scale(ctx, o, pg, programs, g) },
	}
	if o.explain {
		steps = steps[:1]
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	if v.broken > 0 {
		return fmt.Errorf("%d promises broken", v.broken)
	}
	return nil
}

// statements verifies how many statements a request takes, that their number
// does not follow the number of rows, and how PostgreSQL runs them.
func (v *verdict) statements(ctx context.Context, o options, programs programs, g ground) (err error) {
	t, err := programs.tap(ctx, g.url, g.key, g.size, g.sample)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	v.total(t)
	for _, letter := range o.letters {
		q, err := queryOf(letter)
		if err != nil {
			return err
		}
		var counts [2]count
		var sent []wire.Statement
		for i, rows := range []int{page / 10, page} {
			pairs, err := q.pairs(&t.world, rows)
			if err != nil {
				return err
			}
			if rows == page {
				if err := verify(q, pairs, t.oursPool, t.limitPool); err != nil {
					return err
				}
			}
			if counts[i], sent, err = statements(t.oursPool, t.oursTap, oursOf(pairs)); err != nil {
				return err
			}
		}
		v.say(counts[0] == counts[1], "%s: the number of statements does not follow the rows: %s for %d, %s for %d",
			letter, counts[0], page/10, counts[1], page)
		if q.most > 0 {
			v.say(counts[1].Statements <= q.most, "%s: %d statements, at most %d", letter, counts[1].Statements, q.most)
		}
		if !q.writes {
			if err := v.plans(ctx, o, g, letter, sent); err != nil {
				return err
			}
		}
	}
	return nil
}

// total verifies that what is counted over a whole provider is right. On a
// large table PostgreSQL counts in several processes, which evaluate parts of
// the policies that a plan for one never reaches.
func (v *verdict) total(t *tapped) {
	body := []byte(`{"query":"{ devices(first: 1) { totalCount } }"}`)
	answer, err := t.ask(load.Post(t.oursAddr, "/graphql", http.Header{"X-Api-Key": {t.key}}, body))
	if err != nil {
		v.say(false, "a count over the whole provider: %v", err)
		return
	}
	want := fmt.Sprintf(`"totalCount":%d`, t.size.Devices)
	v.say(bytes.Contains(answer, []byte(want)), "a count over the whole provider is %s: %.200s", want, answer)
}

// plans verifies that no statement reads or sorts more than a page needs.
func (v *verdict) plans(ctx context.Context, o options, g ground, letter string, sent []wire.Statement) error {
	return ask(ctx, g.url, func(db *sql.DB) error {
		tables, err := tableSizes(ctx, db)
		if err != nil {
			return err
		}
		for _, s := range sent {
			if isSetting(s.SQL) || isControl(s.SQL) {
				continue
			}
			e, text, err := explain(ctx, db, s)
			if err != nil {
				return err
			}
			faults := e.Plan.faults(tables)
			_, from, _ := strings.Cut(s.SQL, " FROM ")
			v.say(len(faults) == 0, "%s: planned in %.2f ms, run in %.2f: %.60s…: %s: %s",
				letter, e.Planning, e.Execution, from, e.Plan.outline(), strings.Join(faults, ", "))
			if o.explain || len(faults) > 0 {
				fmt.Fprintln(os.Stderr, s.SQL+"\n"+text)
			}
		}
		return nil
	})
}
