package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/bailiwick/bailiwick/tools/bench/data"
	"github.com/bailiwick/bailiwick/tools/bench/load"
	"github.com/bailiwick/bailiwick/tools/bench/wire"
)

// count is how many statements one request takes, when everything is warm.
type count struct {
	Statements int `json:"statements"`
	Settings   int `json:"settings"`    // of the session's scope
	Control    int `json:"transaction"` // BEGIN, COMMIT
}

func (c count) String() string {
	text := strconv.Itoa(c.Statements)
	if c.Settings > 0 {
		text += fmt.Sprintf(" +%d set", c.Settings)
	}
	if c.Control > 0 {
		text += fmt.Sprintf(" +%d tx", c.Control)
	}
	return text
}

// tapped is a site whose statements can be seen. It is not for measuring time.
type tapped struct {
	*site
	oursTap, limitTap *wire.Proxy
}

// tap starts both servers behind proxies.
func (p programs) tap(ctx context.Context, url, key string, size data.Size, sample data.Sample) (*tapped, error) {
	oursTap, err := wire.Listen(ctx, url)
	if err != nil {
		return nil, err
	}
	limitTap, err := wire.Listen(ctx, url)
	if err != nil {
		return nil, errors.Join(err, oursTap.Close())
	}
	s, err := p.site(ctx, oursTap.URL(), limitTap.URL(), key, size, sample)
	if err != nil {
		return nil, errors.Join(err, oursTap.Close(), limitTap.Close())
	}
	return &tapped{site: s, oursTap: oursTap, limitTap: limitTap}, nil
}

// Close stops the servers and the proxies.
func (t *tapped) Close() error {
	return errors.Join(t.site.Close(), t.oursTap.Close(), t.limitTap.Close())
}

// statements asks some requests, one at a time, and returns what one takes, and
// what the first and the last one sent: the first and a later page.
func statements(pool *load.Pool, tap *wire.Proxy, requests [][]byte) (count, []wire.Statement, error) {
	const counted = 11
	var totals [3][]float64
	var sent []wire.Statement
	for i := range counted {
		for range 3 { // the last is warm: caches know the caller and the organization
			tap.Take()
			if _, err := pool.Once(requests[i*(len(requests)-1)/(counted-1)]); err != nil {
				return count{}, nil, err
			}
		}
		seen := own(tap.Take())
		if i == 0 || i == counted-1 {
			sent = append(sent, seen...)
		}
		c := tally(seen)
		for j, n := range []int{c.Statements, c.Settings, c.Control} {
			totals[j] = append(totals[j], float64(n))
		}
	}
	return count{int(median(totals[0])), int(median(totals[1])), int(median(totals[2]))}, sent, nil
}

// own leaves out what the process does by itself at the same time.
func own(seen []wire.Statement) []wire.Statement {
	var list []wire.Statement
	for _, s := range seen {
		if !strings.Contains(s.SQL, "river_") {
			list = append(list, s)
		}
	}
	return list
}

func tally(seen []wire.Statement) count {
	var c count
	for _, s := range seen {
		switch {
		case isSetting(s.SQL):
			c.Settings++
		case isControl(s.SQL):
			c.Control++
		default:
			c.Statements++
		}
	}
	return c
}

func isSetting(sql string) bool {
	return strings.HasPrefix(sql, "SET ") || strings.HasPrefix(sql, "SELECT set_config(")
}

func isControl(sql string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(sql), " ")
	switch strings.ToUpper(strings.TrimSuffix(word, ";")) {
	case "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "":
		return true
	}
	return false
}
